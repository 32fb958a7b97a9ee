"""The clock of the service, and days as the artifact counts them."""

from datetime import UTC, date, datetime


def utc_now() -> datetime:
    """The only clock of the service, unless a test injects another."""
    return datetime.now(UTC)


def as_date(since_epoch: int) -> date:
    """Return the date of so many days since 1970."""
    return date.fromordinal(date(1970, 1, 1).toordinal() + since_epoch)
