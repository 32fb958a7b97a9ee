"""Run pydantic over many rows or a whole column, and sort the good from the bad."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from service.rows.chunks import RowError
from service.rows.guest_values import GuestValues
from service.rows.text_fields import FIELD
from service.rows.value_formats import FieldFormat, ValueFormats

Value = TypeVar("Value")
RowErrors = dict[int, tuple[RowError, ...]]

_MAX_REMEMBERED: Final = 200_000
# One value stands for its equals only where they are of one type: 1 equals True, but is not the same input.
_REPEATABLE: Final = frozenset({str, int, float, date, datetime, Decimal})


def validate_rows(
    adapter: TypeAdapter[list[Value]], rows: Sequence[object], formats: ValueFormats | FieldFormat | None = None
) -> tuple[dict[int, Value], RowErrors]:
    """Validate each row; return the good ones and what is wrong with the others, by their index.

    formats: how a file writes its values; None for those of a request.
    """
    try:
        return dict(enumerate(adapter.validate_python(rows, context=formats))), {}
    except ValidationError as error:
        row_errors: RowErrors = {}
        for detail in error.errors(include_url=False, include_input=False):
            index = int(detail["loc"][0])
            row_errors[index] = (*row_errors.get(index, ()), _row_error(detail))
    good = [index for index in range(len(rows)) if index not in row_errors]
    valid = adapter.validate_python([rows[index] for index in good], context=formats)
    return dict(zip(good, valid, strict=True)), row_errors


def placeholder_errors(rows: Mapping[int, Any], guests: GuestValues, hint: str = "--keep-account-values") -> RowErrors:
    """The errors of rows whose account is a placeholder for guests. hint: what accepts it as an account."""
    reasons = {index: guests.placeholder_error(row.account_id, hint) for index, row in rows.items()}
    return {index: (RowError("account_id", reason),) for index, reason in reasons.items() if reason}


class ColumnReader:
    """Validates one column of a file, chunk by chunk: each distinct value once, since files repeat theirs.

    read_plain: reads distinct values at once, or returns None; see ``plain_values``.
    written:    how the file writes the column; None for a request's.
    """

    def __init__(
        self,
        adapter: TypeAdapter[list[Any]],
        name: str,
        read_plain: Callable[[list[Any]], list[Any] | None] = lambda _: None,
        written: FieldFormat | None = None,
    ) -> None:
        self._adapter = adapter
        self._name = name
        self._written = written
        self._read_plain = read_plain
        self._type: type | None = None
        self._parsed: dict[Any, Any] = {}

    def read(self, values: Sequence[Any]) -> tuple[list[Any], RowErrors]:
        """Validate values. An invalid one becomes None, with an error by its index."""
        types = set(map(type, values)) - {type(None)}
        if len(types) > 1 or not types <= _REPEATABLE:
            return _validate_each(self._adapter, self._name, values, self._written)
        value_type = next(iter(types), None)
        if value_type is not self._type or len(self._parsed) > _MAX_REMEMBERED:
            self._type, self._parsed = value_type, {}
        new = list(set(values) - self._parsed.keys())
        plain = self._read_plain(new)
        parsed, new_errors = (
            _validate_each(self._adapter, self._name, new, self._written) if plain is None else (plain, {})
        )
        self._parsed.update(zip(new, parsed, strict=True))
        column = list(map(self._parsed.__getitem__, values))
        if not new_errors:
            return column, {}
        error_of = {new[index]: row_errors for index, row_errors in new_errors.items()}
        for value in error_of:
            del self._parsed[value]
        return column, {index: error_of[value] for index, value in enumerate(values) if value in error_of}


def _validate_each(
    adapter: TypeAdapter[list[Any]], name: str, values: Sequence[Any], written: FieldFormat | None
) -> tuple[list[Any], RowErrors]:
    good, row_errors = validate_rows(adapter, list(values), written)
    of_field = {index: tuple(RowError(name, each.reason) for each in errors) for index, errors in row_errors.items()}
    return list(good.values()) if not row_errors else [good.get(index) for index in range(len(values))], of_field


def _row_error(detail: ErrorDetails) -> RowError:
    field = ".".join(str(part) for part in detail["loc"][1:])
    # A reader's own words come without pydantic's "Value error, " before them.
    cause = detail.get("ctx", {}).get("error")
    if detail["type"] in ("model_type", "dict_type"):  # It names a class of ours.
        return RowError(field, "input should be an object")
    return RowError(field, _named(str(cause), field) if isinstance(cause, ValueError) else _lower_first(detail["msg"]))


def _named(reason: str, name: str) -> str:
    """A reader's reason, with the name of the field in the option that it suggests."""
    return reason.replace(f"{FIELD}:", f"{name}:")


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
