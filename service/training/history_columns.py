"""Orders and their lines as columns, in place of the tables that an import fills."""

from dataclasses import fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from service.orders.bulk import OrderBatch

_ORDERS = pa.schema(
    {
        "order_id": pa.string(),
        "account_id": pa.string(),
        "ordered_at": pa.int64(),
        "is_cancelled": pa.bool_(),
        "currency": pa.string(),
    }
)
_LINES = pa.schema(
    {
        "order_id": pa.string(),
        "product_id": pa.string(),
        "ordinal": pa.int64(),
        "quantity": pa.float64(),
        "amount_minor": pa.int64(),
    }
)


class HistoryColumns:
    """Collects batches. A later batch replaces orders and lines of the same key, as an import does.

    account_ids, product_ids: what the orders name, cancelled ones included.
    """

    def __init__(self) -> None:
        self.account_ids: set[str] = set()
        self.product_ids: set[str] = set()
        self._orders: list[pa.Table] = []
        self._lines: list[pa.Table] = []

    def add(self, batch: OrderBatch) -> None:
        """Add one batch."""
        self.account_ids |= batch.account_ids
        orders = batch.orders
        seconds = np.fromiter((time.timestamp() for time in orders.times), np.float64, len(orders))
        times = np.floor(seconds).astype(np.int64)
        columns = [orders.order_ids, orders.account_ids, times, orders.are_cancelled, orders.currencies]
        self._orders.append(_table(columns, _ORDERS))
        self.product_ids.update(batch.lines.product_ids)
        self._lines.append(_table([getattr(batch.lines, field.name) for field in fields(batch.lines)], _LINES))

    def lines(self, n_files: int) -> pa.Table:
        """The lines of all orders that were not cancelled, each with its order's account, time and currency.

        n_files: how many files the batches came from: keys repeat only between files.
        """
        orders = pa.concat_tables([_ORDERS.empty_table(), *self._orders])
        lines = pa.concat_tables([_LINES.empty_table(), *self._lines])
        if n_files > 1:
            orders = _last_of_each(orders, ("order_id",))
            lines = _last_of_each(lines, ("order_id", "product_id", "ordinal"))
        header = pc.index_in(lines["order_id"], orders["order_id"].combine_chunks())
        for name in ("account_id", "ordered_at", "is_cancelled", "currency"):
            lines = lines.append_column(name, orders[name].take(header))
        lines = lines.drop_columns(["ordinal"])
        return lines.filter(pc.invert(lines["is_cancelled"])) if pc.any(lines["is_cancelled"]).as_py() else lines


def _table(columns: list[object], schema: pa.Schema) -> pa.Table:
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _last_of_each(table: pa.Table, keys: tuple[str, ...]) -> pa.Table:
    """Of rows with the same key, only the last."""
    codes = [_codes(table[key]) for key in keys]
    order = np.lexsort((np.arange(table.num_rows), *reversed(codes)))
    is_last = np.ones(table.num_rows, dtype=np.bool_)
    if table.num_rows:
        is_same_as_next = np.logical_and.reduce([code[order][1:] == code[order][:-1] for code in codes])
        is_last[order[:-1]] = ~is_same_as_next
    return table if is_last.all() else table.filter(pa.array(is_last))


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """A number for each value, the same for equal ones."""
    if pa.types.is_string(column.type):
        column = pc.index_in(column, pc.unique(column))
    codes: NDArray[np.int64] = column.to_numpy().astype(np.int64)
    return codes
