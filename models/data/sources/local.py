"""Sales history from the database's training views."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from models.artifact import NO_NUMBER
from models.data.history import PRODUCT_NUMBERS, PRODUCT_TEXTS, History, build_history

LINE_NUMBERS = {"ordered_at": "ordered_at", "quantity": "quantity", "amount_minor": "COALESCE(amount_minor, 0)"}
PRODUCT_FACTS = {name: f"COALESCE(CAST({name} AS BIGINT), {NO_NUMBER})" for name in PRODUCT_NUMBERS} | {
    "is_active": "CAST(is_active AS INTEGER)"
}
ACCOUNT_FACTS = {"is_strategic": "CAST(is_strategic AS INTEGER)", "attributes": "CAST(attributes AS TEXT)"}


def history_from_database(url: str) -> History:
    """Read the training views through ADBC, all in one snapshot: columns, with no Python object per row.

    url: an SQLAlchemy URL of SQLite or PostgreSQL.
    """
    with _connect(url) as connection, connection.cursor() as cursor:
        if not url.startswith("sqlite"):
            # SQLite's transactions are snapshots by themselves.
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT CAST(sequence AS BIGINT) AS sequence FROM training_sequence")
        sequence = cursor.fetch_arrow_table()["sequence"][0].as_py()
        lines = _fetch(cursor, "training_order_lines", ("account_id", "order_id", "product_id"), LINE_NUMBERS)
        products = _fetch(cursor, "training_products", ("product_id", *PRODUCT_TEXTS), PRODUCT_FACTS)
        accounts = _fetch(cursor, "training_accounts", ("account_id",), ACCOUNT_FACTS)
    history = build_history(lines, products, accounts)
    return replace(history, sequence=int(sequence))


def _connect(url: str) -> Any:
    if url.startswith("sqlite"):
        import adbc_driver_sqlite.dbapi

        return adbc_driver_sqlite.dbapi.connect(url.split("///", 1)[1])
    import adbc_driver_postgresql.dbapi

    return adbc_driver_postgresql.dbapi.connect("postgresql://" + url.split("://", 1)[1])


def _fetch(cursor: Any, view: str, texts: Sequence[str], numbers: Mapping[str, str]) -> pa.Table:
    # No column may be null: for SQLite the driver infers each type from the first rows, and null tells it nothing.
    columns = [f"COALESCE({name}, '') AS {name}" for name in texts]
    columns += [f"{expression} AS {name}" for name, expression in numbers.items()]
    cursor.execute(f"SELECT {', '.join(columns)} FROM {view}")  # noqa: S608
    return cursor.fetch_arrow_table()
