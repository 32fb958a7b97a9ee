"""Readers of times and days."""

from datetime import UTC, date, datetime

from service.rows.text_fields import is_blank, shown


def read_timestamp(value: object) -> datetime:
    """An ISO 8601 date or time, a native one, or epoch seconds. What names no offset is UTC."""
    if is_blank(value):
        raise ValueError("is empty")
    time = _parse_time(value)
    try:
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"is out of range: {shown(value)}") from None
    if not 1900 <= time.year < 2200:
        raise ValueError(f"is outside the years 1900 to 2199: {time.isoformat()}")
    return time


def read_day(value: object) -> date:
    """The UTC day of a time."""
    return read_timestamp(value).date()


def _parse_time(value: object) -> datetime:
    if isinstance(value, str):
        return _parse_time_text(value.strip())
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_epoch(value)
    raise ValueError(f"must be an ISO 8601 date or time, or epoch seconds, not {shown(value)}")


def _parse_time_text(text: str) -> datetime:
    # Nine or ten digits are epoch seconds (1973 to 2286); eight are a date without its dashes.
    if text.isascii() and text.isdigit() and len(text) != 8:
        if len(text) in (9, 10):
            return _from_epoch(int(text))
        raise ValueError(f"is not an ISO 8601 date or time, nor epoch seconds: {shown(text)}")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"is not an ISO 8601 date or time, such as 2017-03-31T09:30:00Z: {shown(text)}") from None


def _from_epoch(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, ValueError, OSError):
        raise ValueError(f"is out of range for epoch seconds: {seconds}") from None
