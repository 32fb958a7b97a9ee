"""Time zones by their IANA names."""

from datetime import UTC, tzinfo
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field

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
