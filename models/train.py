"""Learn from a sales history: split, fit, evaluate, gate, write."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.artifact import BasketChances, Content, FileEntry, Manifest, open_artifact, write_artifact
from models.artifact_layout import describe_artifact, describe_currency, lay_out
from models.customers.accounts import LearnedAccounts, learn_accounts
from models.data.extra_scores import ExtraScores
from models.data.history import History
from models.evaluate.holdout import Chosen, Evaluated, choose, conclude, evaluate
from models.evaluate.ranking import RankingMetrics
from models.export_factors import export_factors
from models.final_models import FinalModels, fit_finally
from models.products.repurchases import describe_repurchases
from models.propensity.artifact_in_use import compare_with_outcomes
from models.propensity.rank_candidates import Ranking, learn_ranking
from models.propensity.train_propensity import LearnedPropensity, learn_propensity, no_propensity
from models.propensity.windows import PropensityInputs
from models.ranking.choose import ChosenBlend
from models.ranking.extra_scores import ExtraScorer
from models.report import SECOND_STAGE, WITHOUT_EXTRA_SCORES, Report
from models.train_baskets import learn_baskets
from models.training_data import TrainingData, TrainingOptions, prepare_data

__all__ = ["Trained", "TrainingOptions", "train"]

Step = Callable[[str], None]


@dataclass(frozen=True)
class Trained:
    """A written artifact."""

    folder: Path
    manifest: Manifest
    report: Report


def train(history: History, options: TrainingOptions, root: Path, in_use_folder: Path | None, step: Step) -> Trained:
    """Learn, evaluate on the held-out period, and write the artifact under ``root``.

    in_use_folder: the artifact in use, which the new one must not fall behind.
    step: called with the name of each step as it begins.
    The artifact is written whether the gate approves it or not; only an approved one should be published. Raises
    HistoryInvalid if there is too little to learn from.
    """
    data = prepare_data(history, options, in_use_folder)
    learn = learn_baskets if options.is_basket_only else learn_everything
    content, report = learn(data, options, step)
    step("write the artifact")

    def describe(files: dict[str, FileEntry]) -> Manifest:
        return describe_artifact(history, data.interactions, data.split, report, files, options.label)

    folder = write_artifact(root, content, describe)
    return Trained(folder, open_artifact(folder, verify=False).manifest, report)


def learn_everything(data: TrainingData, options: TrainingOptions, step: Step) -> tuple[Content, Report]:
    """Learn of accounts, baskets and products, and judge the accounts' lists on the held-out period."""
    history, goods, split, in_use, seed = data.history, data.goods, data.split, data.in_use, options.seed
    extra = options.extra_scores
    extra_scorer = ExtraScorer(extra.scores) if extra else None
    chosen = choose(goods, split, seed, step, extra_scorer)
    evaluated = evaluate(goods, split, chosen, in_use, step)
    valued = history.valued_products(data.day)
    rankers = (chosen.fitted, evaluated.fitted)
    inputs = PropensityInputs(goods, valued, history.accounts, split, rankers, chosen.weights)
    ranking = learn_ranking(inputs, evaluated.targets, seed, step)
    stages = measure_stages(inputs, ranking, evaluated, chosen, step)
    report = conclude(evaluated, stages, split, chosen, in_use, is_forced=options.is_forced)
    step("value and segment every account")
    currency = describe_currency(history, data.day)
    accounts, described = learn_accounts(
        data.interactions, valued, history.accounts, split.as_of, in_use, currency["reporting"], split.zone.name
    )
    final, propensity = fit_and_predict(inputs, chosen, evaluated.basket_chances, ranking, accounts, seed, step)
    report = replace(
        report,
        parameters=report.parameters | ({"extra_scores": describe_extra_scores(extra, chosen.blend)} if extra else {}),
        metrics=report.metrics | propensity.metrics,
        currency=currency,
        customers=described,
        propensity=propensity.described
        | {"repurchase_intervals": describe_repurchases(final.repurchases)}
        | compare_with_outcomes(in_use, goods, split.as_of, propensity, seed, split.zone),
    )
    if options.factors_folder and final.als:
        export_factors(final.als, goods, options.factors_folder)
    return lay_out(data.interactions, history.products, final, accounts, propensity.propensities, report), report


def measure_stages(
    inputs: PropensityInputs, ranking: Ranking | str, evaluated: Evaluated, chosen: Chosen, step: Step
) -> dict[str, Mapping[str, RankingMetrics]]:
    """The second stage's metrics by name and target; where extra scores are given, those of a stage without them, too.

    Empty where there is no second stage.
    """
    if isinstance(ranking, str):
        return {}
    stages = {SECOND_STAGE: ranking.measured}
    if chosen.fitted.extra_scores is not None:
        step("learn the second stage without extra scores, to compare")
        alone = inputs.without_extra_scores(chosen.blend.without_extra)
        without = learn_ranking(alone, evaluated.targets, chosen.parameters.seed, lambda _: None)
        if not isinstance(without, str):
            stages[f"{SECOND_STAGE}{WITHOUT_EXTRA_SCORES}"] = without.measured
    return stages


def describe_extra_scores(extra: ExtraScores, blend: ChosenBlend) -> dict[str, Any]:
    """Describe the file of extra scores, their weight, and what they gain on the validation window."""
    gains = (None, None) if blend.gains is None else tuple(round(gain, 6) for gain in blend.gains)
    validation = dict(zip(("ndcg@20", "ndcg@20_without"), gains, strict=True))
    return extra.describe() | {"weight": blend.weights.extra_scores, "validation": validation}


def fit_and_predict(
    inputs: PropensityInputs,
    chosen: Chosen,
    chances: BasketChances,
    ranking: Ranking | str,
    accounts: LearnedAccounts,
    seed: int,
    step: Step,
) -> tuple[FinalModels, LearnedPropensity]:
    """Fit on everything, and predict. ranking: a text says why there is no second stage."""
    lines, categories = accounts.lines, accounts.categories
    if isinstance(ranking, str):
        final = fit_finally(inputs, chosen, chances, None, step)
        return final, no_propensity(final.lists, lines, categories, ranking)
    now = inputs.snapshot(inputs.split.as_of, ranking.horizon_days)
    final = fit_finally(inputs, chosen, chances, (ranking, now), step)
    return final, learn_propensity(inputs, ranking, final.lists, final.p, now, (lines, categories), seed, step)
