"""The clock of the service, and days as the artifact counts them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


def utc_now() -> datetime:
    """The only clock of the service, unless a test injects another."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock as a part of the application. now: returns the current time, UTC."""

    now: Callable[[], datetime]


def as_date(since_epoch: int) -> date:
    """Return the date of so many days since 1970."""
    return date.fromordinal(EPOCH_ORDINAL + since_epoch)
