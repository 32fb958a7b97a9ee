"""Columns of tables for people: each declares once how a value is read, and how files write it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, Final

import orjson

from service.base.money import exponent_of
from service.rows.formulas import harmless

Row = Mapping[str, Any]
"""One row of a table: an item of a list."""
Cell = str | int | float | Decimal | bool | date | None
"""What a file holds: text that is no formula, or a value of its own type."""

NARROW: Final = 12
USUAL: Final = 18
WIDE: Final = 30
TEXT_WIDTH: Final = 60
"""Widths in characters. Text is wrapped from ``WIDE`` on."""


class Kind(StrEnum):
    """What a column holds, which decides how spreadsheets format it."""

    TEXT = "text"
    WHOLE = "whole"
    NUMBER = "number"
    SHARE = "share"
    MONEY = "money"
    DAY = "day"
    TIME = "time"
    FLAG = "flag"


@dataclass(frozen=True)
class Column:
    """One column of a table.

    key:          of the value in a row; the column's name if it is empty.
    currency_key: of the currency of an amount, which is in minor units in the row and in major units in a file.
    """

    name: str
    kind: Kind = Kind.TEXT
    key: str = ""
    width: int = USUAL
    currency_key: str = "currency"

    def currency_of(self, row: Row) -> str | None:
        """Return the currency of an amount."""
        currency: str | None = row.get(self.currency_key)
        return currency

    def cell_of(self, row: Row) -> Cell:
        """Return the value of a row in its own type; None where there is none."""
        value = row.get(self.key or self.name)
        if value is None:
            return None
        match self.kind:
            case Kind.MONEY:
                return Decimal(value).scaleb(-exponent_of(self.currency_of(row)))
            case Kind.TEXT:
                return harmless(_text_of(value))
            case Kind.TIME:
                return _time_of(value)
            case Kind.DAY:
                return date.fromisoformat(value) if isinstance(value, str) else date(*value.timetuple()[:3])
            case _:
                cell: Cell = value
                return cell


def money(name: str, key: str = "", currency_key: str = "currency") -> Column:
    """Declare an amount. key: ``<name>_minor`` if it is left out."""
    return Column(name, Kind.MONEY, key or f"{name}_minor", USUAL, currency_key)


def share(name: str, key: str = "") -> Column:
    """Declare a fraction of one."""
    return Column(name, Kind.SHARE, key, NARROW)


def whole(name: str, key: str = "") -> Column:
    """Declare a whole number."""
    return Column(name, Kind.WHOLE, key, NARROW)


def number(name: str, key: str = "") -> Column:
    """Declare a number."""
    return Column(name, Kind.NUMBER, key, NARROW)


def day(name: str, key: str = "") -> Column:
    """Declare a date."""
    return Column(name, Kind.DAY, key, NARROW)


def time(name: str, key: str = "") -> Column:
    """Declare a point in time, in UTC."""
    return Column(name, Kind.TIME, key, USUAL)


def flag(name: str, key: str = "") -> Column:
    """Declare a truth value."""
    return Column(name, Kind.FLAG, key, NARROW)


def text(name: str, key: str = "", width: int = USUAL) -> Column:
    """Declare a text."""
    return Column(name, Kind.TEXT, key, width)


CURRENCY: Final = Column("currency", width=NARROW)


def _text_of(value: object) -> str:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, Mapping):
        return orjson.dumps(value).decode() if value else ""
    return "; ".join(map(_text_of, value)) if isinstance(value, list | tuple) else str(value)


def _time_of(value: str | datetime) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
