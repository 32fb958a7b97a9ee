"""Options of an import of orders, which training from files shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Final, Literal

from service.rows.dates import DateFormat
from service.rows.errors import InvalidImportOption, no_column
from service.rows.guest_values import DEFAULT_GUEST_VALUES, parse_guest_values
from service.rows.plausible_dates import DateLimits
from service.rows.time_fields import read_timestamp
from service.rows.value_formats import FieldFormat

OnConflict = Literal["refuse", "replace", "keep"]
OrderLines = Literal["replace", "add"]
PERIODS: Final = {"year": 4, "month": 7, "day": 10}
"""Parts of a date that may be part of an order's key, as lengths of its ISO 8601 text."""


@dataclass(frozen=True)
class OrderOptions:
    """How orders are told apart, and what becomes of those that contradict others.

    key:          the file's columns that identify an order together, in place of order_id.
    prefix:       put before each identifier of an order.
    on_conflict:  of an order whose account or day is another than the stored one's: refuse its rows, replace the
                  stored order, or keep it and leave the rows out.
    lines:        whether an order's lines replace those that are stored, or are added to them.
    guest_values: what stands for a guest in the column of accounts, whatever the case.
    """

    key: Sequence[str] = ()
    prefix: str = ""
    on_conflict: OnConflict = "refuse"
    lines: OrderLines = "replace"
    guest_values: Sequence[str] = DEFAULT_GUEST_VALUES
    dates: DateLimits = field(default_factory=DateLimits)


def parse_order_options(
    order_key: str | None = None,
    order_prefix: str | None = None,
    on_conflict: OnConflict | None = None,
    guest_values: str | None = None,
    keep_account_values: bool = False,
    earliest: str | None = None,
    latest: str | None = None,
    zone: tzinfo = UTC,
) -> OrderOptions:
    """The options as the command line gives them; raises InvalidImportOption.

    zone: of the days ``earliest`` and ``latest``.
    """
    if keep_account_values and guest_values:
        raise InvalidImportOption("--keep-account-values and --guest-values contradict each other; give one of them.")
    return OrderOptions(
        key=[name.strip() for name in (order_key or "").split(",") if name.strip()],
        prefix=order_prefix or "",
        on_conflict=on_conflict or "refuse",
        guest_values=parse_guest_values(guest_values, is_kept=keep_account_values),
        dates=DateLimits(_limit("earliest", earliest, zone), _end_of("latest", latest, zone)),
    )


def _limit(name: str, text: str | None, zone: tzinfo) -> datetime | None:
    try:
        written = FieldFormat(date=DateFormat(zone=zone))
        return read_timestamp(text, written).astimezone(zone) if text else None
    except ValueError as error:
        raise InvalidImportOption(f"--{name} {error}.") from error


def _end_of(name: str, text: str | None, zone: tzinfo) -> datetime | None:
    """The first moment after a limit: after the whole day where it is one."""
    limit = _limit(name, text, zone)
    if limit is None:
        return None
    is_day = limit.time() == datetime.min.time()
    return limit + (timedelta(days=1) if is_day else timedelta(microseconds=1))


def check_key(path: Path, options: OrderOptions, names: Sequence[str], columns: Mapping[str, str]) -> None:
    """Raise InvalidImportOption if a part of the key is neither a column of the file nor a field that has one."""
    for part in options.key:
        column, _ = split_period(part, (*names, *columns))
        if column not in names and column not in columns:
            raise InvalidImportOption(f"{path}: --order-key: {no_column(column, names)}")


def key_columns(options: OrderOptions, names: Sequence[str]) -> list[str]:
    """The columns of a file that its orders' key names."""
    return [column for part in options.key if (column := split_period(part, names)[0]) in names]


def split_period(part: str, names: Sequence[str]) -> tuple[str, str]:
    """A part of a key as a column and the part of its date, if any: ``ordered_at:year``."""
    column, _, period = part.rpartition(":")
    return (column, period) if part not in names and column and period in PERIODS else (part, "")
