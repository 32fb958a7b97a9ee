"""Days of a time zone in SQL: which local day an order is of."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Integer, case, cast, func, literal

from service.base.time_zones import day_start, days_since_epoch, find_zone
from service.orders.tables import Order

_DAY_SECONDS = 86_400


class EqualDays(NamedTuple):
    """Days in a row that all last 24 hours, or a single day that does not. begin, end: epoch seconds."""

    first_day: int
    begin: int
    end: int


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
