"""Learn how likely accounts are to buy anything of a line or a category: three windows, a gate, and predictions."""

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
from models.propensity.snapshot import N_SEGMENTS, Snapshot
from models.ranking.weights import look_up
from models.report import describe

POSSIBLE = (float(np.finfo(np.float16).smallest_subnormal), 1 - float(np.finfo(np.float16).epsneg))
"""Bounds that keep probabilities off 0 and 1 in half precision."""


@dataclass(frozen=True)
class LearnedGroups:
    """Propensities of one kind of group, see ``Propensities``.

    likely: float16 (A, G). average: float32 (G,). spend: float32 (G, 2). None where nothing was learned.
    """

    described: dict[str, Any]
    likely: NDArray[np.float16] | None = None
    average: NDArray[np.float32] | None = None
    spend: NDArray[np.float32] | None = None
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class GroupWindow:
    """Examples of one snapshot with outcomes. group: int64 (n,), of each example. spent: float64 (n,), minor units;
    NaN where it is not known in the reporting currency.

    factors: float32 (A,), see ``spend_factors``. spend: float32 (G, 2), see ``usual_spend``.
    """

    examples: Examples
    group: NDArray[np.int64]
    spent: NDArray[np.float64]
    factors: NDArray[np.float32]
    spend: NDArray[np.float32]


def learn_groups(snapshots: Sequence[Snapshot], interactions: Interactions, groups: Groups, seed: int) -> LearnedGroups:
    """Learn how likely accounts are to buy anything of groups that they own nothing of.

    snapshots: three in the past, at least a horizon apart, and now. The gate is that of candidates; bins are of the
    number of a group's owners.
    """
    n_groups = len(groups)
    if not n_groups or n_groups > MAX_GROUPS or n_groups * interactions.n_accounts > MAX_CELLS:
        return LearnedGroups({"method": None, "note": "there are none, or too many to keep them for every account"})
    windows = [_window(snapshot, interactions, groups, seed) for snapshot in snapshots[:-1]]
    first, second, third = (window.examples for window in windows)
    if not is_enough((first, second, third)):
        return LearnedGroups({"method": None, "note": "too few accounts bought of any for the first time"})
    verdict = judge(first, second, third, seed)
    p = verdict.predictions[verdict.method].p
    described = describe_verdict(verdict, FEATURES) | {
        "spend_observed_over_expected": describe(_measure_spend(windows[1], windows[2], p, seed))
    }
    metrics = {
        name: {metric: describe(estimate) for metric, estimate in metrics.items()}
        for name, metrics in verdict.measured.items()
    }
    now = GroupFeatures(snapshots[-1], groups.of_product, len(groups))
    likely, average = _likely(now, learn_predictor(second, third, verdict.method), seed)
    return LearnedGroups(described, likely, average, windows[2].spend, metrics)


def _window(snapshot: Snapshot, interactions: Interactions, groups: Groups, seed: int) -> GroupWindow:
    features = GroupFeatures(snapshot, groups.of_product, len(groups))
    begin, horizon = snapshot.as_of, snapshot.horizon_days
    bought = grouped(bought_between(interactions, begin, horizon), groups.of_product, len(groups))
    examples, group = group_examples(features, bought, seed)
    all_spent = spend_between(interactions, groups.of_product, len(groups), begin, horizon)
    account, column = examples.account.astype(np.int32), group.astype(np.int32)
    spent = look_up(all_spent, account[:, None], column[:, None])[:, 0].astype(np.float64)
    spent[~examples.is_true] = 0
    factors = spend_factors(snapshot)
    spend = usual_spend(examples, group, spent / factors[examples.account], len(groups))
    return GroupWindow(examples, group, spent, factors, spend)


def _measure_spend(before: GroupWindow, window: GroupWindow, p: NDArray[np.float64], seed: int) -> Estimate:
    """Estimate what accounts spent on new groups over what was expected, from the spend of the window before."""
    is_known = np.isfinite(window.spent)
    account, spent = window.examples.account[is_known], window.spent[is_known]
    expected = p[is_known] * before.spend[window.group[is_known], 0] * window.factors[account]
    _, place = np.unique(account, return_inverse=True)
    above, below = (np.bincount(place, weights=amounts).astype(np.float64) for amounts in (spent, expected))
    return estimate_ratio(above, below, seed)


def _likely(now: GroupFeatures, predictor: Predictor, seed: int) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Float16 (A, G), NaN where an account owns something; and float32 (G,), of the average account that owns nothing.

    An account that never bought counts as an average one. For a group of which all own something, the average is what
    would be predicted for all if they did not.
    """
    n_accounts = now.snapshot.past.n_accounts
    sample = sample_of(now, seed)
    is_open, features = now.is_open(sample), now.features_of(sample)
    examples, per_account = features[is_open], is_open.sum() / max(len(sample), 1)
    adapted = predictor.adapted(examples, examples[:, OWNERS], now.novelty_rate(per_account))

    def predict(features: NDArray[np.float32]) -> NDArray[np.float32]:
        flat = features.reshape(-1, len(FEATURES))
        return adapted.predict(flat, flat[:, OWNERS]).reshape(-1, now.n_groups)

    counts = (is_open | ~is_open.any(axis=0)).astype(np.float64)
    average = np.asarray((predict(features) * counts).sum(axis=0) / counts.sum(axis=0), dtype=np.float32)
    likely = np.empty((n_accounts, now.n_groups), dtype=np.float16)
    for batch in batches_of(n_accounts):
        rows = np.arange(batch.start, batch.stop, dtype=np.int32)
        p = predict(now.features_of(rows))
        p[now.snapshot.segment[rows] == N_SEGMENTS] = average
        likely[batch] = np.where(now.is_open(rows), np.clip(p, *POSSIBLE), np.nan)
    return likely, average
