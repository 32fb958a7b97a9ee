"""Read whole columns of plain values at once: what most files hold, many times as fast as value by value.

Each function returns None for a column that holds anything else; the field types then judge its values one by one.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from operator import attrgetter
from typing import Any

from service.rows.text_fields import MAX_IDENTIFIER


def plain_identifiers(values: Sequence[Any]) -> list[str] | None:
    """Printable ASCII text without surrounding white space, which is read as it is."""
    try:
        text = "".join(values)
        is_plain = text.isascii() and text.isprintable() and list(map(str.strip, values)) == values
    except TypeError:
        return None
    lengths = set(map(len, values))
    return list(values) if is_plain and 0 not in lengths and max(lengths, default=0) <= MAX_IDENTIFIER else None


def plain_times(values: Sequence[Any], zone: tzinfo = UTC) -> list[datetime] | None:
    """ISO 8601 text with dashes, in UTC or without any offset.

    zone: of times without an offset.
    """
    try:
        if {value[4] for value in values} != {"-"}:
            return None
        times = list(map(datetime.fromisoformat, values))
    except (TypeError, ValueError, IndexError):
        return None
    if not 1900 <= min(times, key=_year).year <= max(times, key=_year).year < 2200:
        return None
    zones = set(map(attrgetter("tzinfo"), times))
    if zones == {None}:
        if zone is UTC:
            return [time.replace(tzinfo=UTC) for time in times]
        return [time.replace(tzinfo=zone).astimezone(UTC) for time in times]
    return times if zones == {UTC} else None


_year = attrgetter("year")
