"""The SQL of order lines in bulk, on each database's fast path."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, column, select, table, text

from service.orders.live import ORDERS_CHANGED, SALES_CHANGED, sales_hours
from service.orders.tables import Order
from service.storage.bulk import BulkTarget, in_chunks, insert_new, sqlite_time, upsert_changed
from service.storage.changes import ChangeLog
from service.storage.turns import hold_off_erasures
from service.tombstones.objections import recall_objections

OrderRow = tuple[str, str | None, datetime, str | None, bool]
"""order_id, account_id, ordered_at, currency, is_cancelled"""
LineRow = tuple[str, str, int, float, int | None]
"""order_id, product_id, ordinal, quantity, amount_minor"""


@dataclass(frozen=True, slots=True)
class OrderColumns:
    """Orders without their lines, by column: a million tuples would keep the garbage collector busy."""

    order_ids: list[str] = field(default_factory=list)
    account_ids: list[str | None] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    currencies: list[str | None] = field(default_factory=list)
    are_cancelled: list[bool] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.order_ids)

    def rows(self) -> list[OrderRow]:
        """The orders as the table holds them."""
        columns = (self.order_ids, self.account_ids, self.times, self.currencies, self.are_cancelled)
        return list(zip(*columns, strict=True))


@dataclass(frozen=True, slots=True)
class LineColumns:
    """Order lines, by column."""

    order_ids: list[str] = field(default_factory=list)
    product_ids: list[str] = field(default_factory=list)
    ordinals: list[int] = field(default_factory=list)
    quantities: list[float] = field(default_factory=list)
    amounts_minor: list[int | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.order_ids)

    def rows(self) -> list[LineRow]:
        """The lines as the table holds them."""
        columns = (self.order_ids, self.product_ids, self.ordinals, self.quantities, self.amounts_minor)
        return list(zip(*columns, strict=True))


@dataclass
class OrderBatch:
    """Orders and lines that are written together, or not at all."""

    account_ids: set[str] = field(default_factory=set)
    product_names: dict[str, str] = field(default_factory=dict)
    """Names of products that are not stored yet."""
    orders: OrderColumns = field(default_factory=OrderColumns)
    lines: LineColumns = field(default_factory=LineColumns)
    stored_ids: set[str] = field(default_factory=set)
    """Orders that begin in this batch and were stored before."""
    left_out_ids: set[str] = field(default_factory=set)
    """Orders of which rows were left out, so that these are not all of their lines."""


@dataclass(frozen=True)
class Written:
    """What a batch did: stubs added; orders and lines that are new or changed.

    other_lines: the lines that were stored, of orders that begin in the batch, and are not given as they were stored.
    """

    account_stubs: int
    product_stubs: int
    orders: tuple[int, int]
    lines: tuple[int, int]
    other_lines: set[LineRow]


_ORDERS: Final[BulkTarget] = ("orders", ("order_id",), ("account_id", "ordered_at", "currency", "is_cancelled"))
_LINES: Final[BulkTarget] = ("order_lines", ("order_id", "product_id", "ordinal"), ("quantity", "amount_minor"))
_ACCOUNTS: Final[BulkTarget] = ("accounts", ("account_id",), ("attributes", "is_stub", "updated_at"))
_PRODUCTS: Final[BulkTarget] = (
    "products",
    ("product_id",),
    ("name", "attributes", "is_active", "is_stub", "updated_at"),
)
_IMPORT_LOCK: Final = 0x6E786F696D70
"""Imports take turns, batch by batch: an UPDATE that joins locks rows in an order of its own. SQLite has one writer."""


def write_orders(connection: Connection, batch: OrderBatch, now: datetime, changes: ChangeLog) -> Written:
    """Write one batch with what it names. Rows that are stored as they are given are not written again.

    changes: gets the accounts that the batch touched, including those that an order belonged to before.
    """
    hold_off_erasures(connection)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_IMPORT_LOCK,))
    stored_orders = _stored_orders(connection, batch.orders.order_ids)
    written = _write_batch(connection, batch, stored_orders, now)
    if written.account_stubs:
        recall_objections(connection, batch.account_ids, now, changes)
    if any(written.orders) or any(written.lines):
        owners = {order[1] for order in stored_orders if order[1] is not None}
        changes.touch(ORDERS_CHANGED, batch.account_ids | owners)
        changes.touch(SALES_CHANGED, _touched_hours(connection, batch, stored_orders))
    return written


def _touched_hours(connection: Connection, batch: OrderBatch, stored_orders: set[OrderRow]) -> set[str]:
    """Return the hours of a batch's orders: as they were stored, as they are given, and of those begun before it."""
    hours = sales_hours(time.astimezone(UTC) for time in batch.orders.times)
    hours |= sales_hours(order[2] for order in stored_orders)
    for order_ids in in_chunks(sorted(set(batch.lines.order_ids).difference(batch.orders.order_ids))):
        hours |= sales_hours(connection.scalars(select(Order.ordered_at).where(Order.order_id.in_(order_ids))))
    return hours


