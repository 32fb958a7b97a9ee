"""Which dates of orders are plausible: neither in the future nor decades away from all the others."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Final

FLOOR: Final = datetime(1980, 1, 1, tzinfo=UTC)
"""Dates before it are what programs write in place of a missing one: 1970-01-01, 1900-01-00, 1904-01-01."""
DAYS_AHEAD: Final = 2
"""Clocks and time zones differ by less."""
GAP_YEARS: Final = 10
"""Orders that are parted from the rest by so many years without any order are outliers ..."""
MAX_OUTLIER_SHARE: Final = 0.2
"""... if they are fewer than this share of all."""

Hint = Callable[[str, str], str]
"""From an option's name and value to how the caller gives it."""


@dataclass(frozen=True)
class DateLimits:
    """What the caller accepts: from ``earliest`` on, and before ``before``. None is the default limit."""

    earliest: datetime | None = None
    before: datetime | None = None

    @classmethod
    def of_days(cls, earliest: date | None, latest: date | None) -> "DateLimits":
        """From one day to another, both included."""
        first = datetime.combine(earliest, datetime.min.time(), UTC) if earliest else None
        last = datetime.combine(latest, datetime.max.time(), UTC) if latest else None
        return cls(first, last)


def by_option(name: str, value: str) -> str:
    """How the command line is given a limit."""
    return f"--{name} {value}"


def by_parameter(name: str, value: str) -> str:
    """How a request is given a limit."""
    return f"the parameter {name}={value}"


class PlausibleDates:
    """Judges the dates of one import, batch by batch.

    stored_years: counts the orders by year that are stored; called at most once, and only for old dates.
    hint:         how the caller accepts a date that was refused.
    zone:         of days that messages name.
    """

    def __init__(
        self,
        limits: DateLimits,
        now: datetime,
        stored_years: Callable[[], Mapping[int, int]] = dict,
        hint: Hint = by_option,
        zone: tzinfo = UTC,
    ) -> None:
        self._limits = limits
        self._lowest = limits.earliest or FLOOR.replace(tzinfo=zone)
        self._end = limits.before or now + timedelta(days=DAYS_AHEAD)
        self._now = now
        self._read_stored = stored_years
        self._stored: Mapping[int, int] | None = None
        self._read: Counter[int] = Counter()
        self._hint = hint
        self._zone = zone

    def errors(self, times: Sequence[datetime | None]) -> dict[int, str]:
        """What is wrong with some dates, by index; None is a date that could not be read."""
        given = [time for time in times if time is not None]
        wrong = {time: why for time in set(given) if (why := self.out_of_limits(time))}
        self._read.update(time.year for time in given if time not in wrong)
        early, late = self._outliers()
        for time in {time for time in given if time.year in early | late and time not in wrong}:
            wrong[time] = self._far_off(time, is_early=time.year in early)
        for year in early | late:
            del self._read[year]
        return {index: wrong[time] for index, time in enumerate(times) if time in wrong} if wrong else {}

    def out_of_limits(self, time: datetime) -> str | None:
        """What is wrong with one date by itself, if anything."""
        day = self._day_of(time)
        if time >= self._end:
            when = "after the latest date accepted" if self._limits.before else f"in the future: today is {self._today}"
            return f"is {day}, {when}; correct it, or accept it with {self._hint('latest', day)}"
        if time < self._lowest:
            lowest = self._day_of(self._lowest)
            return f"is {day}, before {lowest}; correct it, or accept it with {self._hint('earliest', day)}"
        return None

    @property
    def _today(self) -> str:
        return self._day_of(self._now)

    def _day_of(self, time: datetime) -> str:
        return time.astimezone(self._zone).date().isoformat()

    def _outliers(self) -> tuple[set[int], set[int]]:
        """The years whose orders are outliers, before and after the rest."""
        years = [year for year, count in self._read.items() if count > 0]
        first: set[int] = set()
        last: set[int] = set()
        if years and self._limits.earliest is None and min(years) < self._now.year - GAP_YEARS:
            first = _outlying_years(self._read + Counter(self._stored_years()))
        if years and self._limits.before is None and max(years) - min(years) > GAP_YEARS:
            last = {-year for year in _outlying_years({-year: count for year, count in self._read.items()})}
        return first, last

    def _stored_years(self) -> Mapping[int, int]:
        if self._stored is None:
            self._stored = self._read_stored()
        return self._stored

    def _far_off(self, time: datetime, *, is_early: bool) -> str:
        day, option = self._day_of(time), "earliest" if is_early else "latest"
        side = "before" if is_early else "after"
        return (
            f"is {day}, more than {GAP_YEARS} years {side} nearly all other orders; correct it, or accept it with "
            f"{self._hint(option, day)}"
        )


def _outlying_years(counts: Mapping[int, int]) -> set[int]:
    """The years before the last gap of so many years that parts fewer than the share of outliers from the rest."""
    years = sorted(year for year, count in counts.items() if count > 0)
    total, before, outlying = sum(max(count, 0) for count in counts.values()), 0, 0
    for place, (year, following) in enumerate(pairwise(years), start=1):
        before += counts[year]
        if following - year > GAP_YEARS and before < MAX_OUTLIER_SHARE * total:
            outlying = place
    return set(years[:outlying])
