"""For how long a contact counts against a limit."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from service.base.time_zones import find_zone


class CalendarUnit(StrEnum):
    """The periods of a calendar. A week begins on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


LONGEST_DAYS: Final = {
    CalendarUnit.DAY: 1,
    CalendarUnit.WEEK: 7,
    CalendarUnit.MONTH: 31,
    CalendarUnit.QUARTER: 92,
    CalendarUnit.YEAR: 366,
}


@dataclass(frozen=True)
class RollingWindow:
    """A contact counts for a length of time from when it was made."""

    length: timedelta

    @property
    def longest(self) -> timedelta:
        """For how long a contact counts at most."""
        return self.length

    def end_of(self, contacted_at: datetime) -> datetime:
        """Return the first instant at which a contact does not count any more."""
        return contacted_at + self.length

    def begin_at(self, now: datetime) -> datetime:
        """Return an instant before which no contact counts now."""
        return now - self.length


@dataclass(frozen=True)
class CalendarWindow:
    """A contact counts until the end of its period, in a time zone."""

    unit: CalendarUnit
    timezone: str

    @property
    def longest(self) -> timedelta:
        """For how long a contact counts at most."""
        return timedelta(days=LONGEST_DAYS[self.unit])

    def end_of(self, contacted_at: datetime) -> datetime:
        """Return the first instant at which a contact does not count any more."""
        return self._instant(_next_period(self._first_day(contacted_at), self.unit))

    def begin_at(self, now: datetime) -> datetime:
        """Return an instant before which no contact counts now."""
        return self._instant(self._first_day(now))

    def _first_day(self, instant: datetime) -> date:
        return _period_of(instant.astimezone(find_zone(self.timezone)).date(), self.unit)

    def _instant(self, day: date) -> datetime:
        return datetime.combine(day, time.min, find_zone(self.timezone)).astimezone(UTC)


ContactWindow = RollingWindow | CalendarWindow


def _period_of(day: date, unit: CalendarUnit) -> date:
    """Return the first day of the period that a day is in."""
    match unit:
        case CalendarUnit.DAY:
            return day
        case CalendarUnit.WEEK:
            return day - timedelta(days=day.weekday())
        case CalendarUnit.MONTH:
            return day.replace(day=1)
        case CalendarUnit.QUARTER:
            return date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
    return date(day.year, 1, 1)


def _next_period(first_day: date, unit: CalendarUnit) -> date:
    """Return the first day of the period after the one that begins on a day."""
    return _period_of(first_day + timedelta(days=LONGEST_DAYS[unit]), unit)
