"""Time zones by their IANA names, and their days."""

from datetime import UTC, date, datetime, time, tzinfo
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field

from service.base.clock import EPOCH_ORDINAL, as_date

UNKNOWN_ZONE: Final = "there is no such time zone; write one such as Europe/Berlin or America/New_York"
DayZoneName = Annotated[
    str, Field(description="IANA name of the time zone that days are of: that of the training.", examples=["UTC"])
]


def find_zone(name: str) -> tzinfo:
    """Return a time zone by its name; raises ValueError for an unknown one."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(UNKNOWN_ZONE) from None


def days_since_epoch(day: date) -> int:
    """Return the number of a day since 1970."""
    return day.toordinal() - EPOCH_ORDINAL


def day_of(instant: datetime, zone: tzinfo) -> int:
    """Return the day of a time zone on which an instant is. Days are counted since 1970."""
    return days_since_epoch(instant.astimezone(zone))


def day_start(day: int, timezone: str) -> datetime:
    """Return the instant at which a day of a time zone begins. day: since 1970."""
    return datetime.combine(as_date(day), time.min, find_zone(timezone)).astimezone(UTC)
