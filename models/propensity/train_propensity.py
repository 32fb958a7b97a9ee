"""From a sales history to calibrated probabilities: fit on one window, calibrate on the next, report on a third.

All three are later than what the features know. What is published is fitted and calibrated a window later than what
was reported, on the newest data there is; the report is of the procedure, on a period that it had not seen.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW, Groups, Products, Propensities
from models.artifact.dimensions import ACCOUNTS, CANDIDATES, CATEGORIES, LINES, PRODUCTS
from models.artifact.sections import Dimension
from models.candidates import CandidateLists
from models.data.accounts import AccountFacts
from models.data.interactions import Interactions, owned_matrix
from models.data.split import DAY_SECONDS, Split, as_text
from models.evaluate.calibration import Predictions, compare_precision, describe_examples, measure
from models.evaluate.intervals import Estimate
from models.propensity.calibration import (
    Examples,
    Predictor,
    Verdict,
    describe_verdict,
    is_enough,
    judge,
    learn_predictor,
)
from models.propensity.examples import Listed, batches_of, bought_between, examples_at, list_at
from models.propensity.features import FEATURES, learn_features
from models.propensity.groups import spend_factors
from models.propensity.rates import Rates, learn_rates, measure_rates
from models.propensity.snapshot import Moment
from models.propensity.targets import index_targets
from models.propensity.train_groups import LearnedGroups, learn_groups
from models.ranking.blend import BlendScorer
from models.ranking.fit import FittedRankers, fit_rankers
from models.ranking.settings import BlendWeights
from models.report import describe

MIN_DAYS = 2.0
MAX_SAMPLED = 5_000
MAX_LIKELY = 1 - 1e-6
ORDER = ("auc", "average_precision", "top_tenth_lift")
"""Metrics of a mere score, which has an order but no level."""

Step = Callable[[str], None]


@dataclass(frozen=True)
class Learned:
    """What training has learned so far. lists: as of ``split.as_of``.

    rankers: as they were at the beginning of the validation window, and of the held-out one.
    """

    interactions: Interactions
    products: Products
    facts: AccountFacts
    split: Split
    rankers: tuple[FittedRankers, FittedRankers]
    weights: BlendWeights
    lists: CandidateLists
    lines: Groups
    categories: Groups

    def sizes(self) -> dict[Dimension, int]:
        """The dimensions of ``Propensities``."""
        n_accounts, n_candidates = self.lists.products.shape
        return {
            ACCOUNTS: n_accounts,
            CANDIDATES: n_candidates,
            PRODUCTS: len(self.products.ids),
            LINES: len(self.lines),
            CATEGORIES: len(self.categories),
        }

    def moment(self, as_of: int, horizon_days: float) -> Moment:
        """Cut the history off."""
        past = self.interactions.select(self.interactions.time < as_of)
        return Moment(past, self.products, self.facts, as_of, horizon_days)

    def horizon_days(self) -> float:
        """How far ahead can be foretold: the report's horizon, or half of what there is before its windows."""
        if not self.split.is_by_time:
            return 0.0
        horizon = (self.split.as_of - self.split.holdout_start) / DAY_SECONDS
        known = (self.split.validation_start - int(self.interactions.time.min())) / DAY_SECONDS
        return min(horizon, known // 2)

    def first_moment(self, horizon_days: float) -> int:
        """When the first of three windows begins."""
        return self.split.validation_start - round(horizon_days * DAY_SECONDS)

    def begins_early(self, horizon_days: float) -> bool:
        """Tell whether there are accounts to learn of when the first window begins."""
        return bool(owned_matrix(self.moment(self.first_moment(horizon_days), horizon_days).past).nnz)


@dataclass(frozen=True)
class Window:
    """One moment, its candidates, and what became of them within the horizon. popularity: float32 (P,), then."""

    moment: Moment
    listed: Listed
    examples: Examples
    popularity: NDArray[np.float32]


@dataclass(frozen=True)
class LearnedPropensity:
    """What goes into the artifact, into the report's own section, and into its tables of metrics."""

    propensities: Propensities
    described: dict[str, Any]
    metrics: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)


def learn_propensity(learned: Learned, seed: int, step: Step) -> LearnedPropensity:
    """Learn how likely accounts are to buy their candidates, anything else, and anything of a line or category.

    Nothing is learned, and the report says why, where the history is too short for three windows or too few bought.
    """
    nothing = Propensities.empty(learned.sizes())
    horizon = learned.horizon_days()
    if horizon < MIN_DAYS:
        return LearnedPropensity(nothing, {"method": None, "note": "the history is too short for three windows"})
    if not learned.begins_early(horizon):
        return LearnedPropensity(nothing, {"method": None, "note": "no account owned anything before three windows"})
    step("learn how likely accounts are to buy")
    windows = learn_windows(learned, horizon, seed, step)
    first, second, third = (window.examples for window in windows)
    if not is_enough((first, second, third)):
        return LearnedPropensity(nothing, {"method": None, "note": "too few candidates were bought to learn from"})
    verdict = judge(first, second, third, seed)
    now = learned.moment(learned.split.as_of, horizon)
    candidates = foretell(now, learned.lists, learn_predictor(second, third, verdict.method), seed)
    rates, of_rates = learn_all_rates(windows, now, learned.categories, seed)
    moments = [*(window.moment for window in windows), now]
    step("learn how likely accounts are to buy of a line or category")
    by_line, by_category = (
        learn_groups(moments, learned.interactions, groups, seed) for groups in (learned.lines, learned.categories)
    )
    metrics, above = compare(windows[2], verdict, seed)
    described = describe_verdict(verdict, FEATURES) | {
        "horizon_days": horizon,
        "windows": [describe_window(window) for window in windows],
        "average_precision_above": {name: describe(estimate) for name, estimate in above.items()},
        "rest": {"observed_over_expected": describe(of_rates)},
        "line": by_line.described,
        "category": by_category.described,
    }
    tables = {"propensity": metrics, "line_propensity": by_line.metrics, "category_propensity": by_category.metrics}
    propensities = lay_out(learned.lists, candidates, rates, by_line, by_category, nothing, spend_factors(now))
    return LearnedPropensity(propensities, described, {target: of for target, of in tables.items() if of})


