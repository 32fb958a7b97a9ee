"""Sales history on one machine: files, or the database's training views."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from models.artifact import NO_NUMBER
from models.data.columns import to_lines
from models.data.errors import HistoryInvalid
from models.data.history import PRODUCT_NUMBERS, PRODUCT_TEXTS, History, build_history

LINE_NUMBERS = {"ordered_at": "ordered_at", "quantity": "quantity", "amount_minor": "COALESCE(amount_minor, 0)"}
PRODUCT_FACTS = {name: f"COALESCE(CAST({name} AS BIGINT), {NO_NUMBER})" for name in PRODUCT_NUMBERS} | {
    "is_active": "CAST(is_active AS INTEGER)"
}
ACCOUNT_FACTS = {"is_strategic": "CAST(is_strategic AS INTEGER)", "attributes": "CAST(attributes AS TEXT)"}
TEXT_COLUMNS = ("account_id", "order_id", "product_id", "ordered_at", *PRODUCT_TEXTS)


def history_from_files(
    orders: Sequence[Path], products: Path | None, accounts: Path | None, renames: Mapping[str, str]
) -> History:
    """Read order lines, and products and accounts where given, from CSV, NDJSON (each may be gzipped) or Parquet.

    Raises HistoryInvalid with the file, the row and the field.
    """
    lines = pa.concat_tables([to_lines(_read_table(path, renames), str(path), renames) for path in orders])
    return build_history(
        lines,
        _described(products, "product_id", renames) if products else None,
        _described(accounts, "account_id", renames) if accounts else None,
    )


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
    history = build_history(to_lines(lines, "the database", {}), products, accounts)
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


def _described(path: Path, identifier: str, renames: Mapping[str, str]) -> pa.Table:
    table = _read_table(path, renames)
    table = table.rename_columns([renames.get(name, name) for name in table.column_names])
    if identifier not in table.column_names:
        raise HistoryInvalid(
            str(path), [f"no column {identifier}; the columns are {', '.join(table.column_names)}. Use --map"]
        )
    return table.set_column(table.column_names.index(identifier), identifier, table[identifier].cast(pa.string()))


def _read_table(path: Path, renames: Mapping[str, str]) -> pa.Table:
    """Read a whole file; identifiers in CSV stay text, so that 00123 keeps its zeros."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    try:
        if ".parquet" in suffixes:
            return pyarrow.parquet.read_table(path)
        if ".ndjson" in suffixes or ".jsonl" in suffixes:
            return pyarrow.json.read_json(path)
        texts = {theirs: pa.string() for theirs, ours in renames.items() if ours in TEXT_COLUMNS}
        types = texts | {name: pa.string() for name in TEXT_COLUMNS}
        options = pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True)
        return pyarrow.csv.read_csv(path, convert_options=options)
    except (OSError, pa.ArrowInvalid) as error:
        raise HistoryInvalid(str(path), [str(error)]) from error
