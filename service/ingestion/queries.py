"""The SQL of bulk input: records by their identifiers, and order lines on each database's fast path."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, Table, column, select, table, text
from sqlalchemy.dialects import postgresql, sqlite

from service.live.changes import ChangeKind, ChangeLog

RowStatus = Literal["created", "updated", "unchanged"]
OrderRow = tuple[str, str | None, datetime, str | None, bool]
"""order_id, account_id, ordered_at, currency, is_cancelled"""
LineRow = tuple[str, str, int, float, int | None]
"""order_id, product_id, ordinal, quantity, amount_minor"""
_IDS_PER_QUERY: Final = 1000


# --- records of any table ---------------------------------------------------------------------------------------------


def stored_rows(
    connection: Connection, table: Table, ids: Iterable[str], *, for_update: bool = False
) -> dict[str, dict[str, Any]]:
    """The stored rows of some identifiers."""
    key = table.primary_key.columns[0]
    found: dict[str, dict[str, Any]] = {}
    for some in _some(sorted(set(ids))):
        query = select(table).where(key.in_(some)).order_by(key)
        for row in connection.execute(query.with_for_update() if for_update else query).mappings():
            found[row[key.name]] = dict(row)
    return found


def stored_ids(connection: Connection, table: Table, ids: Iterable[str]) -> set[str]:
    """Which of some identifiers are stored."""
    key = table.primary_key.columns[0]
    return {found for some in _some(sorted(set(ids))) for found in connection.scalars(select(key).where(key.in_(some)))}


def add_stubs(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Add records that were named before anyone described them, unless they are stored."""
    if rows:
        connection.execute(insert_into(connection, table).on_conflict_do_nothing(), sorted_rows(table, rows))


