"""Learn the second stage on the validation window, measure it on the held-out one, and fit it anew on that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.artifact import NO_ROW
from models.candidates import CANDIDATES, EXPLAINED, CandidateLists
from models.evaluate.calibration import Predictions, compare_precision, measure
from models.evaluate.intervals import Estimate
from models.evaluate.ranking import RankingMetrics
from models.propensity.calibration import Predictor, Verdict, describe_verdict, is_enough, learn_predictor, verdict_on
from models.propensity.examples import ListedCandidates, best_of, describe_pairs, sample_of_known
from models.propensity.features import functions_for
from models.propensity.repeats import RepeatModel, describe_calibration, learn_repeats
from models.propensity.second_stage import SecondStage, learn_second_stage
from models.propensity.windows import PropensityInputs, SnapshotModels, Step, Window, describe_window, learn_window
from models.ranking.shortlist import Shortlist
from models.report import CUT, Targets, describe

MIN_DAYS = 2.0
BLOCK = 10_000
"""So many accounts are listed at once."""
ORDER = ("auc", "average_precision", "top_tenth_lift")
"""Metrics of a score that is no probability."""


@dataclass(frozen=True)
class Ranking:
    """The second stage, fitted on the newest window, and what it was like on a window that it had not seen.

    bins:     gives P where the second stage's was too far off on the held-out window, else None.
    windows, listed: the two windows, and what would have been listed at the start of each.
    measured: by target ("new", "all"), the metrics of the lists on the held-out window.
    """

    described: dict[str, Any]
    horizon_days: float
    stage: SecondStage
    repeats: RepeatModel
    bins: Predictor | None
    windows: tuple[Window, Window]
    listed: tuple[ListedCandidates, ListedCandidates]
    measured: Mapping[str, RankingMetrics]
    metrics: dict[str, dict[str, Any]]


def learn_ranking(inputs: PropensityInputs, targets: Targets, seed: int, step: Step) -> Ranking | str:
    """Learn to rank candidates by P; or say why nothing can be learned. targets: of the held-out period."""
    horizon = inputs.horizon_days()
    if horizon < MIN_DAYS:
        return "the history is too short for three windows"
    if not inputs.begins_early(horizon):
        return "no account owned anything before three windows"
    step("learn the second stage")
    nobody = np.empty(0, dtype=np.int32)
    second = learn_window(inputs, 0, horizon, nobody, seed)
    third = learn_window(inputs, 1, horizon, targets.rows, seed)
    if not is_enough((second.examples, third.examples)):
        return "too few candidates were bought to learn from"
    stage, held_out = learn_second_stage(second.examples, second.product, seed)
    stage = stage.adapted(third.examples.features, third.examples.novelty)
    scores = stage.scores(third.examples.features)
    step("measure the second stage on the held-out period")
    repeats = _learn_repeats(second).adapted(third.repeats, third.models.repeats.rate)
    bins = learn_predictor(second.examples, second.examples, "bins")
    p = {"model": stage.probabilities(scores), "bins": bins.predict_examples(third.examples)}
    p_again = repeats.probabilities(third.repeats)
    measured = _measure_lists(third, p["model"], scores, p_again, targets)
    verdict, metrics, above = _judge(third, scores, p, stage.base.logistic.weights, seed)
    step("fit the second stage on the newest window")
    newest, held_out_newest = learn_second_stage(third.examples, third.product, seed)
    newest = newest.calibrated_on(held_out_newest, scores, third.examples.is_true)
    described = describe_verdict(verdict, tuple(functions_for(third.listed))) | {
        "stack": dict(zip(("logistic", "trees"), newest.stack.weights.round(4).tolist(), strict=True)),
        "repeat": describe_calibration(p_again, third.is_repeated, third.owned_offsets, seed),
        "horizon_days": horizon,
        "windows": [describe_window(window, inputs.split.zone) for window in (second, third)],
        "average_precision_above": {name: describe(estimate) for name, estimate in above.items()},
    }
    return Ranking(
        described=described,
        horizon_days=horizon,
        stage=newest,
        repeats=_learn_repeats(third),
        bins=learn_predictor(third.examples, third.examples, "bins") if verdict.method == "bins" else None,
        windows=(second, third),
        listed=(_listed(second, held_out), _listed(third, scores)),
        measured=measured,
        metrics=metrics,
    )


def list_ranked(
    ranking: Ranking, models: SnapshotModels, has_evidence: NDArray[np.bool_], seed: int
) -> tuple[CandidateLists, NDArray[np.float32]]:
    """List and explain every account's candidates by P; return P too, float32 (A, C), NaN where there is none.

    has_evidence: bool (A,), whose history says anything; others get no list.
    """
    first_stage, n_accounts = models.first_stage, len(has_evidence)
    width = min(CANDIDATES, len(first_stage.is_offerable))
    products = np.full((n_accounts, width), NO_ROW, dtype=np.int32)
    scores, p = np.zeros(products.shape, dtype=np.float32), np.full(products.shape, np.nan, dtype=np.float32)
    reasons = np.full((n_accounts, min(EXPLAINED, width), 2), NO_ROW, dtype=np.int32)
    owned_scores = []
    known = np.flatnonzero(np.diff(first_stage.owned.indptr) > 0).astype(np.int32)
    sample = DescribedAccounts.of_rows(models, sample_of_known(first_stage.owned, seed))
    adapted = _adapt(ranking, models, sample)
    blocks = (DescribedAccounts.of_rows(models, known[begin : begin + BLOCK]) for begin in range(0, len(known), BLOCK))
    for block in [sample] if len(sample.listed.rows) == len(known) else blocks:
        listed, rows = block.listed, block.listed.rows
        owned_scores.append(adapted.repeats.probabilities(block.repeats))
        of_pairs = adapted.stage.scores(block.features)
        best, places = best_of(listed, of_pairs, width)
        best[~has_evidence[rows]] = NO_ROW
        is_pair = best != NO_ROW
        chance = adapted.stage.probabilities(of_pairs)
        products[rows] = best
        scores[rows] = np.where(is_pair, chance[places], 0)
        if adapted.bins is not None:
            chance = adapted.bins.predict(block.features, listed.scores[listed.is_pair])
        p[rows] = np.where(is_pair, chance[places], np.nan)
        reasons[rows] = first_stage.blend.explain(rows, best[:, :EXPLAINED], first_stage.is_offerable)
    return CandidateLists(products, scores, reasons, np.concatenate(owned_scores)), p


@dataclass(frozen=True)
class DescribedAccounts:
    """Candidates of some accounts, their features, and those of what the accounts own."""

    listed: Shortlist
    features: NDArray[np.float32]
    repeats: NDArray[np.float32]

    @classmethod
    def of_rows(cls, models: SnapshotModels, rows: NDArray[np.int32]) -> "DescribedAccounts":
        """List and describe."""
        listed = models.first_stage.shortlist(rows)
        return cls(listed, describe_pairs(models.tables, listed), models.repeats.features_of(listed))


def _learn_repeats(window: Window) -> RepeatModel:
    return learn_repeats(window.repeats, window.is_repeated, window.models.repeats.rate)


def _adapt(ranking: Ranking, models: SnapshotModels, sample: DescribedAccounts) -> Ranking:
    """Adapt the models to a later snapshot. sample: of its accounts."""
    is_pair = sample.listed.is_pair
    novelty = models.snapshot.novelty_rate(is_pair.sum() / max(len(is_pair), 1))
    bins = ranking.bins and ranking.bins.adapted(sample.features, sample.listed.scores[is_pair], novelty)
    stage = ranking.stage.adapted(sample.features, novelty)
    repeats = ranking.repeats.adapted(sample.repeats, models.repeats.rate)
    return replace(ranking, stage=stage, repeats=repeats, bins=bins)


def _measure_lists(
    window: Window,
    p: NDArray[np.float32],
    scores: NDArray[np.float64],
    p_again: NDArray[np.float32],
    targets: Targets,
) -> dict[str, RankingMetrics]:
    """Compare the first of each list with what was bought: of new products alone, and with what is bought again.

    p_again: (m,), of what the accounts own: see ``Window.repeats``.
    """
    listed, owned = window.listed, window.models.first_stage.owned
    place = np.searchsorted(listed.rows, targets.rows)
    candidates, places = best_of(listed, scores, CANDIDATES)
    best, places = candidates[:, :CUT], places[:, :CUT]
    again = owned[listed.rows]
    again = csr_matrix((p_again, again.indices, again.indptr), again.shape)
    merged = [
        _merge(
            best[row],
            np.where(best[row] == NO_ROW, -1, p[places[row]]),
            again.indices[begin:end],
            again.data[begin:end],
        )
        for row, begin, end in zip(place, again.indptr[place], again.indptr[place + 1], strict=True)
    ]
    return targets.compare(np.stack(merged), candidates[place])


def _merge(
    new: NDArray[np.int32], p: NDArray[np.float32], owned: NDArray[np.int32], p_again: NDArray[np.float32]
) -> NDArray[np.int32]:
    """The CUT products with the highest P, of new and owned ones."""
    products, chances = np.concatenate((new, owned)), np.concatenate((p, p_again))
    return np.asarray(products[np.argsort(-chances, kind="stable")[:CUT]])


def _judge(
    window: Window,
    scores: NDArray[np.float64],
    p: Mapping[str, NDArray[np.float32]],
    weights: NDArray[np.float64],
    seed: int,
) -> tuple[Verdict, dict[str, dict[str, Any]], Mapping[str, Estimate]]:
    """Measure P of what would have been listed, and score and popularity alone; by how much P is more precise."""
    _, places = best_of(window.listed, scores, CANDIDATES)
    chosen = np.sort(places[places >= 0])
    _, account = np.unique(window.examples.account[chosen], return_inverse=True)
    is_true = window.examples.is_true[chosen]

    def predictions(values: NDArray[Any]) -> Predictions:
        return Predictions(values[chosen].astype(np.float64), is_true, account.astype(np.int64))

    verdict = verdict_on({method: predictions(values) for method, values in p.items()}, weights, seed)
    popularity = window.models.first_stage.blend.fitted.popularity.popularity[window.product]
    alone = {"score": predictions(window.examples.score), "popularity": predictions(popularity)}
    metrics = {name: describe_metrics(estimates) for name, estimates in verdict.measured.items()}
    metrics |= {name: describe_metrics(measure(predicted, seed), ORDER) for name, predicted in alone.items()}
    others = {verdict.method: verdict.predictions[verdict.method]} | alone
    return verdict, metrics, compare_precision(others, verdict.method, seed)


def _listed(window: Window, scores: NDArray[np.float64]) -> ListedCandidates:
    """What would have been listed for a sample of accounts. scores: (n,), of the examples, by models without them."""
    products, places = best_of(window.listed, scores, CANDIDATES)
    best = np.where(places >= 0, scores[places], 0).astype(np.float32)
    return ListedCandidates(window.listed.rows, products, best, window.models.first_stage.owned)


def describe_metrics(measured: Mapping[str, Estimate], kept: Sequence[str] | None = None) -> dict[str, Any]:
    """Describe metrics for the report. kept: those that are meaningful, all by default; the others are null."""
    unknown = Estimate(float("nan"), float("nan"), float("nan"), 0)
    return {
        name: describe(estimate if kept is None or name in kept else unknown) for name, estimate in measured.items()
    }
