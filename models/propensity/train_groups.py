"""How likely accounts are to buy anything of a line or a category: three windows, a gate, and what is likely now."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import Groups
from models.data.interactions import Interactions
from models.evaluate.intervals import Estimate, estimate_ratio
from models.propensity.calibration import Examples, Predictor, describe_verdict, is_enough, judge, learn_predictor
from models.propensity.examples import batches_of, bought_between
from models.propensity.groups import (
    FEATURES,
    MAX_CELLS,
    MAX_GROUPS,
    OWNERS,
    GroupFeatures,
    group_examples,
    grouped,
    sample_of,
    spend_between,
    spend_factors,
    usual_spend,
)
from models.propensity.snapshot import N_SEGMENTS, Moment
from models.ranking.weights import look_up
from models.report import describe

POSSIBLE = (float(np.finfo(np.float16).smallest_subnormal), 1 - float(np.finfo(np.float16).epsneg))
"""What is likely is neither 0 nor 1, in half precision either."""


@dataclass(frozen=True)
class LearnedGroups:
    """likely: float16 (A, G), average: float32 (G,), spend: float32 (G, 2), see ``Propensities``.

    None where nothing was learned.
    """

    described: dict[str, Any]
    likely: NDArray[np.float16] | None = None
    average: NDArray[np.float32] | None = None
    spend: NDArray[np.float32] | None = None
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class GroupWindow:
    """One moment and what became of it. group: int64 (n,), of each example. spent: float64 (n,), on it, minor units.

    factors: float32 (A,), see ``spend_factors``. spend: float32 (G, 2), see ``usual_spend``.
    """

    examples: Examples
    group: NDArray[np.int64]
    spent: NDArray[np.float64]
    factors: NDArray[np.float32]
    spend: NDArray[np.float32]


def learn_groups(moments: Sequence[Moment], interactions: Interactions, groups: Groups, seed: int) -> LearnedGroups:
    """Learn how likely accounts are to buy anything of groups that they own nothing of.

    moments: three in the past, at least a horizon apart, and now. The gate is that of candidates; bins are of the
    number of a group's owners.
    """
    n_groups = len(groups)
    if not n_groups or n_groups > MAX_GROUPS or n_groups * interactions.n_accounts > MAX_CELLS:
        return LearnedGroups({"method": None, "note": "there are none, or too many to keep them for every account"})
    windows = [_window(moment, interactions, groups, seed) for moment in moments[:-1]]
    first, second, third = (window.examples for window in windows)
    if not is_enough((first, second, third)):
        return LearnedGroups({"method": None, "note": "too few accounts bought of any for the first time"})
    verdict = judge(first, second, third, seed)
    told = verdict.told[verdict.method].p
    described = describe_verdict(verdict, FEATURES) | {
        "spend_observed_over_expected": describe(_measure_spend(windows[1], windows[2], told, seed))
    }
    metrics = {name: {key: describe(value) for key, value in of.items()} for name, of in verdict.measured.items()}
    now = GroupFeatures(moments[-1], groups.of_product, len(groups))
    likely, average = _likely(now, learn_predictor(second, third, verdict.method), seed)
    return LearnedGroups(described, likely, average, windows[2].spend, metrics)


def _window(moment: Moment, interactions: Interactions, groups: Groups, seed: int) -> GroupWindow:
    known = GroupFeatures(moment, groups.of_product, len(groups))
    begin, horizon = moment.as_of, moment.horizon_days
    bought = grouped(bought_between(interactions, begin, horizon), groups.of_product, len(groups))
    examples, group = group_examples(known, bought, seed)
    all_spent = spend_between(interactions, groups.of_product, len(groups), begin, horizon)
    account, column = examples.account.astype(np.int32), group.astype(np.int32)
    spent = look_up(all_spent, account[:, None], column[:, None])[:, 0].astype(np.float64) * examples.is_true
    factors = spend_factors(moment)
    spend = usual_spend(examples, group, spent / factors[examples.account], len(groups))
    return GroupWindow(examples, group, spent, factors, spend)


def _measure_spend(before: GroupWindow, window: GroupWindow, p: NDArray[np.float64], seed: int) -> Estimate:
    """Estimate what accounts spent on new groups over what was expected, from the spend of the window before."""
    account = window.examples.account
    expected = p * before.spend[window.group, 0] * window.factors[account]
    _, place = np.unique(account, return_inverse=True)
    above, below = (np.bincount(place, weights=of).astype(np.float64) for of in (window.spent, expected))
    return estimate_ratio(above, below, seed)


def _likely(now: GroupFeatures, predictor: Predictor, seed: int) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Float16 (A, G), NaN where an account owns something; and float32 (G,), of the average account that owns nothing.

    One that never bought is taken for an average one. Of a group that everybody owns something of, the average is what
    would be told of all if they did not.
    """
    n_accounts = now.moment.past.n_accounts
    sample = sample_of(now, seed)
    is_open, features = now.is_open(sample), now.of(sample)
    some, per_account = features[is_open], is_open.sum() / max(len(sample), 1)
    there = predictor.at(some, some[:, OWNERS], now.tide(per_account))

    def foretell(features: NDArray[np.float32]) -> NDArray[np.float32]:
        flat = features.reshape(-1, len(FEATURES))
        return there.predict(flat, flat[:, OWNERS]).reshape(-1, now.n_groups)

    counts = (is_open | ~is_open.any(axis=0)).astype(np.float64)
    average = np.asarray((foretell(features) * counts).sum(axis=0) / counts.sum(axis=0), dtype=np.float32)
    likely = np.empty((n_accounts, now.n_groups), dtype=np.float16)
    for at in batches_of(n_accounts):
        rows = np.arange(at.start, at.stop, dtype=np.int32)
        found = foretell(now.of(rows))
        found[now.moment.segment[rows] == N_SEGMENTS] = average
        likely[at] = np.where(now.is_open(rows), np.clip(found, *POSSIBLE), np.nan)
    return likely, average
