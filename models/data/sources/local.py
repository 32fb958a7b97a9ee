"""Sales history from the database's training views."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from models.artifact import NO_NUMBER
from models.data.day_zone import DayZone
from models.data.history import PRODUCT_FLAGS, PRODUCT_NUMBERS, PRODUCT_TEXTS, History, build_history
from models.exchange import ExchangeOptions, ExchangeRates

LINE_NUMBERS = {
    "ordered_at": "ordered_at",
    "quantity": "quantity",
    "amount_minor": f"COALESCE(amount_minor, CAST('{NO_NUMBER}' AS BIGINT))",
}
PRODUCT_FACTS = {name: f"COALESCE(CAST({name} AS BIGINT), {NO_NUMBER})" for name in PRODUCT_NUMBERS} | {
    name: f"CAST({name} AS INTEGER)" for name in PRODUCT_FLAGS
}
ACCOUNT_FACTS = {"is_strategic": "CAST(is_strategic AS INTEGER)", "attributes": "CAST(attributes AS TEXT)"}


RATE_TEXTS = ("base_currency", "quote_currency")
RATE_NUMBERS = {"valid_from_day": "valid_from_day", "rate": "rate"}


def history_from_database(url: str, reporting_currency: str | None = None, timezone: str = "UTC") -> History:
    """Read the training views through ADBC, all in one snapshot: columns, with no Python object per row.

    url: an SQLAlchemy URL of SQLite or PostgreSQL. reporting_currency: by default that of most order lines.
    timezone: of days, an IANA name.
    """
    with _connect(url) as connection, connection.cursor() as cursor:
        if not url.startswith("sqlite"):
            # SQLite's transactions are snapshots by themselves.
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT CAST(sequence AS BIGINT) AS sequence FROM training_sequence")
        sequence = cursor.fetch_arrow_table()["sequence"][0].as_py()
        lines = _fetch(
            cursor, "training_order_lines", ("account_id", "order_id", "product_id", "currency"), LINE_NUMBERS
        )
        products = _fetch(cursor, "training_products", ("product_id", *PRODUCT_TEXTS), PRODUCT_FACTS)
        accounts = _fetch(cursor, "training_accounts", ("account_id",), ACCOUNT_FACTS)
        rates = _fetch(cursor, "training_exchange_rates", RATE_TEXTS, RATE_NUMBERS)
    columns = (rates[name].to_pylist() for name in (*RATE_TEXTS, *RATE_NUMBERS))
    exchange = ExchangeOptions(reporting_currency, ExchangeRates.from_rows(zip(*columns, strict=True)))
    history = build_history(_with_nulls(lines, "amount_minor"), products, accounts, exchange, DayZone(timezone))
    return replace(history, sequence=int(sequence))


def _with_nulls(table: pa.Table, name: str) -> pa.Table:
    """The table with nulls in place of NO_NUMBER in one column."""
    column = table[name]
    values = pc.if_else(pc.equal(column, pa.scalar(NO_NUMBER, column.type)), pa.scalar(None, column.type), column)
    return table.set_column(table.column_names.index(name), name, values)


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
