"""Days of a time zone in SQL: which local day an order is of."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Integer, case, cast, func, literal

from service.base.clock import as_date
from service.base.time_zones import find_zone
from service.orders.tables import Order
from service.readmodel.goals import EPOCH_ORDINAL

_DAY_SECONDS = 86_400


class EqualDays(NamedTuple):
    """Days in a row that all last 24 hours, or a single day that does not. begin, end: epoch seconds."""

    first_day: int
    begin: int
    end: int


def day_start(day: int, timezone: str) -> datetime:
    """Return the instant at which a day of a time zone begins. day: since 1970."""
    return datetime.combine(as_date(day), time.min, find_zone(timezone)).astimezone(UTC)


def days_since_epoch(day: date) -> int:
    """Return the number of a day since 1970."""
    return day.toordinal() - EPOCH_ORDINAL


def equal_days(first_day: int, end_day: int, timezone: str) -> list[EqualDays]:
    """Split the days of a time zone where a clock was changed."""
    starts = [int(day_start(day, timezone).timestamp()) for day in range(first_day, end_day + 1)]
    parts: list[EqualDays] = []
    for place, (begin, end) in enumerate(pairwise(starts)):
        is_usual = end - begin == _DAY_SECONDS
        last = parts[-1] if parts else None
        if is_usual and last is not None and (last.end - last.begin) % _DAY_SECONDS == 0:
            parts[-1] = last._replace(end=end)
        else:
            parts.append(EqualDays(first_day + place, begin, end))
    return parts


def order_day(connection: Connection, first_day: int, end_day: int, timezone: str) -> Any:
    """Return an expression of the day of an order between two days, since 1970 in a time zone."""
    if connection.dialect.name == "sqlite":
        second: Any = cast(func.strftime("%s", Order.ordered_at), Integer)
    else:
        second = cast(func.floor(func.extract("epoch", Order.ordered_at)), BigInteger)
    # Times are compared as they are stored: SQLite would convert one anew for each branch.
    branches = [
        (
            Order.ordered_at < datetime.fromtimestamp(part.end, UTC),
            literal(part.first_day) + (second - part.begin) // _DAY_SECONDS
            if (part.end - part.begin) % _DAY_SECONDS == 0
            else literal(part.first_day),
        )
        for part in equal_days(first_day, end_day, timezone)
    ]
    return case(*branches)


def days_of_hours(hours: Iterable[str], timezone: str) -> set[int]:
    """Return the days, since 1970 in a time zone, that some hours of UTC are of. An hour may be of two."""
    zone, days = find_zone(timezone), set()
    for hour in hours:
        begin = datetime.fromisoformat(f"{hour}:00:00+00:00")
        for instant in (begin, begin + timedelta(minutes=59, seconds=59, microseconds=999_999)):
            days.add(days_since_epoch(instant.astimezone(zone).date()))
    return days
