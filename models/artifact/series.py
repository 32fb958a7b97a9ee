"""Time series of purchases by segment: of built-in segments at training, of defined ones in the service."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.arrays import run_starts
from models.artifact.activity import Activity
from models.artifact.segments import COUNTS

_UNITS = {"week": "datetime64[W]", "month": "datetime64[M]", "quarter": "datetime64[M]", "year": "datetime64[Y]"}
_SUMMED = [COUNTS.index(name) for name in ("orders", "revenue_minor", "margin_minor", "unconverted_orders")]
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


class Calendar:
    """An activity's days, prepared to be counted by segment over several intervals.

    starts: by interval, int32 (P,), ascending, the first not after the first day of the activity.
    """

    def __init__(self, activity: Activity, starts: Mapping[str, NDArray[np.int32]]) -> None:
        self._owner = activity.owner()
        self._first = int(activity.day.min()) if len(activity.day) else 0
        self._n_days = int(activity.day.max()) - self._first + 1 if len(activity.day) else 0
        self._day = activity.day - self._first
        self._sums = (activity.orders, activity.spend_minor, activity.margin_minor, activity.unconverted_orders)
        self._starts = starts
        bought = activity.orders > 0
        owner, day = self._owner[bought], self._day[bought]
        self._visits = {
            interval: _visits(owner, self._periods(firsts)[day], len(firsts)) for interval, firsts in starts.items()
        }

    def count(self, codes: NDArray[np.int16], n_segments: int) -> dict[str, NDArray[np.int64]]:
        """Count, over each interval, what the accounts of each segment bought.

        codes: int16 (A,), each account's segment now, below n_segments; negative for one that is in none.
        Returns int64 (n_segments, P, len(COUNTS)) by interval, see COUNTS.
        """
        by_day = self._sum_by_day(codes, n_segments)
        counts = {}
        for interval, starts in self._starts.items():
            counts[interval] = np.zeros((n_segments, len(starts), len(COUNTS)), dtype=np.int64)
            visits = self._visits[interval]
            counts[interval][:, :, 0], counts[interval][:, :, 4] = visits.count(codes, n_segments)
            if self._n_days:
                period = self._periods(starts)
                begins = np.flatnonzero(run_starts(period))
                counts[interval][:, period[begins][:, None], _SUMMED] = np.add.reduceat(by_day, begins, axis=1)
        return counts

    def _sum_by_day(self, codes: NDArray[np.int16], n_segments: int) -> NDArray[np.int64]:
        """Int64 (n_segments, D, 4): orders, spend, margin and unconverted orders on each day."""
        code = codes[self._owner].astype(np.int64)
        is_in = code >= 0
        key, size = (code * self._n_days + self._day)[is_in], n_segments * self._n_days
        sums = [np.bincount(key, weights=values[is_in], minlength=size) for values in self._sums]
        return np.stack(sums, axis=-1).round().astype(np.int64).reshape(n_segments, self._n_days, len(self._sums))

    def _periods(self, starts: NDArray[np.int32]) -> NDArray[np.int32]:
        """Int32 (D,): the period of each day."""
        days = np.arange(self._first, self._first + self._n_days)
        return (starts.searchsorted(days, side="right") - 1).astype(np.int32)


@dataclass(frozen=True)
class _Visits:
    """M pairs of an account and a period in which it bought, ascending in both.

    account, period: int32 (M,). has_returned: bool (M,), whether it bought in the period before, too.
    """

    account: NDArray[np.int32]
    period: NDArray[np.int32]
    has_returned: NDArray[np.bool_]
    n_periods: int

    def count(self, codes: NDArray[np.int16], n_segments: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Count active and retained accounts, int64 (n_segments, P) each."""
        code = codes[self.account].astype(np.int64)
        is_in, shape = code >= 0, (n_segments, self.n_periods)
        key, size = code * self.n_periods + self.period, n_segments * self.n_periods
        active = np.bincount(key[is_in], minlength=size).reshape(shape)
        return active, np.bincount(key[is_in & self.has_returned], minlength=size).reshape(shape)


def _visits(owner: NDArray[np.int32], period: NDArray[np.int32], n_periods: int) -> _Visits:
    """Find in which periods accounts bought. owner, period: of each day with a purchase, ascending in both."""
    is_new = run_starts(owner, period)
    owner, period = owner[is_new], period[is_new]
    has_returned = np.zeros(len(owner), dtype=np.bool_)
    has_returned[1:] = (owner[1:] == owner[:-1]) & (period[1:] == period[:-1] + 1)
    return _Visits(owner, period, has_returned, n_periods)
