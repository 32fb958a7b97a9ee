"""Types of attributes that a file writes as text: what a whole column shows, or what the caller says."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from service.rows.attribute_evidence import ColumnEvidence, TextEvidence, convert, evidence_of
from service.rows.chunks import RowError
from service.rows.options import AttributeType
from service.rows.value_formats import FieldFormat

_MAX_REMEMBERED: Final = 100_000


class AttributeTypes:
    """Learns the types of attributes from the texts of a file, and converts them.

    given:   the types that the caller says; values that do not fit are errors of their rows.
    written: how the file writes numbers and dates; a column may show that it is written otherwise.
    """

    def __init__(self, names: Sequence[str], given: Mapping[str, AttributeType], written: FieldFormat) -> None:
        self._given = {name: kind for name, kind in given.items() if name in names}
        self._written = written
        self._columns = {name: ColumnEvidence() for name in names}
        self._evidence: dict[str, TextEvidence] = {}
        self._decided: dict[str, tuple[AttributeType, FieldFormat]] = {}

    def check(self, attributes: Mapping[str, Any]) -> tuple[RowError, ...]:
        """Learn from the attributes of one row; return the errors of those that do not fit their given type."""
        row_errors = []
        self._decided.clear()
        for name, value in attributes.items():
            if not isinstance(value, str) or name not in self._columns:
                continue
            if name not in self._given:
                self._columns[name].add(value, self._evidence_of(value))
                continue
            try:
                self._check_given(value, self._given[name], self._columns[name])
            except ValueError as error:
                row_errors.append(RowError(f"attributes.{name}", str(error)))
        return tuple(row_errors)

    def converted(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """The attributes of one row, with their types."""
        return {
            name: convert(value, *self._decide(name)) if isinstance(value, str) and name in self._columns else value
            for name, value in attributes.items()
        }

    def type_of(self, name: str) -> AttributeType:
        """The type of an attribute."""
        return self._decide(name)[0] if name in self._columns else "text"

    def notes(self) -> list[str]:
        """What the types are, and which of them a few values have prevented."""
        names = [*self._given, *(name for name, column in self._columns.items() if column.n)]
        notes = [f"attributes: {', '.join(f'{name} {self.type_of(name)}' for name in names)}"] if names else []
        for name, column in self._columns.items():
            if name not in self._given and (why := column.warning(name, self._shared_format())):
                notes.append(f"WARNING: attribute {name} is read as text, since {why}")
        return notes

    def _check_given(self, value: str, kind: AttributeType, column: ColumnEvidence) -> None:
        """Raise ValueError if a value does not fit, or is written otherwise than those before it."""
        convert(value, kind, self._written)
        if kind not in ("number", "date"):
            return
        evidence = self._evidence_of(value)
        signs, orders = {*column.signs, evidence.sign} & {".", ","}, {*column.orders, evidence.order} & {"dmy", "mdy"}
        if (kind == "number" and len(signs) > 1) or (kind == "date" and len(orders) > 1):
            before = next(iter((column.signs if kind == "number" else column.orders).values()))
            raise ValueError(f"{value!r} is written otherwise than {before!r} in the same column; write them alike")
        column.add_formats(value, evidence)

    def _decide(self, name: str) -> tuple[AttributeType, FieldFormat]:
        """The type of an attribute, and how it is written."""
        if name not in self._decided:
            column, written = self._columns[name], self._shared_format()
            self._decided[name] = (self._given.get(name) or column.type_in(written), column.format_of(written))
        return self._decided[name]

    def _shared_format(self) -> FieldFormat:
        """How the file writes what a column leaves open: as its other attributes are written, if they agree."""
        columns = self._columns.values()
        signs = {sign for column in columns if not column.misses["number"] for sign in column.signs}
        orders = {order for column in columns if not column.misses["date"] for order in column.orders}
        decimal = self._written.decimal or (signs.pop() if len(signs) == 1 else None)
        order = self._written.date.order or (orders.pop() if len(orders) == 1 else None)
        return replace(self._written, decimal=decimal, date=replace(self._written.date, order=order))

    def _evidence_of(self, value: str) -> TextEvidence:
        """Each distinct text is judged once, since files repeat theirs."""
        evidence = self._evidence.get(value)
        if evidence is None:
            if len(self._evidence) >= _MAX_REMEMBERED:
                self._evidence.clear()
            evidence = self._evidence[value] = evidence_of(value, self._written)
        return evidence
