"""Choose the models on the validation window, judge them on the held-out period, and decide on publication."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from models.artifact import Artifact, BasketChances, Verdict
from models.customers.measure import measure_customers
from models.data.interactions import Interactions
from models.data.split import Split, format_time
from models.evaluate.artifact_in_use import NAME_IN_USE, is_measurable, recorded_floor, scorer_of
from models.evaluate.baskets import BasketScorer
from models.evaluate.gate import decide_publication
from models.evaluate.ranking import RankingMetrics
from models.products.completion import fit_pairs
from models.ranking.basket_chances import basket_pairs, learn_basket_chances, measure_basket_chances
from models.ranking.baskets import Neighbours, fit_neighbours, strongest_neighbours
from models.ranking.blend import BlendScorer
from models.ranking.choose import ChosenBlend, choose_blend
from models.ranking.extra_scores import ExtraScorer
from models.ranking.fit import FittedRankers, fit_rankers, refit
from models.ranking.pair_exponents import learn_exponents
from models.ranking.product_pairs import collect_pairs
from models.ranking.scorer import Scorer
from models.ranking.search import MIN_GAIN, search
from models.ranking.settings import BlendWeights, PairExponents, RankingParameters
from models.report import (
    BLEND,
    CUT,
    SECOND_STAGE,
    WITHOUT_EXTRA_SCORES,
    Report,
    Targets,
    describe,
    describe_baskets,
    describe_targets,
    measure_targets,
    rank_baskets,
)

Step = Callable[[str], None]


@dataclass(frozen=True)
class Chosen:
    """The hyperparameters, weights and exponents chosen on the validation window, and the rankers fitted before it."""

    parameters: RankingParameters
    blend: ChosenBlend
    fitted: FittedRankers
    exponents: PairExponents
    basket_chances: BasketChances

    @property
    def weights(self) -> BlendWeights:
        """Of the blend."""
        return self.blend.weights


def choose(
    interactions: Interactions,
    split: Split,
    seed: int,
    step: Step,
    extra_scores: ExtraScorer | None = None,
) -> Chosen:
    """Choose hyperparameters, the blend's weights and pairs' exponents on the validation window alone.

    extra_scores: get the weight that gains most there, which may be none.
    Hyperparameters that are better for each ranker alone replace the default where the blend gains by them, too.
    """
    learned, validation = interactions.select(split.learn), interactions.select(split.validation)
    step("search hyperparameters on the validation window")
    start = split.validation_start
    searched = search(learned, validation, start, RankingParameters(seed=seed), step)
    default = searched.default
    step("choose the blend on the validation window")
    als = searched.default_als
    fitted = of_default = fit_rankers(learned, start, default, step, extra_scores=extra_scores, als=als)
    blend = choose_blend(fitted, learned, validation)
    bar = MIN_GAIN
    for parameters in dict.fromkeys((searched.with_best_als, searched.best_of_each)):
        if searched.als is None or parameters == default:
            continue
        others = refit(of_default, learned, start, parameters, searched.als)
        tried = choose_blend(others, learned, validation)
        if tried.gain > bar * blend.gain:
            blend, fitted, bar = tried, others, 1.0
    step("learn what completes the validation window's baskets")
    return Chosen(fitted.parameters, blend, fitted, *learn_from_baskets(interactions, split, fitted.parameters))


def learn_from_baskets(
    interactions: Interactions, split: Split, parameters: RankingParameters
) -> tuple[PairExponents, BasketChances]:
    """Learn on the validation window how much each figure of a pair counts in baskets, and how likely each is then."""
    learned, validation = interactions.select(split.learn), interactions.select(split.validation)
    pairs = collect_pairs(learned, split.validation_start, parameters)
    exponents = learn_exponents(pairs, learned, validation, parameters.seed)
    neighbours = strongest_neighbours(pairs, exponents)
    described = basket_pairs(neighbours, learned, validation, split.validation_start, parameters.seed)
    return exponents, learn_basket_chances(described)


def measure_and_refit(
    chances: BasketChances, neighbours: Neighbours, learned: Interactions, holdout: Interactions, start: int, seed: int
) -> tuple[BasketChances, dict[str, Any]]:
    """Measure what the validation window's baskets taught on the held-out period's, then learn from those.

    neighbours, learned: as of the held-out period, which begins at ``start``. Returns metrics for the report, too.
    """
    pairs = basket_pairs(neighbours, learned, holdout, start, seed)
    measured = measure_basket_chances(replace(chances, rates=pairs.rates), pairs, seed)
    described = {name: describe(estimate) for name, estimate in measured.items()}
    return learn_basket_chances(pairs), {"basket_propensity": {"model": described}} if described else {}


@dataclass(frozen=True)
class Evaluated:
    """The first stage on the held-out period.

    fitted:   the rankers, fitted on all but that period. targets: what they were measured on.
    basket_chances: learned on that period's baskets.
    metrics:  of baskets and customers, described for the report.
    measured: target -> model -> metrics.
    """

    fitted: FittedRankers
    targets: Targets
    measured: Mapping[str, Mapping[str, RankingMetrics]]
    basket_chances: BasketChances
    metrics: dict[str, dict[str, Any]]


def evaluate(
    interactions: Interactions, split: Split, chosen: Chosen, in_use: Artifact | None, step: Step
) -> Evaluated:
    """Fit on all but the held-out period, and measure on it beside popularity and the artifact in use."""
    learned, holdout = interactions.select(~split.holdout), interactions.select(split.holdout)
    seed = chosen.parameters.seed
    step("fit on all but the held-out period")
    warm = chosen.fitted
    fitted = fit_rankers(learned, split.holdout_start, chosen.parameters, step, warm, warm.extra_scores)
    neighbours = fit_neighbours(learned, split.holdout_start, chosen.parameters, chosen.exponents)
    step("evaluate on the held-out period")
    targets = Targets.of_window(learned, holdout, seed, split.holdout_start if split.is_by_time else None)
    measured = measure_targets(_scorers(interactions, split, chosen, fitted, in_use), targets)
    baskets: dict[str, BasketScorer] = {"neighbours": neighbours, "popularity": fitted.popularity, **fit_pairs(learned)}
    ranks = rank_baskets(baskets, learned, holdout, seed)
    before, start = chosen.basket_chances, split.holdout_start
    chances, of_chances = measure_and_refit(before, neighbours, learned, holdout, start, seed)
    metrics = {"basket": describe_baskets(ranks, seed)} | of_chances | measure_customers(interactions, split, seed)
    return Evaluated(fitted, targets, measured, chances, metrics)


def conclude(
    evaluated: Evaluated,
    stages: Mapping[str, Mapping[str, RankingMetrics]],
    split: Split,
    chosen: Chosen,
    in_use: Artifact | None,
    *,
    is_forced: bool,
) -> Report:
    """Report on every model, and decide on publication by the lists that would be served.

    stages: by name and target, the metrics of the second stage's lists; empty where the blend's are served.
    """
    seed = chosen.parameters.seed
    measured = {
        target: {name: of_target[target] for name, of_target in stages.items()} | dict(models)
        for target, models in evaluated.measured.items()
    }
    name = SECOND_STAGE if SECOND_STAGE in stages else BLEND
    verdict = decide(measured["new"], name, in_use, seed, held_out_days(split), is_forced=is_forced)
    metrics = describe_targets(measured, seed) | evaluated.metrics
    has_extra_scores = chosen.fitted.extra_scores is not None
    parameters = chosen.parameters.to_json() | {
        "blend": chosen.weights.to_json(has_extra_scores=has_extra_scores),
        "basket_exponents": asdict(chosen.exponents),
    }
    return Report(metrics, split.describe(), split.notice, parameters, verdict, split.zone.name, served=name)


def _scorers(
    interactions: Interactions, split: Split, chosen: Chosen, fitted: FittedRankers, in_use: Artifact | None
) -> list[Scorer]:
    """The blend, its rankers, and the artifact in use if that has not seen the held-out period.

    Where extra scores are given, the blend without them, too.
    """
    scorers: list[Scorer] = [BlendScorer(fitted, chosen.weights), *fitted.scorers]
    if fitted.extra_scores is not None:
        alone = fitted.without_extra_scores()
        scorers.append(BlendScorer(alone, chosen.blend.without_extra, f"{BLEND}{WITHOUT_EXTRA_SCORES}"))
    if in_use and is_measurable(in_use, split):
        scorers.append(scorer_of(in_use, interactions))
    return scorers


def held_out_days(split: Split) -> str:
    """The period that was held out, in words; empty where the history was not split by time."""
    if not split.is_by_time:
        return ""
    # A local second formatted as if it were UTC begins with the local day.
    last = format_time(split.as_of - 1)
    return f"{format_time(split.holdout_start)[:10]} to {last[:10]}"


def decide(
    measured: Mapping[str, RankingMetrics],
    served: str,
    in_use: Artifact | None,
    seed: int,
    period: str,
    *,
    is_forced: bool,
) -> Verdict:
    """Ask the gate about the model whose lists are served; if forced, approve in any case, and record that."""
    ndcg = {name: metrics.ndcg for name, metrics in measured.items()}
    floor = ndcg.get(NAME_IN_USE, recorded_floor(in_use, f"ndcg@{CUT}") if in_use else None)
    decision = decide_publication(ndcg[served], ndcg["popularity"], floor, seed, period)
    return Verdict(
        is_approved=decision.is_published or is_forced,
        reason=decision.reason,
        is_forced=is_forced and not decision.is_published,
    )
