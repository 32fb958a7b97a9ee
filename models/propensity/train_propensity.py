"""From a sales history to calibrated probabilities: fit on one window, calibrate on the next, report on a third.

All three are later than the data that their features are made of. The published model is fitted and calibrated one
window later than the reported one, on the newest data; the report measures the procedure, on a period unseen by it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW, Groups, Propensities
from models.candidates import CandidateLists
from models.evaluate.calibration import compare_precision, measure
from models.evaluate.intervals import Estimate
from models.propensity.calibration import (
    Predictor,
    Verdict,
    describe_verdict,
    is_enough,
    judge,
    learn_predictor,
)
from models.propensity.examples import batches_of, bought_between
from models.propensity.features import FEATURES, learn_features
from models.propensity.groups import spend_factors
from models.propensity.rates import Rates, learn_rates, measure_rates
from models.propensity.snapshot import Snapshot
from models.propensity.targets import index_targets
from models.propensity.train_groups import LearnedGroups, learn_groups
from models.propensity.windows import PropensityInputs, Step, Window, describe_window, learn_windows
from models.report import describe

MIN_DAYS = 2.0
MAX_SAMPLED = 5_000
MAX_LIKELY = 1 - 1e-6
ORDER = ("auc", "average_precision", "top_tenth_lift")
"""Metrics of a score that is no probability."""


@dataclass(frozen=True)
class LearnedPropensity:
    """Propensities for the artifact, their description and their tables of metrics for the report."""

    propensities: Propensities
    described: dict[str, Any]
    metrics: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)


def learn_propensity(inputs: PropensityInputs, seed: int, step: Step) -> LearnedPropensity:
    """Learn how likely accounts are to buy their candidates, anything else, and anything of a line or category.

    Nothing is learned, and the report says why, where the history is too short for three windows or too few bought.
    """
    nothing = Propensities.empty(inputs.sizes())
    horizon = inputs.horizon_days()
    if horizon < MIN_DAYS:
        return LearnedPropensity(nothing, {"method": None, "note": "the history is too short for three windows"})
    if not inputs.begins_early(horizon):
        return LearnedPropensity(nothing, {"method": None, "note": "no account owned anything before three windows"})
    step("learn how likely accounts are to buy")
    windows = learn_windows(inputs, horizon, seed, step)
    first, second, third = (window.examples for window in windows)
    if not is_enough((first, second, third)):
        return LearnedPropensity(nothing, {"method": None, "note": "too few candidates were bought to learn from"})
    verdict = judge(first, second, third, seed)
    now = inputs.snapshot(inputs.split.as_of, horizon)
    candidates = predict_candidates(now, inputs.lists, learn_predictor(second, third, verdict.method), seed)
    rates, of_rates = learn_all_rates(windows, now, inputs.categories, seed)
    snapshots = [*(window.snapshot for window in windows), now]
    step("learn how likely accounts are to buy of a line or category")
    by_line, by_category = (
        learn_groups(snapshots, inputs.interactions, groups, seed) for groups in (inputs.lines, inputs.categories)
    )
    metrics, above = compare(windows[2], verdict, seed)
    described = describe_verdict(verdict, FEATURES) | {
        "horizon_days": horizon,
        "windows": [describe_window(window, inputs.split.zone) for window in windows],
        "average_precision_above": {name: describe(estimate) for name, estimate in above.items()},
        "rest": {"observed_over_expected": describe(of_rates)},
        "line": by_line.described,
        "category": by_category.described,
    }
    tables = {"propensity": metrics, "line_propensity": by_line.metrics, "category_propensity": by_category.metrics}
    propensities = lay_out(inputs.lists, candidates, rates, by_line, by_category, nothing, spend_factors(now))
    return LearnedPropensity(propensities, described, {target: table for target, table in tables.items() if table})


def compare(window: Window, verdict: Verdict, seed: int) -> tuple[dict[str, dict[str, Any]], Mapping[str, Estimate]]:
    """Measure the methods, and score and popularity alone; estimate by how much the chosen one is more precise."""
    examples, products = window.examples, window.listed.products
    popularity = window.popularity[products[products != NO_ROW]]
    alone = {"score": examples.predictions(examples.score), "popularity": examples.predictions(popularity)}
    metrics = {name: describe_metrics(estimates) for name, estimates in verdict.measured.items()}
    metrics |= {name: describe_metrics(measure(predicted, seed), ORDER) for name, predicted in alone.items()}
    others = {verdict.method: verdict.predictions[verdict.method]} | alone
    return metrics, compare_precision(others, verdict.method, seed)


def predict_candidates(now: Snapshot, lists: CandidateLists, predictor: Predictor, seed: int) -> NDArray[np.float32]:
    """Float32 (A, C): how likely every account is to buy its candidates from now on; NaN where there is none."""
    is_pair = lists.products != NO_ROW
    features = learn_features(now)

    def features_of(rows: NDArray[np.int32]) -> NDArray[np.float32]:
        values = features.features_of(rows, lists.products[rows], lists.scores[rows])
        return np.asarray(values[is_pair[rows]], dtype=np.float32)

    listed = np.flatnonzero(is_pair.any(axis=1)).astype(np.int32)
    sample = np.random.default_rng(seed).permutation(listed)[:MAX_SAMPLED]
    scores = lists.scores[sample][is_pair[sample]]
    novelty = now.novelty_rate(is_pair.sum() / max(len(listed), 1))
    adapted = predictor.adapted(features_of(sample), scores, novelty)
    p = np.full(lists.products.shape, np.nan, dtype=np.float32)
    for batch in batches_of(len(p)):
        rows = np.arange(batch.start, batch.stop, dtype=np.int32)
        p[batch][is_pair[batch]] = adapted.predict(features_of(rows), lists.scores[batch][is_pair[batch]])
    return p


def learn_all_rates(windows: Sequence[Window], now: Snapshot, categories: Groups, seed: int) -> tuple[Rates, Estimate]:
    """Learn the rates of products that are no candidates from the last window; measure those of the one before."""
    _, second, third = windows
    then, later = (bought_between(now.past, window.snapshot.as_of, now.horizon_days) for window in (second, third))
    earlier = learn_rates(second.snapshot, second.listed, then, categories.of_product)
    change = third.snapshot.novelty_rate(1).ratio_to(second.snapshot.novelty_rate(1))
    measured = measure_rates(earlier, change, third.snapshot, third.listed, later, seed)
    rates = learn_rates(third.snapshot, third.listed, later, categories.of_product)
    level = now.novelty_rate(1).ratio_to(third.snapshot.novelty_rate(1))
    return Rates(rates.of_product * level, rates.of_category * level, rates.factor), measured


def lay_out(
    lists: CandidateLists,
    candidates: NDArray[np.float32],
    rates: Rates,
    by_line: LearnedGroups,
    by_category: LearnedGroups,
    nothing: Propensities,
    factors: NDArray[np.float32],
) -> Propensities:
    """Lay out the arrays of ``Propensities``."""
    starts, accounts, places = index_targets(lists.products, candidates, len(nothing.rates))
    return Propensities(
        candidates=candidates,
        rates=np.minimum(rates.of_product, MAX_LIKELY).astype(np.float32),
        category_rates=np.minimum(rates.of_category, MAX_LIKELY).astype(np.float32),
        factors=rates.factor.astype(np.float32),
        lines=_or(by_line.likely, nothing.lines),
        categories=_or(by_category.likely, nothing.categories),
        line_averages=_or(by_line.average, nothing.line_averages),
        category_averages=_or(by_category.average, nothing.category_averages),
        line_spend=_or(by_line.spend, nothing.line_spend),
        category_spend=_or(by_category.spend, nothing.category_spend),
        spend_factors=factors,
        target_starts=starts,
        target_accounts=accounts,
        target_places=places,
    )


def _or(learned: NDArray[Any] | None, nothing: NDArray[Any]) -> NDArray[Any]:
    return nothing if learned is None else learned


def describe_metrics(measured: Mapping[str, Estimate], kept: Sequence[str] | None = None) -> dict[str, Any]:
    """Describe metrics for the report. kept: those that are meaningful, all by default; the others are null."""
    unknown = Estimate(float("nan"), float("nan"), float("nan"), 0)
    return {
        name: describe(estimate if kept is None or name in kept else unknown) for name, estimate in measured.items()
    }
