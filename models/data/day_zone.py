"""The time zone of a history's days, and local seconds.

A local second is the epoch second at which a clock that shows UTC would read what the local clock reads. Local days are
then ``local second // DAY_SECONDS`` whatever the zone is.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

_DAY_SECONDS = 86_400
_LONGEST_CHANGE = 2 * _DAY_SECONDS
"""Longer than any offset from UTC, and than any change of one."""


@dataclass(frozen=True)
class DayZone:
    """The time zone of a history's days. name: an IANA name, such as Europe/Berlin."""

    name: str = "UTC"

    def to_local(self, seconds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Convert epoch seconds to local seconds; both int64 (n,).

        Later times never get an earlier local second: when clocks go back, local seconds stay at the last one before
        the change until the clock has caught up.
        """
        if self.name == "UTC" or not len(seconds):
            return seconds
        starts, offsets = self._periods(int(seconds.min()) - _LONGEST_CHANGE, int(seconds.max()))
        period = np.searchsorted(starts, seconds, side="right") - 1
        ends = np.concatenate((starts[:1] + offsets[:1], starts[1:] + offsets[:-1] - 1))
        local: NDArray[np.int64] = np.maximum(seconds + offsets[period], np.maximum.accumulate(ends)[period])
        return local

    def to_local_second(self, second: int) -> int:
        """Convert one epoch second to its local second."""
        return int(self.to_local(np.array([second], dtype=np.int64))[0])

    def to_instant(self, local_second: int) -> int:
        """Return the first epoch second whose local second is not before this one."""
        seconds = np.arange(local_second - _LONGEST_CHANGE, local_second + _LONGEST_CHANGE, dtype=np.int64)
        return int(seconds[np.searchsorted(self.to_local(seconds), local_second)])

    def _periods(self, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return int64 (P,): the periods of one offset from UTC between two times, as their starts and offsets.

        The first one starts at ``first``. Two changes on one day that cancel each other out are not seen.
        """
        zone = ZoneInfo(self.name)
        days = range(first, last + _DAY_SECONDS, _DAY_SECONDS)
        offsets = [_offset(zone, day) for day in days]
        starts, of_period = [first], [offsets[0]]
        for day, before, offset in zip(days, offsets, offsets[1:], strict=False):
            if offset != before:
                starts.append(_first_change(zone, day, day + _DAY_SECONDS, before))
                of_period.append(offset)
        return np.array(starts, dtype=np.int64), np.array(of_period, dtype=np.int64)


UTC_DAYS = DayZone()
"""Days begin at midnight UTC."""


def _offset(zone: ZoneInfo, second: int) -> int:
    offset = datetime.fromtimestamp(second, zone).utcoffset()
    return round(offset.total_seconds()) if offset else 0


def _first_change(zone: ZoneInfo, low: int, high: int, offset: int) -> int:
    """Return the first second after ``low``, and at most ``high``, at which a zone has another offset."""
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle) == offset:
            low = middle
        else:
            high = middle
    return high
