"""Bulk SQL: records by their identifiers, and rows on each database's fast path."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects import postgresql, sqlite

RowStatus = Literal["created", "updated", "unchanged"]
BulkTarget = tuple[str, tuple[str, ...], tuple[str, ...]]
"""A table, its key columns, and its other columns, in the order of each row's values."""
IDS_PER_QUERY: Final = 1000


# --- records of any table ---------------------------------------------------------------------------------------------


def stored_rows(
    connection: Connection, table: Table, ids: Iterable[str], *, for_update: bool = False
) -> dict[str, dict[str, Any]]:
    """The stored rows of these identifiers, by identifier."""
    key = table.primary_key.columns[0]
    rows: dict[str, dict[str, Any]] = {}
    for chunk in in_chunks(sorted(set(ids))):
        query = select(table).where(key.in_(chunk)).order_by(key)
        for row in connection.execute(query.with_for_update() if for_update else query).mappings():
            rows[row[key.name]] = dict(row)
    return rows


def stored_ids(connection: Connection, table: Table, ids: Iterable[str]) -> set[str]:
    """Those of these identifiers that are stored."""
    key = table.primary_key.columns[0]
    chunks = in_chunks(sorted(set(ids)))
    return {stored for chunk in chunks for stored in connection.scalars(select(key).where(key.in_(chunk)))}


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
    """An INSERT with the database's own ON CONFLICT."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def sorted_rows(table: Table, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in the order of their keys: writers that lock rows in the same order can't deadlock."""
    keys = table.primary_key.columns.keys()
    return sorted(rows, key=lambda row: tuple(row[key] for key in keys))


def in_chunks(ids: Sequence[str], size: int = IDS_PER_QUERY) -> Iterator[Sequence[str]]:
    """Split identifiers into chunks that fit into one query."""
    return (ids[start : start + size] for start in range(0, len(ids), size))


def sqlite_time(time: datetime) -> str:
    """As ``UtcDateTime`` stores it."""
    return time.replace(tzinfo=None).isoformat(" ", "microseconds")


def _sqlite_insert(connection: Connection, target: BulkTarget, rows: Sequence[tuple[Any, ...]]) -> int:
    table, keys, values = target
    if not rows:
        return 0
    columns = (*keys, *values)
    marks = ", ".join("?" * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608
    return connection.exec_driver_sql(statement, list(rows)).rowcount


def _sqlite_upsert(connection: Connection, target: BulkTarget, rows: Sequence[tuple[Any, ...]]) -> tuple[int, int]:
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


def _copy(connection: Connection, target: BulkTarget, rows: Sequence[tuple[Any, ...]]) -> int:
    """COPY into a temporary table, and insert from there the rows that are not stored yet."""
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
    # Sorted: concurrent writers that lock rows in the same order can't deadlock.
    statement = (
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM staged_{table} "  # noqa: S608
        f"ORDER BY {order} ON CONFLICT DO NOTHING"
    )
    return connection.exec_driver_sql(statement).rowcount


def _copy_upsert(connection: Connection, target: BulkTarget, rows: Sequence[tuple[Any, ...]]) -> tuple[int, int]:
    new = _copy(connection, target, rows)
    if new == len(rows):
        return new, 0
    table, keys, values = target
    # The planner has no statistics of a temporary table until it is analysed.
    connection.exec_driver_sql(f"ANALYZE staged_{table}")
    assign = ", ".join(f"{name} = staged.{name}" for name in values)
    same_key = " AND ".join(f"stored.{name} = staged.{name}" for name in keys)
    differs = " OR ".join(f"stored.{name} IS DISTINCT FROM staged.{name}" for name in values)
    statement = f"UPDATE {table} stored SET {assign} FROM staged_{table} staged WHERE {same_key} AND ({differs})"  # noqa: S608
    return new, connection.exec_driver_sql(statement).rowcount


def insert_new(connection: Connection, target: BulkTarget, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert rows on the database's fast path and return how many are new; rows of a stored key are skipped.

    Times are given as the database stores them: see ``sqlite_time``.
    """
    insert = _sqlite_insert if connection.dialect.name == "sqlite" else _copy
    return insert(connection, target, rows)


def upsert_changed(connection: Connection, target: BulkTarget, rows: Sequence[tuple[Any, ...]]) -> tuple[int, int]:
    """Insert or update rows on the database's fast path; return how many are new and how many changed.

    Rows that are stored as they are given are not written again. Times: see ``sqlite_time``.
    """
    upsert = _sqlite_upsert if connection.dialect.name == "sqlite" else _copy_upsert
    return upsert(connection, target, rows)
