"""Orders and their lines as columns, in place of the tables that an import fills."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, tzinfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from service.orders.bulk import OrderBatch
from service.orders.stored_headers import StoredHeader
from service.rows.duplicate_index import DuplicateIndex, hash_keys

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

    account_ids, product_ids: what the orders name, cancelled ones included. zone: of days.
    """

    def __init__(self, zone: tzinfo = UTC, *, is_indexed: bool = False) -> None:
        self._zone = zone
        self.account_ids: set[str] = set()
        self.product_ids: set[str] = set()
        self._orders: list[pa.Table] = []
        self._is_indexed = is_indexed
        self._places = DuplicateIndex(np.uint64)
        self._indexed = _ORDERS.empty_table()
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

    def index(self) -> None:
        """Make the orders of the files read so far known to those that follow."""
        if not self._is_indexed:
            return
        before = self._indexed.num_rows
        self._indexed = pa.concat_tables([_ORDERS.empty_table(), *self._orders])
        hashes = hash_keys(self._indexed["order_id"][before:].to_pylist())
        # The last order of an identifier counts: a sum of places is made that place by adding the difference.
        _, first = np.unique(hashes[::-1], return_index=True)
        last = np.sort(len(hashes) - 1 - first)
        known = self._places.look_up(hashes[last])
        self._places.add(hashes[last], last.astype(np.uint64) + np.uint64(before + 1) - known)

    def look_up(self, order_ids: Sequence[str]) -> dict[str, StoredHeader]:
        """Those of some orders that earlier files hold."""
        if not self._indexed.num_rows:
            return {}
        places = self._places.look_up(hash_keys(order_ids)).astype(np.int64) - 1
        rows = self._indexed.take(pa.array(places[places >= 0])).to_pylist()
        return {
            row["order_id"]: StoredHeader(row["account_id"], _day_of(row["ordered_at"], self._zone)) for row in rows
        }

    def count_by_year(self) -> dict[int, int]:
        """Count the orders of each year that earlier files hold."""
        seconds = self._indexed["ordered_at"].to_numpy().astype("datetime64[s]")
        years, counts = np.unique(seconds.astype("datetime64[Y]").astype(np.int64) + 1970, return_counts=True)
        return dict(zip(years.tolist(), counts.tolist(), strict=True))

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


def _day_of(seconds: int, zone: tzinfo) -> int:
    """The day of a time, as ``date.toordinal`` counts."""
    return datetime.fromtimestamp(seconds, zone).toordinal()


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
