"""From a chunk of a file to validated order lines with their amounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pydantic import TypeAdapter

from service.base.money import AMOUNT_FIELDS, line_amount
from service.orders.schemas import LINE_FIELDS
from service.rows.chunks import Chunk, RowError
from service.rows.import_run import ImportRun
from service.rows.plain_values import plain_identifiers, plain_times
from service.rows.text_fields import is_blank
from service.rows.validation import ColumnReader, RowErrors
from service.rows.value_formats import FieldFormat

_IDENTIFIERS: Final = frozenset({"order_id", "account_id", "product_id"})
_SAID_ONCE: Final = frozenset({"ordered_at", "currency", "status"})
"""What an order's lines share, and many exports write on the first of them alone."""
_DEFAULTS: Final[dict[str, Any]] = {"quantity": 1.0, "status": "placed"}


@dataclass(frozen=True)
class ParsedLines:
    """A chunk's lines by our own fields, valid but for the rows that have errors."""

    fields: dict[str, list[Any]]
    amounts: list[int | None]
    row_errors: RowErrors


class LineParser:
    """Validates the lines of one file and works out their amounts."""

    def __init__(self, import_run: ImportRun) -> None:
        self._import_run = import_run
        self._default_currency = import_run.options.default_currency
        self._readers = {
            name: _column_reader(name, field_type, import_run.formats.field(name))
            for name, field_type in LINE_FIELDS.items()
            if name in import_run.columns
        }

    def parse(self, chunk: Chunk) -> ParsedLines:
        """Parse one chunk."""
        fields: dict[str, list[Any]] = {name: [_DEFAULTS.get(name)] * len(chunk.lines) for name in LINE_FIELDS}
        row_errors: RowErrors = {}
        for name, reader in self._readers.items():
            values = self._import_run.values(chunk, name)
            if name in _IDENTIFIERS and (plain := plain_identifiers(values)) is not None:
                fields[name] = plain
                continue
            fields[name], column_errors = reader.read(values)
            if name in _SAID_ONCE:
                order_ids = self._import_run.values(chunk, "order_id")
                _complete(order_ids, values, fields[name], column_errors)
            for index, errors in column_errors.items():
                row_errors[index] = (*row_errors.get(index, ()), *errors)
        if self._default_currency:
            fields["currency"] = [currency or self._default_currency for currency in fields["currency"]]
        amount_columns: dict[str, list[Any]] = {name: fields[name] for name in AMOUNT_FIELDS if name in self._readers}
        amounts = _amounts(amount_columns, fields["quantity"], fields["currency"], row_errors)
        return ParsedLines(fields, amounts, row_errors)


def _complete(
    order_ids: Sequence[Any], values: Sequence[Any], parsed: list[Any], column_errors: dict[int, tuple[RowError, ...]]
) -> None:
    """Fill blank values with the one that the lines just before it give of the same order, if it is valid."""
    if "" not in values and None not in values:
        return
    given, of_order = None, None
    for index, (order_id, value) in enumerate(zip(order_ids, values, strict=True)):
        if order_id != of_order:
            given, of_order = None, order_id
        if not is_blank(value):
            given = given if index in column_errors else parsed[index]
        elif given is not None:
            parsed[index] = given
            column_errors.pop(index, None)


def _column_reader(name: str, field_type: TypeAdapter[list[object]], written: FieldFormat) -> ColumnReader:
    is_plain = name == "ordered_at" and not written.date.pattern
    read_plain = partial(plain_times, zone=written.date.zone) if is_plain else lambda _: None
    return ColumnReader(field_type, name, read_plain, written)


def _amounts(
    amount_columns: dict[str, list[Any]],
    quantities: list[float],
    currencies: list[str | None],
    row_errors: RowErrors,
) -> list[int | None]:
    """The lines' amounts in minor units; adds the errors of those that have none."""
    smallest = -1.0 if None in quantities else min(quantities, default=0.0)
    if smallest >= 0 and list(amount_columns) == ["amount_minor"] and _are_amounts(amount_columns["amount_minor"]):
        return amount_columns["amount_minor"]
    amounts: list[int | None] = [None] * len(quantities)
    for name, values in amount_columns.items():
        # A file repeats its prices: each combination of what the amount depends on is worked out once.
        if smallest > 0 and not name.startswith("unit_price") and len(set(currencies)) == 1:
            keys, amount_of = values, {value: _amount_of(name, value, 1.0, currencies[0]) for value in set(values)}
        else:
            keys = list(zip(values, quantities, currencies, strict=True))
            amount_of = {key: _amount_of(name, *key) for key in set(keys)}
        results = list(map(amount_of.__getitem__, keys))
        if len(amount_columns) > 1 or any(isinstance(amount, RowError) for amount in amount_of.values()):
            results = _without_row_errors(name, results, amounts, row_errors)
        amounts = results  # type: ignore[assignment]  # what was a RowError is None by now
    return amounts


def _are_amounts(values: Sequence[int | None]) -> bool:
    """Whether values in minor units are the amounts of sales as they stand: given, and not negative."""
    return None not in values and min(values, default=0) >= 0  # type: ignore[type-var,operator]


def _amount_of(name: str, value: Any, quantity: float | None, currency: str | None) -> int | RowError | None:
    if value is None or quantity is None:
        return None
    try:
        return line_amount(name, value, quantity, currency)
    except ValueError as error:
        return RowError(name, str(error))


def _without_row_errors(
    name: str, results: list[int | RowError | None], before: list[int | None], row_errors: RowErrors
) -> list[int | RowError | None]:
    """Move errors to their rows, and keep the amounts that other columns gave."""
    for index, result in enumerate(results):
        if isinstance(result, int) and before[index] is not None:
            result = RowError(
                name,
                "is given beside another amount; give one of them, and leave the other column out: --ignore COLUMN",
            )
        if isinstance(result, RowError):
            row_errors[index] = (*row_errors.get(index, ()), result)
        results[index] = result if isinstance(result, int) else before[index]
    return results
