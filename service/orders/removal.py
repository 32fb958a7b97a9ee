"""What files no longer hold: lines of an order that was edited, and orders that were deleted.

Removals are found while the files are read and made after the last one, in one transaction: an import that is killed
before removes nothing, and importing the files again removes it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import numpy as np
from sqlalchemy import Connection, Engine, bindparam, delete, select, update

from service.orders.bulk import LineRow, OrderBatch
from service.orders.frequent_accounts import FrequentAccounts
from service.orders.live import ORDERS_CHANGED, SALES_CHANGED, sales_hours
from service.orders.tables import Order, OrderLine
from service.rows.complete_files import refuse_too_many
from service.rows.duplicate_index import DuplicateIndex, hash_keys, hash_pairs
from service.rows.import_memory import PresentIds
from service.rows.import_run import ImportRun, import_transaction
from service.rows.options import ImportOptions
from service.rows.validation import RowErrors
from service.storage.bulk import in_chunks
from service.storage.changes import ChangeLog
from service.storage.turns import hold_off_erasures

DEAL_ORDER_PREFIX: Final = "deal:"
"""Orders of won deals, which no file of orders holds."""
MIN_GUARDED_LINES: Final = 50
"""Fewer lines than these may be removed from edited orders in any case, unless the files are complete."""
_ROWS_PER_QUERY: Final = 10_000

LineKey = tuple[str, str, int]
"""order_id, product_id, ordinal"""


class OrderFiles:
    """What the files of one command hold, as far as removals need it."""

    def __init__(self) -> None:
        self.line_indexes: list[DuplicateIndex] = []
        """For each file, how many lines each pair of order and product has."""
        self.orders = PresentIds()
        self.refused = PresentIds()
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.n_lines = 0
        self._surplus = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._surplus.execute("CREATE TABLE surplus (order_id, product_id, ordinal)")

    def note_refused(self, order_ids: Sequence[str | None], row_errors: RowErrors, n_unreadable: int) -> None:
        """Note orders of which rows were refused: nobody can tell what these held."""
        refused = {order_ids[row] for row in row_errors}
        self.refused.n_unknown += n_unreadable + (None in refused)
        self.refused.add({order_id for order_id in refused if order_id is not None})

    def note_batch(self, batch: OrderBatch, options: ImportOptions) -> None:
        """Note the orders that begin in a batch."""
        if options.is_complete and batch.orders.order_ids:
            self.orders.add(set(batch.orders.order_ids))
            times = batch.orders.times
            self.first = min((self.first or times[0], *times))
            self.last = max((self.last or times[0], *times))
        self.refused.add(batch.left_out_ids)
        self.n_lines += len(batch.lines)

    def note_surplus(self, lines: Sequence[LineKey]) -> None:
        """Note stored lines that a batch lacks; later batches may hold them."""
        self._surplus.executemany("INSERT INTO surplus VALUES (?, ?, ?)", lines)

    def removed_lines(self) -> Iterator[list[LineKey]]:
        """The stored lines that no file holds, of orders without refused rows."""
        cursor = self._surplus.execute("SELECT DISTINCT order_id, product_id, ordinal FROM surplus")
        while lines := cursor.fetchmany(_ROWS_PER_QUERY):
            order_ids = [line[0] for line in lines]
            pairs = hash_pairs(hash_keys(order_ids), hash_keys([line[1] for line in lines]))
            counts = [index.look_up(pairs) for index in self.line_indexes]
            most = np.max(counts, axis=0)
            is_gone = (most <= np.array([line[2] for line in lines])) & self.refused.is_missing(order_ids)
            yield [lines[index] for index in np.flatnonzero(is_gone).tolist()]

    def close(self) -> None:
        """Free the disk space."""
        self._surplus.close()


def surplus_lines(other_lines: set[LineRow], batch: OrderBatch) -> list[LineKey]:
    """The stored lines of a batch's orders that the batch lacks, of those that it does not give as they were stored."""
    if not other_lines:
        return []
    given = set(zip(batch.lines.order_ids, batch.lines.product_ids, batch.lines.ordinals, strict=True))
    return [key for line in other_lines if (key := line[:3]) not in given]