def upsert_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert whole rows, or overwrite those of the same key."""
    statement = insert_into(connection, table)
    keys = table.primary_key.columns.keys()
    columns = {name: statement.excluded[name] for name in table.columns.keys() if name not in keys}  # noqa: SIM118
    if rows:
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=columns), sorted_rows(table, rows))


def insert_into(connection: Connection, table: Table) -> Any:
    """An INSERT that knows the database's ON CONFLICT."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def sorted_rows(table: Table, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in the order of their keys: writers that lock rows in one order can't wait for each other in a ring."""
    keys = table.primary_key.columns.keys()
    return sorted(rows, key=lambda row: tuple(row[key] for key in keys))


def _some(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _IDS_PER_QUERY):
        yield ids[start : start + _IDS_PER_QUERY]


# --- orders ----------------------------------------------------------------------------------------------------------


@dataclass
class OrderBatch:
    """Orders and lines that are written together, or not at all."""

    account_ids: set[str] = field(default_factory=set)
    product_names: dict[str, str] = field(default_factory=dict)
    """Names of products that are not stored yet."""
    orders: list[OrderRow] = field(default_factory=list)
    lines: list[LineRow] = field(default_factory=list)


@dataclass(frozen=True)
class Written:
    """What a batch did: stubs added; orders and lines that are new or changed."""

    account_stubs: int
    product_stubs: int
    orders: tuple[int, int]
    lines: tuple[int, int]


_ORDERS: Final = ("orders", ("order_id",), ("account_id", "ordered_at", "currency", "is_cancelled"))
_LINES: Final = ("order_lines", ("order_id", "product_id", "ordinal"), ("quantity", "amount_minor"))
_ACCOUNTS: Final = ("accounts", ("account_id",), ("attributes", "is_stub", "updated_at"))
_PRODUCTS: Final = ("products", ("product_id",), ("name", "attributes", "is_active", "is_stub", "updated_at"))
_IMPORT_LOCK: Final = 0x6E786F696D70
"""Imports take turns, batch by batch: an UPDATE that joins locks rows in an order of its own. SQLite has one writer."""
_Target = tuple[str, tuple[str, ...], tuple[str, ...]]


def write_orders(connection: Connection, batch: OrderBatch, now: datetime, changes: ChangeLog) -> Written:
    """Write one batch with what it names. Rows that are stored as they are given are not written again.

    changes: is told which accounts the batch touched, those included that an order belonged to before.
    """
    stored_owners = _owners_of(connection, [order[0] for order in batch.orders])
    written = _write_batch(connection, batch, now)
    if any(written.orders) or any(written.lines):
        changes.touch(ChangeKind.ORDERS, batch.account_ids | stored_owners)
    return written


def _owners_of(connection: Connection, order_ids: Sequence[str]) -> set[str]:
    """The accounts of those orders that are stored. An import of new orders finds none, by the key alone."""
    orders = table("orders", column("order_id"), column("account_id"))
    return {
        owner
        for some in _some(sorted(order_ids))
        for owner in connection.scalars(select(orders.c.account_id).where(orders.c.order_id.in_(some)))
        if owner is not None
    }


def _write_batch(connection: Connection, batch: OrderBatch, now: datetime) -> Written:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_IMPORT_LOCK,))
        return _write_with(connection, batch, now, batch.orders, _copy, _copy_upsert)
    orders = [(order_id, account, sqlite_time(moment), *rest) for order_id, account, moment, *rest in batch.orders]
    return _write_with(connection, batch, sqlite_time(now), orders, _sqlite_insert, _sqlite_upsert)


def _write_with(
    connection: Connection,
    batch: OrderBatch,
    now: datetime | str,
    orders: Sequence[tuple[Any, ...]],
    insert: Callable[[Connection, _Target, Sequence[tuple[Any, ...]]], int],
    upsert: Callable[[Connection, _Target, Sequence[tuple[Any, ...]]], tuple[int, int]],
) -> Written:
    accounts = [(account_id, "{}", True, now) for account_id in sorted(batch.account_ids)]
    products = [(product_id, name, "{}", True, True, now) for product_id, name in sorted(batch.product_names.items())]
    return Written(
        insert(connection, _ACCOUNTS, accounts),
        insert(connection, _PRODUCTS, products),
        upsert(connection, _ORDERS, orders),
        upsert(connection, _LINES, batch.lines),
    )


def rename_stubs(connection: Connection, names: dict[str, str], now: datetime) -> list[str]:
    """Name product stubs as the order lines last called them; return those that were called otherwise before."""
    products = table("products", column("product_id"), column("name"), column("is_stub"))
    stored = select(products.c.product_id, products.c.name).where(products.c.is_stub)
    renamed = [
        product_id
        for some in _some(sorted(names))
        for product_id, name in connection.execute(stored.where(products.c.product_id.in_(some)))
        if name != names[product_id]
    ]
    statement = text(
        "UPDATE products SET name = :name, updated_at = :now "
        "WHERE product_id = :product_id AND is_stub AND name <> :name"
    )
    at = sqlite_time(now) if connection.dialect.name == "sqlite" else now
    if renamed:
        connection.execute(statement, [{"product_id": key, "name": names[key], "now": at} for key in renamed])
    return renamed


def sqlite_time(moment: datetime) -> str:
    """As ``UtcDateTime`` stores it."""
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def _sqlite_insert(connection: Connection, target: _Target, rows: Sequence[tuple[Any, ...]]) -> int:
    table, keys, values = target
    if not rows:
        return 0
    columns = (*keys, *values)
    marks = ", ".join("?" * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608
    return connection.exec_driver_sql(statement, list(rows)).rowcount


def _sqlite_upsert(connection: Connection, target: _Target, rows: Sequence[tuple[Any, ...]]) -> tuple[int, int]:
    new = _sqlite_insert(connection, target, rows)
    if new == len(rows):
        return new, 0
    table, keys, values = target
    places = {name: number for number, name in enumerate((*keys, *values), start=1)}
    assign = ", ".join(f"{name} = ?{places[name]}" for name in values)
    same_key = " AND ".join(f"{name} = ?{places[name]}" for name in keys)
    differs = " OR ".join(f"{name} IS NOT ?{places[name]}" for name in values)
    statement = f"UPDATE {table} SET {assign} WHERE {same_key} AND ({differs})"  # noqa: S608
    return new, connection.exec_driver_sql(statement, list(rows)).rowcount


def _copy(connection: Connection, target: _Target, rows: Sequence[tuple[Any, ...]]) -> int:
    """COPY into a temporary table, and from there whatever is not stored yet."""
    table, keys, values = target
    if not rows:
        return 0
    columns = ", ".join((*keys, *values))
    order = ", ".join(keys)
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS staged_{table}")
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE staged_{table} ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA"  # noqa: S608
    )
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY staged_{table} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    # Sorted: concurrent writers that lock rows in one order can't wait for each other in a ring.
    statement = (
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM staged_{table} "  # noqa: S608
        f"ORDER BY {order} ON CONFLICT DO NOTHING"
    )
    return connection.exec_driver_sql(statement).rowcount


def _copy_upsert(connection: Connection, target: _Target, rows: Sequence[tuple[Any, ...]]) -> tuple[int, int]:
    new = _copy(connection, target, rows)
    if new == len(rows):
        return new, 0
    table, keys, values = target
    # The planner knows nothing of a temporary table until it is told.
    connection.exec_driver_sql(f"ANALYZE staged_{table}")
    assign = ", ".join(f"{name} = staged.{name}" for name in values)
    same_key = " AND ".join(f"stored.{name} = staged.{name}" for name in keys)
    differs = " OR ".join(f"stored.{name} IS DISTINCT FROM staged.{name}" for name in values)
    statement = f"UPDATE {table} stored SET {assign} FROM staged_{table} staged WHERE {same_key} AND ({differs})"  # noqa: S608
    return new, connection.exec_driver_sql(statement).rowcount


def insert_new(connection: Connection, target: _Target, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert rows on the database's fast path; those of a stored key are passed over. Times: see ``sqlite_time``.

    target: the table, its key columns, and its other columns, in the order of each row's values.
    """
    insert = _sqlite_insert if connection.dialect.name == "sqlite" else _copy
    return insert(connection, target, rows)