def learn_windows(learned: Learned, horizon: float, seed: int, step: Step) -> list[Window]:
    """Describe the candidates of three moments, each as it was then, and what was bought of them."""
    split, interactions = learned.split, learned.interactions
    early = learned.first_moment(horizon)
    before = interactions.select(interactions.time < early)
    rankers = (fit_rankers(before, early, learned.rankers[0].parameters, step), *learned.rankers)
    windows = []
    for start, ranker in zip((early, split.validation_start, split.holdout_start), rankers, strict=True):
        moment = learned.moment(start, horizon)
        listed = list_at(moment, BlendScorer(ranker, learned.weights), seed)
        examples = examples_at(moment, listed, bought_between(interactions, start, horizon))
        windows.append(Window(moment, listed, examples, ranker.popularity.popularity))
    return windows


def compare(window: Window, verdict: Verdict, seed: int) -> tuple[dict[str, dict[str, Any]], Mapping[str, Estimate]]:
    """Measure the methods beside score and popularity alone, and how far the chosen one's precision is above."""
    examples, products = window.examples, window.listed.products
    popularity = window.popularity[products[products != NO_ROW]]
    alone = {"score": examples.foretold(examples.score), "popularity": examples.foretold(popularity)}
    metrics = {name: describe_metrics(of) for name, of in verdict.measured.items()}
    metrics |= {name: describe_metrics(measure(foretold, seed), ORDER) for name, foretold in alone.items()}
    others = {verdict.method: verdict.told[verdict.method]} | alone
    return metrics, compare_precision(others, verdict.method, seed)


def foretell(now: Moment, lists: CandidateLists, predictor: Predictor, seed: int) -> NDArray[np.float32]:
    """Float32 (A, C): how likely every account is to buy its candidates from now on; NaN where there is none."""
    is_pair = lists.products != NO_ROW
    known = learn_features(now)

    def features_of(rows: NDArray[np.int32]) -> NDArray[np.float32]:
        every = known.of(rows, lists.products[rows], lists.scores[rows])
        return np.asarray(every[is_pair[rows]], dtype=np.float32)

    listed = np.flatnonzero(is_pair.any(axis=1)).astype(np.int32)
    sample = np.random.default_rng(seed).permutation(listed)[:MAX_SAMPLED]
    scores = lists.scores[sample][is_pair[sample]]
    there = predictor.at(features_of(sample), scores, now.tide(is_pair.sum() / max(len(listed), 1)))
    told = np.full(lists.products.shape, np.nan, dtype=np.float32)
    for at in batches_of(len(told)):
        rows = np.arange(at.start, at.stop, dtype=np.int32)
        told[at][is_pair[at]] = there.predict(features_of(rows), lists.scores[at][is_pair[at]])
    return told


def learn_all_rates(windows: Sequence[Window], now: Moment, categories: Groups, seed: int) -> tuple[Rates, Estimate]:
    """Learn the rates of what is no candidate from the last window; tell how good those of the one before it were."""
    _, second, third = windows
    then, later = (bought_between(now.past, window.moment.as_of, now.horizon_days) for window in (second, third))
    earlier = learn_rates(second.moment, second.listed, then, categories.of_product)
    change = third.moment.tide(1).over(second.moment.tide(1))
    measured = measure_rates(earlier, change, third.moment, third.listed, later, seed)
    rates = learn_rates(third.moment, third.listed, later, categories.of_product)
    level = now.tide(1).over(third.moment.tide(1))
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
    """Lay probabilities out as they are looked up."""
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


def _or(found: NDArray[Any] | None, nothing: NDArray[Any]) -> NDArray[Any]:
    return nothing if found is None else found


def describe_window(window: Window) -> dict[str, Any]:
    """When it began, and what it held."""
    examples = window.examples
    found = Predictions(examples.score.astype(np.float64), examples.is_true, examples.account)
    return {"begins": as_text(window.moment.as_of)} | describe_examples(found)


def describe_metrics(measured: Mapping[str, Estimate], told: Sequence[str] | None = None) -> dict[str, Any]:
    """Metrics for the report. told: those that mean something."""
    unknown = Estimate(float("nan"), float("nan"), float("nan"), 0)
    return {
        name: describe(estimate if told is None or name in told else unknown) for name, estimate in measured.items()
    }