def finish_orders(engine: Engine, import_run: ImportRun, now: datetime) -> None:
    """Remove what the files lack, and note accounts that order improbably often."""
    files, options, notes = import_run.memory.part(OrderFiles), import_run.options, import_run.summary.counted_notes
    import_run.memory.part(FrequentAccounts).note(notes)
    if files.refused.n_unknown:
        if options.is_complete:
            text = "rows could not be assigned to an order, so nothing was removed that the files lack (--complete)"
            notes.add(text, files.refused.n_unknown, is_warning=True)
        return
    with import_transaction(engine, options) as connection:
        hold_off_erasures(connection)
        changes = ChangeLog()
        _remove_lines(connection, files, import_run, changes)
        if options.is_complete:
            _cancel_missing(connection, files, import_run, changes)
        changes.write(connection, now)


def _remove_lines(connection: Connection, files: OrderFiles, import_run: ImportRun, changes: ChangeLog) -> None:
    lines = [line for batch in files.removed_lines() for line in batch]
    if not lines:
        return
    options = import_run.options
    if options.is_complete or len(lines) >= MIN_GUARDED_LINES:
        n_stored = files.n_lines + len(lines)
        refuse_too_many(
            "stored lines of these orders would be removed",
            len(lines),
            n_stored,
            import_run,
            "; --lines add keeps them",
        )
    table = OrderLine.__table__.c
    statement = delete(OrderLine).where(
        table.order_id == bindparam("order"),
        table.product_id == bindparam("product"),
        table.ordinal == bindparam("nth"),
    )
    for start in range(0, len(lines), _ROWS_PER_QUERY):
        part = lines[start : start + _ROWS_PER_QUERY]
        connection.execute(statement, [dict(zip(("order", "product", "nth"), line, strict=True)) for line in part])
    order_ids = sorted({line[0] for line in lines})
    _touch(connection, order_ids, changes)
    text = (
        f"order lines {options.were} removed from {len(order_ids):,} orders: the files lack them "
        "(--lines add keeps them)"
    )
    import_run.summary.counted_notes.add(text, len(lines), f"{lines[0][1]} of order {lines[0][0]}", is_warning=True)


def _cancel_missing(connection: Connection, files: OrderFiles, import_run: ImportRun, changes: ChangeLog) -> None:
    """Cancel the orders between the first and the last one of the files that no file holds."""
    if files.first is None or files.last is None:
        return
    query = select(Order.order_id).where(
        Order.ordered_at >= files.first,
        Order.ordered_at <= files.last,
        ~Order.is_cancelled,
        ~Order.order_id.startswith(DEAL_ORDER_PREFIX, autoescape=True),
    )
    if prefix := import_run.options.orders.prefix:
        query = query.where(Order.order_id.startswith(prefix, autoescape=True))
    total, missing = 0, list[str]()
    for rows in connection.execute(query.execution_options(yield_per=_ROWS_PER_QUERY)).partitions():
        order_ids = [row[0] for row in rows]
        total += len(order_ids)
        missing += files.orders.missing(order_ids)
    missing = list(files.refused.missing(missing))
    if not missing:
        return
    refuse_too_many("orders of this period would be cancelled", len(missing), total, import_run)
    for some_ids in in_chunks(sorted(missing)):
        connection.execute(update(Order).where(Order.order_id.in_(some_ids)).values(is_cancelled=True))
    _touch(connection, sorted(missing), changes)
    text = (
        f"orders {import_run.options.were} cancelled: the files lack them, of those between {files.first:%Y-%m-%d} and "
        f"{files.last:%Y-%m-%d}"
    )
    import_run.summary.counted_notes.add(text, len(missing), min(missing))


def _touch(connection: Connection, order_ids: Sequence[str], changes: ChangeLog) -> None:
    """Note the accounts of orders, whose ownership changed, and the hours of the orders."""
    for chunk in in_chunks(order_ids):
        query = select(Order.account_id, Order.ordered_at).where(Order.order_id.in_(chunk))
        rows = connection.execute(query).all()
        changes.touch(ORDERS_CHANGED, {owner for owner, _ in rows if owner is not None})
        changes.touch(SALES_CHANGED, sales_hours(ordered_at for _, ordered_at in rows))
