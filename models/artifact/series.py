"""What accounts bought, period by period: at training for all segments, in the service for those that people define."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact.activity import Activity
from models.artifact.segments import COUNTS

_UNITS = {"week": "datetime64[W]", "month": "datetime64[M]", "quarter": "datetime64[M]", "year": "datetime64[Y]"}
_FIRST_MONDAY = 4
"""Days from 1970-01-01, a Thursday, to the Monday after it."""


def interval_starts(first_day: int, as_of_day: int, interval: str) -> NDArray[np.int32]:
    """Return int32 (P,): the first days of the intervals from ``first_day`` up to the day before ``as_of_day``.

    Weeks begin on Mondays (ISO 8601); days are counted from 1970-01-01.
    """
    ends = np.array([first_day, max(as_of_day - 1, first_day)], dtype=np.int64)
    if interval == "week":
        low, high = (ends - _FIRST_MONDAY) // 7
        return (np.arange(low, high + 1) * 7 + _FIRST_MONDAY).astype(np.int32)
    low, high = ends.astype("datetime64[D]").astype(_UNITS[interval]).astype(np.int64)
    step = 3 if interval == "quarter" else 1
    periods = np.arange(low // step, high // step + 1) * step
    return periods.astype(_UNITS[interval]).astype("datetime64[D]").astype(np.int32)


@dataclass(frozen=True)
class Periods:
    """M pairs of an account and a period in which it bought or gave back, ascending in both.

    account: int32 (M,). period: int64 (M,), below n_periods.
    counts:  float64 (5, M), see COUNTS: whole numbers, as bincount wants its weights.
    """

    account: NDArray[np.int32]
    period: NDArray[np.int64]
    counts: NDArray[np.float64]
    n_periods: int

    def count(self, codes: NDArray[np.int16], n_segments: int) -> NDArray[np.int64]:
        """Sum up the accounts of each segment; see ``measure_series``."""
        code = codes[self.account].astype(np.int64)
        is_in = slice(None) if (code >= 0).all() else code >= 0
        key, size = (code * self.n_periods + self.period)[is_in], n_segments * self.n_periods
        sums = [np.bincount(key, weights=values[is_in], minlength=size) for values in self.counts]
        return np.stack(sums, axis=1).round().astype(np.int64).reshape(n_segments, self.n_periods, len(COUNTS))


def sum_by_period(activity: Activity, starts: NDArray[np.int32]) -> Periods:
    """Sum up each account's days by period. starts: see ``measure_series``."""
    n_periods = len(starts)
    if not len(activity.day):
        return Periods(np.empty(0, np.int32), np.empty(0, np.int64), np.empty((len(COUNTS), 0)), n_periods)
    owner, first = activity.owner(), int(activity.day.min())
    # Looked up by day: searching for each of many days takes ten times as long.
    of_day = starts.searchsorted(np.arange(first, int(activity.day.max()) + 1), side="right") - 1
    period = of_day[activity.day - first]
    is_new = np.ones(len(owner), dtype=np.bool_)
    is_new[1:] = (owner[1:] != owner[:-1]) | (period[1:] != period[:-1])
    begins = np.flatnonzero(is_new)
    owner, period = owner[begins], period[begins]
    counts = np.empty((len(COUNTS), len(begins)))
    columns: tuple[NDArray[Any], ...] = (activity.orders, activity.spend_minor, activity.margin_minor)
    for row, values in enumerate(columns, 1):
        counts[row] = np.add.reduceat(values, begins, dtype=np.int64)
    active = counts[1] > 0
    counts[0], counts[4] = active, False
    counts[4, 1:] = active[1:] & active[:-1] & (owner[1:] == owner[:-1]) & (period[1:] == period[:-1] + 1)
    return Periods(owner, period, counts, n_periods)


def measure_series(
    activity: Activity, codes: NDArray[np.int16], n_segments: int, starts: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Count, over intervals, what the accounts of each segment bought.

    codes:  int16 (A,), each account's segment now, below n_segments; negative for one that is in none.
    starts: int32 (P,), ascending, the first not after the first day of the activity.
    Returns int64 (n_segments, P, 5), see COUNTS.
    """
    return sum_by_period(activity, starts).count(codes, n_segments)
