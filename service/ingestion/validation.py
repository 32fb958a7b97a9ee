"""Run pydantic over many rows or a whole column, and sort the good from the bad."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from service.ingestion.chunks import Fault

Value = TypeVar("Value")
Faults = dict[int, tuple[Fault, ...]]

# One value stands for its equals only where they are of one type: 1 equals True, but is not the same input.
_REPEATABLE: Final = frozenset({str, int, float, date, datetime, Decimal})


def validate_rows(adapter: TypeAdapter[list[Value]], rows: Sequence[object]) -> tuple[dict[int, Value], Faults]:
    """Validate each row; return the good ones and what is wrong with the others, by their index."""
    try:
        return dict(enumerate(adapter.validate_python(rows))), {}
    except ValidationError as error:
        faults: Faults = {}
        for detail in error.errors(include_url=False, include_input=False):
            index = int(detail["loc"][0])
            faults[index] = (*faults.get(index, ()), _fault(detail))
    good = [index for index in range(len(rows)) if index not in faults]
    return dict(zip(good, adapter.validate_python([rows[index] for index in good]), strict=True)), faults


def validate_column(adapter: TypeAdapter[list[Any]], name: str, values: Sequence[Any]) -> tuple[list[Any], Faults]:
    """Validate a column, each distinct value once. A bad value becomes None, and a fault of its row."""
    kinds = set(map(type, values)) - {type(None)}
    if len(kinds) > 1 or not kinds <= _REPEATABLE:
        return _validate_each(adapter, name, values)
    distinct = list(dict.fromkeys(values))
    good, faults = _validate_each(adapter, name, distinct)
    meaning = dict(zip(distinct, good, strict=True))
    column = [meaning[value] for value in values]
    if not faults:
        return column, {}
    wrong = {distinct[index]: found for index, found in faults.items()}
    return column, {index: wrong[value] for index, value in enumerate(values) if value in wrong}


def _validate_each(adapter: TypeAdapter[list[Any]], name: str, values: Sequence[Any]) -> tuple[list[Any], Faults]:
    good, faults = validate_rows(adapter, list(values))
    named = {index: tuple(Fault(name, fault.reason) for fault in found) for index, found in faults.items()}
    return list(good.values()) if not faults else [good.get(index) for index in range(len(values))], named


def _fault(detail: ErrorDetails) -> Fault:
    field = ".".join(str(part) for part in detail["loc"][1:])
    # A reader's own words come without pydantic's "Value error, " before them.
    cause = detail.get("ctx", {}).get("error")
    return Fault(field, str(cause) if isinstance(cause, ValueError) else _lower_first(detail["msg"]))


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