class RolledBack:
    """What earlier batches of a dry run added: it is not stored, but later batches refer to it."""

    def __init__(self) -> None:
        self._account_ids: set[str] = set()
        self._product_ids: set[str] = set()

    def restore(self, connection: Connection, batch: OrderBatch, now: datetime) -> None:
        """Add the accounts, products and orders that a batch expects to be stored, so that it does not count them."""
        written_at: datetime | str = sqlite_time(now) if connection.dialect.name == "sqlite" else now
        products = set(batch.lines.product_ids) - (batch.product_names.keys() - self._product_ids)
        orders = set(batch.lines.order_ids).difference(batch.orders.order_ids)
        accounts = sorted(self._account_ids & batch.account_ids)
        insert_new(connection, _ACCOUNTS, [(key, "{}", True, written_at) for key in accounts])
        insert_new(connection, _PRODUCTS, [(key, key, "{}", True, True, written_at) for key in sorted(products)])
        insert_new(connection, _ORDERS, [(key, None, written_at, None, False) for key in sorted(orders)])
        self._account_ids |= batch.account_ids
        self._product_ids |= batch.product_names.keys()


def _stored_orders(connection: Connection, order_ids: Sequence[str]) -> set[OrderRow]:
    """Those of some orders that are stored. An import of new orders finds none, by the key alone."""
    columns = (Order.order_id, Order.account_id, Order.ordered_at, Order.currency, Order.is_cancelled)
    return {
        (order_id, account_id, ordered_at, currency, is_cancelled)
        for some_ids in in_chunks(sorted(order_ids))
        for order_id, account_id, ordered_at, currency, is_cancelled in connection.execute(
            select(*columns).where(Order.order_id.in_(some_ids))
        )
    }


def _stored_lines(connection: Connection, order_ids: Collection[str]) -> set[LineRow]:
    """The stored lines of some orders."""
    lines = table("order_lines", *map(column, ("order_id", "product_id", "ordinal", "quantity", "amount_minor")))
    stored: set[LineRow] = set()
    for some_ids in in_chunks(sorted(order_ids)):
        stored.update(map(tuple, connection.execute(select(lines).where(lines.c.order_id.in_(some_ids)))))
    return stored


def _write_batch(connection: Connection, batch: OrderBatch, stored_orders: set[OrderRow], now: datetime) -> Written:
    """Write what differs. Comparing rows here takes less than having the database find that nothing changed."""
    stored_lines = _stored_lines(connection, batch.stored_ids)
    given_lines = batch.lines.rows()
    lines = [row for row in given_lines if row not in stored_lines]
    orders: Sequence[tuple[Any, ...]] = [row for row in batch.orders.rows() if row not in stored_orders]
    written_at: datetime | str = now
    if connection.dialect.name == "sqlite":
        orders = [(order_id, account, sqlite_time(time), *rest) for order_id, account, time, *rest in orders]
        written_at = sqlite_time(now)
    accounts = [(account_id, "{}", True, written_at) for account_id in sorted(batch.account_ids)]
    products = [
        (product_id, name, "{}", True, True, written_at) for product_id, name in sorted(batch.product_names.items())
    ]
    return Written(
        insert_new(connection, _ACCOUNTS, accounts),
        insert_new(connection, _PRODUCTS, products),
        upsert_changed(connection, _ORDERS, orders),
        upsert_changed(connection, _LINES, lines),
        stored_lines.difference(given_lines),
    )


def rename_stubs(connection: Connection, names: dict[str, str], now: datetime) -> list[str]:
    """Name product stubs as the order lines last called them; return those that were called otherwise before."""
    products = table("products", column("product_id"), column("name"), column("is_stub"))
    stored = select(products.c.product_id, products.c.name).where(products.c.is_stub)
    renamed = [
        product_id
        for product_ids in in_chunks(sorted(names))
        for product_id, name in connection.execute(stored.where(products.c.product_id.in_(product_ids)))
        if name != names[product_id]
    ]
    statement = text(
        "UPDATE products SET name = :name, updated_at = :now "
        "WHERE product_id = :product_id AND is_stub AND name <> :name"
    )
    written_at = sqlite_time(now) if connection.dialect.name == "sqlite" else now
    if renamed:
        connection.execute(statement, [{"product_id": key, "name": names[key], "now": written_at} for key in renamed])
    return renamed
