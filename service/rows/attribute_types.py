"""Types of attributes that a file writes as text: what a whole column shows, or what the caller says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from service.rows.chunks import RowError
from service.rows.numbers import parse_number
from service.rows.options import AttributeType
from service.rows.text_fields import EXACT_FLOAT, shown
from service.rows.time_fields import read_timestamp
from service.rows.value_formats import FieldFormat

_BOOLEANS: Final = {"true": True, "yes": True, "false": False, "no": False}
_INFERRED: Final[tuple[AttributeType, ...]] = ("boolean", "number", "date")
_MAX_EXCEPTIONS_SHARE: Final = 0.1
_MAX_REMEMBERED: Final = 100_000


@dataclass
class _Column:
    """What the texts of one attribute have shown. misses: of each type, how many values it does not fit."""

    n: int = 0
    misses: dict[AttributeType, int] = field(default_factory=lambda: dict.fromkeys(_INFERRED, 0))
    exceptions: dict[AttributeType, str] = field(default_factory=dict)

    @property
    def inferred(self) -> AttributeType:
        return next((kind for kind in _INFERRED if self.n and not self.misses[kind]), "text")

    @property
    def nearly(self) -> AttributeType | None:
        """The type that all but a few values have, where those make it text."""
        if self.inferred != "text":
            return None
        return next((kind for kind in _INFERRED if 0 < self.misses[kind] <= self.n * _MAX_EXCEPTIONS_SHARE), None)


class AttributeTypes:
    """Learns the types of attributes from the texts of a file, and converts them.

    given:   the types that the caller says; values that do not fit are errors of their rows.
    written: how the file writes numbers and dates.
    """

    def __init__(self, names: Sequence[str], given: Mapping[str, AttributeType], written: FieldFormat) -> None:
        self._given = {name: kind for name, kind in given.items() if name in names}
        self._written = written
        self._columns = {name: _Column() for name in names if name not in given}
        self._misfits: dict[str, tuple[AttributeType, ...]] = {}

    def check(self, attributes: Mapping[str, Any]) -> tuple[RowError, ...]:
        """Learn from the attributes of one row; return the errors of those that do not fit their given type."""
        row_errors = []
        for name, value in attributes.items():
            if not isinstance(value, str):
                continue
            if name in self._given:
                try:
                    self._convert(value, self._given[name])
                except ValueError as error:
                    row_errors.append(RowError(f"attributes.{name}", str(error)))
            elif name in self._columns:
                self._learn(self._columns[name], value)
        return tuple(row_errors)

    def converted(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """The attributes of one row, with their types."""
        return {
            name: self._convert(value, self.type_of(name)) if isinstance(value, str) else value
            for name, value in attributes.items()
        }

    def type_of(self, name: str) -> AttributeType:
        """The type of an attribute."""
        if name in self._given:
            return self._given[name]
        return self._columns[name].inferred if name in self._columns else "text"

    def notes(self) -> list[str]:
        """What the types are, and which of them a few values have prevented."""
        names = [*self._given, *(name for name, column in self._columns.items() if column.n)]
        notes = [f"attributes: {', '.join(f'{name} {self.type_of(name)}' for name in names)}"] if names else []
        for name, column in self._columns.items():
            if kind := column.nearly:
                notes.append(
                    f"WARNING: attribute {name} is read as text, since {column.misses[kind]:,} of {column.n:,} values "
                    f"are no {kind}, such as {shown(column.exceptions[kind])}. Correct them, or refuse their "
                    f"rows: --attribute-type {name}={kind}"
                )
        return notes

    def _learn(self, column: _Column, value: str) -> None:
        column.n += 1
        for kind in self._misfits_of(value):
            column.misses[kind] += 1
            column.exceptions.setdefault(kind, value)

    def _misfits_of(self, value: str) -> tuple[AttributeType, ...]:
        """The types that a text does not fit: each distinct one is judged once, since files repeat theirs."""
        misfits = self._misfits.get(value)
        if misfits is None:
            if len(self._misfits) >= _MAX_REMEMBERED:
                self._misfits.clear()
            misfits = self._misfits[value] = tuple(kind for kind in _INFERRED if not self._fits(value, kind))
        return misfits

    def _fits(self, value: str, kind: AttributeType) -> bool:
        if kind == "number" and _is_code(value):
            return False
        if kind == "date" and (len(value) < 10 or value[4:5] != "-"):
            return False
        try:
            self._convert(value, kind)
        except ValueError:
            return False
        return True

    def _convert(self, value: str, kind: AttributeType) -> Any:
        if kind == "boolean":
            if value.strip().casefold() not in _BOOLEANS:
                raise ValueError(f"must be true, false, yes or no, not {shown(value)}")
            return _BOOLEANS[value.strip().casefold()]
        if kind == "number":
            return self._number(value)
        return self._date(value) if kind == "date" else value

    def _number(self, value: str) -> int | float:
        number = parse_number(value, self._written.decimal)
        if number is None or not number.is_finite() or abs(number) > EXACT_FLOAT:
            raise ValueError(f"is not a number: {shown(value)}")
        return int(number) if number == number.to_integral_value() and number == Decimal(int(number)) else float(number)

    def _date(self, value: str) -> str:
        time: datetime = read_timestamp(value, self._written)
        is_day = ":" not in value and time.astimezone(self._written.date.zone).time().isoformat() == "00:00:00"
        return time.astimezone(self._written.date.zone).date().isoformat() if is_day else time.isoformat()


def _is_code(value: str) -> bool:
    """Whether digits are a code, such as a postal code or a telephone number, that a number would spoil."""
    text = value.strip().lstrip("-")
    return text.startswith("+") or (len(text) > 1 and text[0] == "0" and text[1].isdigit()) or "e" in text.casefold()
