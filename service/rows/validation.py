"""Run pydantic over many rows or a whole column, and sort the good from the bad."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from service.rows.chunks import RowError

Value = TypeVar("Value")
RowErrors = dict[int, tuple[RowError, ...]]

_MAX_REMEMBERED: Final = 200_000
# One value stands for its equals only where they are of one type: 1 equals True, but is not the same input.
_REPEATABLE: Final = frozenset({str, int, float, date, datetime, Decimal})


def validate_rows(adapter: TypeAdapter[list[Value]], rows: Sequence[object]) -> tuple[dict[int, Value], RowErrors]:
    """Validate each row; return the good ones and what is wrong with the others, by their index."""
    try:
        return dict(enumerate(adapter.validate_python(rows))), {}
    except ValidationError as error:
        faults: RowErrors = {}
        for detail in error.errors(include_url=False, include_input=False):
            index = int(detail["loc"][0])
            faults[index] = (*faults.get(index, ()), _fault(detail))
    good = [index for index in range(len(rows)) if index not in faults]
    return dict(zip(good, adapter.validate_python([rows[index] for index in good]), strict=True)), faults


class ColumnReader:
    """Validates one column of a file, chunk by chunk: each distinct value once, since files repeat theirs."""

    def __init__(self, adapter: TypeAdapter[list[Any]], name: str) -> None:
        self._adapter = adapter
        self._name = name
        self._kind: type | None = None
        self._meaning: dict[Any, Any] = {}

    def read(self, values: Sequence[Any]) -> tuple[list[Any], RowErrors]:
        """Validate some values. A bad one becomes None, and a fault of its row."""
        kinds = set(map(type, values)) - {type(None)}
        if len(kinds) > 1 or not kinds <= _REPEATABLE:
            return _validate_each(self._adapter, self._name, values)
        kind = next(iter(kinds), None)
        if kind is not self._kind or len(self._meaning) > _MAX_REMEMBERED:
            self._kind, self._meaning = kind, {}
        fresh = list(set(values) - self._meaning.keys())
        good, faults = _validate_each(self._adapter, self._name, fresh)
        self._meaning.update(zip(fresh, good, strict=True))
        column = list(map(self._meaning.__getitem__, values))
        if not faults:
            return column, {}
        wrong = {fresh[index]: found for index, found in faults.items()}
        for value in wrong:
            del self._meaning[value]
        return column, {index: wrong[value] for index, value in enumerate(values) if value in wrong}


def _validate_each(adapter: TypeAdapter[list[Any]], name: str, values: Sequence[Any]) -> tuple[list[Any], RowErrors]:
    good, faults = validate_rows(adapter, list(values))
    named = {index: tuple(RowError(name, fault.reason) for fault in found) for index, found in faults.items()}
    return list(good.values()) if not faults else [good.get(index) for index in range(len(values))], named


def _fault(detail: ErrorDetails) -> RowError:
    field = ".".join(str(part) for part in detail["loc"][1:])
    # A reader's own words come without pydantic's "Value error, " before them.
    cause = detail.get("ctx", {}).get("error")
    return RowError(field, str(cause) if isinstance(cause, ValueError) else _lower_first(detail["msg"]))


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
