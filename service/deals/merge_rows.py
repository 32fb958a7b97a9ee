"""From the rows of a file that are about one deal to this deal, and from its errors back to the rows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from service.deals.row_spool import SpooledRow
from service.deals.schemas import DealIn, DealLineIn, DealRow, as_line_fields
from service.rows.chunks import RowError
from service.rows.text_fields import shown

_SHARED: Final = (
    "account_id", "stage", "status", "is_won", "is_closed", "currency", "opened_at", "closed_at", "expected_close",
)  # fmt: skip
_VALUES: Final = {"value": "deal_value", "value_minor": "deal_value_minor"}
_LINE_FIELD: Final = re.compile(r"lines\.(\d+)\.(.+)")
_MAX_LINES_NAMED: Final = 10

ErrorsByRow = dict[int, tuple[RowError, ...]]


@dataclass(frozen=True)
class MergedDeal:
    """A deal of several rows.

    line_rows: the row that each of its lines comes from.
    """

    deal: DealIn
    line_rows: Sequence[int]

    def row_errors(self, errors: Sequence[RowError]) -> ErrorsByRow:
        """What is wrong with which row: errors of a line belong to its row, the others to the first one."""
        by_row: ErrorsByRow = {}
        for error in errors:
            match = _LINE_FIELD.fullmatch(error.field)
            row = self.line_rows[int(match[1])] if match else 0
            name = match[2] if match else error.field
            by_row[row] = (*by_row.get(row, ()), RowError(name, error.reason))
        return by_row


def merge_rows(rows: Sequence[SpooledRow]) -> MergedDeal | ErrorsByRow:
    """Return the deal, or what is wrong with its rows: they contradict each other, or one of them is invalid.

    A blank field of a row says nothing where another row fills it.
    """
    invalid = {index: row.errors for index, row in enumerate(rows) if row.errors}
    if invalid:
        return invalid
    deals = [row.deal for row in rows if row.deal]
    header: dict[str, Any] = {"deal_id": deals[0].deal_id}
    errors: ErrorsByRow = {}
    for name in (*_SHARED, *_VALUES):
        values = [_header_value(deal, name) for deal in deals]
        given = {value: index for index, value in reversed(list(enumerate(values))) if value is not None}
        if len(given) > 1:
            conflict = RowError(name, f"contradicts other rows of the deal: {_differing(rows, values)}")
            errors |= {index: (*errors.get(index, ()), conflict) for index in range(len(rows))}
        if given or any(name in _header_fields(deal) for deal in deals):
            header[name] = next(iter(given), None)
    if errors:
        return errors
    lines, line_rows = _lines_of(deals)
    if lines is not None:
        header["lines"] = lines
    return MergedDeal(DealIn.model_construct(set(header), **header), line_rows)


def _header_fields(deal: DealRow) -> set[str]:
    """The fields of the deal as a whole that a row sets; a value beside a product is the product's."""
    given = deal.model_fields_set
    own = {name for name in _VALUES if name in given and deal.product_id is None}
    return (given & set(_SHARED)) | own | {name for name, column in _VALUES.items() if column in given}


def _header_value(deal: DealRow, name: str) -> Any:
    if name not in _VALUES:
        return getattr(deal, name)
    whole = getattr(deal, _VALUES[name])
    return getattr(deal, name) if whole is None and deal.product_id is None else whole


def _differing(rows: Sequence[SpooledRow], values: Sequence[Any]) -> str:
    """Each value with the first line that has it."""
    first: dict[Any, int] = {}
    for row, value in zip(rows, values, strict=True):
        if value is not None:
            first.setdefault(value, row.line)
    named = [f"{_written(value)} in line {line}" for value, line in list(first.items())[:_MAX_LINES_NAMED]]
    return ", ".join(named)


def _written(value: Any) -> str:
    return shown(value) if isinstance(value, str) else str(value)


def _lines_of(deals: Sequence[DealRow]) -> tuple[list[DealLineIn] | None, list[int]]:
    """The products that the rows name, each with its row; None where no row has a field for them."""
    lines: list[DealLineIn] = []
    line_rows: list[int] = []
    for index, deal in enumerate(deals):
        of_row = list(deal.lines or ())
        if deal.product_id is not None:
            fields = as_line_fields(deal)
            of_row.append(DealLineIn.model_construct(set(fields), **fields))
        lines += of_row
        line_rows += [index] * len(of_row)
    is_named = any({"product_id", "lines"} & deal.model_fields_set for deal in deals)
    return (lines if is_named else None), line_rows
