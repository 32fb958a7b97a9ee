"""Readers of times and days."""

from datetime import UTC, date, datetime

from service.rows.dates import NOT_A_DATE, number_of, parse_written
from service.rows.text_fields import is_blank, shown
from service.rows.value_formats import REQUEST_FORMAT, FieldFormat


def read_timestamp(value: object, written: FieldFormat = REQUEST_FORMAT) -> datetime:
    """A date or time in UTC. In requests: ISO 8601, or a number that can only be a time, such as epoch seconds."""
    time = _parse(value, written)
    try:
        time = (time.replace(tzinfo=written.date.zone) if time.tzinfo is None else time).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"is out of range: {shown(value)}") from None
    if not 1900 <= time.year < 2200:
        raise ValueError(f"is outside the years 1900 to 2199: {time.isoformat()}; correct it")
    return time


def read_day(value: object, written: FieldFormat = REQUEST_FORMAT) -> date:
    """The day of a time, in the zone that times without an offset are of."""
    time = _parse(value, written)
    read_timestamp(time, written)
    return (time if time.tzinfo is None else time.astimezone(written.date.zone)).date()


def _parse(value: object, written: FieldFormat) -> datetime:
    if is_blank(value):
        raise ValueError("is empty")
    if isinstance(value, str) and not written.is_from_file and number_of(value.strip()) is None:
        return _parse_iso(value.strip())
    return written.date.parse(value)


def _parse_iso(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        if text[:4].isdecimal():
            return parse_written(text, None)
        raise ValueError(f"{NOT_A_DATE}: {shown(text)}") from None
