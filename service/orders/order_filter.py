"""``--where`` on columns that only the first row of an order fills, as exports of shops write them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from service.orders.order_keys import OrderKey
from service.rows.chunks import Chunk
from service.rows.notes import Notes
from service.rows.text_fields import is_blank

_MAX_EXCEPTIONS: Final = 0.1
"""Share of orders whose rows differ in a column that is the order's nevertheless: files have errors."""


@dataclass
class _Column:
    """How a column was filled so far, by order of several rows; and the order that goes on in the next chunk.

    n_first_only: only the first row has a value.
    n_differing:  a later row has a value that is not the first row's.
    """

    n_first_only: int = 0
    n_differing: int = 0
    order: Any = None
    first: Any = None

    @property
    def is_of_orders(self) -> bool:
        return self.n_first_only > 0 and self.n_differing <= _MAX_EXCEPTIONS * self.n_first_only


class OrderFilter:
    """Gives the rows of an order that leave a column blank the value of the order's first row, for ``--where``.

    Only adjacent rows are of one order here, and only columns count that are filled like this throughout: a column in
    which rows of an order differ belongs to the rows, and is judged row by row.
    """

    def __init__(self, key: OrderKey, columns: Sequence[str], notes: Notes) -> None:
        self._key = key
        self._columns = {column: _Column() for column in columns}
        self._notes = notes

    def condition_columns(self, chunk: Chunk) -> Mapping[str, Sequence[Any]]:
        """The columns of a chunk as the conditions see them."""
        if not self._columns or not chunk.lines:
            return chunk.columns
        orders = self._key.values(chunk)
        return {name: self._filled(name, chunk.columns.get(name), orders) for name in self._columns}

    def _filled(self, name: str, values: Sequence[Any] | None, orders: Sequence[Any]) -> Sequence[Any]:
        if values is None:
            values = [None] * len(orders)
        column = self._columns[name]
        filled, n_filled = _fill(values, orders, column)
        if not n_filled or not column.is_of_orders:
            return values
        self._notes.add(f"rows without {name} were judged by that of their order's first row (--where)", n_filled)
        return filled


def _fill(values: Sequence[Any], orders: Sequence[Any], column: _Column) -> tuple[list[Any], int]:
    """Fill the blank values of later rows, and count the orders whose rows agree and differ."""
    filled = list(values)
    n_filled = 0
    order, first = column.order, column.first
    has_blank = is_differing = False
    for index, (value, current) in enumerate(zip(values, orders, strict=True)):
        if current != order or is_blank(current):
            column.n_first_only += has_blank and not is_differing
            column.n_differing += is_differing
            order, first, has_blank, is_differing = current, value, False, False
        elif not is_blank(value):
            is_differing = is_differing or value != first
        elif not is_blank(first):
            filled[index], has_blank = first, True
            n_filled += 1
    column.n_first_only += has_blank and not is_differing
    column.n_differing += is_differing
    column.order, column.first = order, first
    return filled, n_filled
