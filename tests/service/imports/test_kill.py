"""An import that is killed, really, leaves whole orders behind; another run completes it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from service.imports.importer import import_file
from service.orders.tables import Order
from service.rows.options import ImportOptions
from service.storage.database import create_database_engine
from tests.service.imports.support import database_state, write_csv

LINES_PER_ORDER = 3
ORDERS = 7_000
BATCH_ROWS = 300
PROGRAM = """
import sys
from pathlib import Path
from service.storage.database import create_database_engine
from service.imports.importer import import_file
from service.rows.options import ImportOptions

engine = create_database_engine(sys.argv[1])
import_file(engine, "orders", [Path("lines.csv")], ImportOptions(batch_rows=int(sys.argv[2])))
"""


def write_lines() -> Path:
    rows = [
        {
            "order_id": f"o{order}",
            "account_id": f"a{order % 97}" if order % 5 else "",
            "product_id": f"p{(order * 7 + place) % 301}",
            "ordered_at": "2024-02-29",
            "quantity": "bad" if order % 1000 == 999 and place == 1 else place + 1,
            "amount": f"{order}.{place:02}",
        }
        for order in range(ORDERS)
        for place in range(LINES_PER_ORDER)
    ]
    return write_csv(Path("lines.csv"), rows)


def kill_after_some_orders(database_url: str, engine: Engine, wanted: int) -> None:
    """Import in another process, and kill it with SIGKILL once so many orders are stored."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, database_url, str(BATCH_ROWS)], env=_environment())
    try:
        deadline = time.monotonic() + 60
        while count_orders(engine) < wanted and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}


def count_orders(engine: Engine) -> int:
    with engine.connect().execution_options(sqlite_begin="DEFERRED") as connection:
        return connection.scalar(select(func.count()).select_from(Order)) or 0


def undisturbed(tmp_path: Path, migrated_sqlite: Path) -> Engine:
    copy = tmp_path / "undisturbed.db"
    copy.write_bytes(migrated_sqlite.read_bytes())
    engine = create_database_engine(f"sqlite:///{copy}")
    import_file(engine, "orders", [tmp_path / "lines.csv"], ImportOptions(batch_rows=BATCH_ROWS))
    return engine


@pytest.mark.slow
def test_a_killed_import_leaves_whole_orders_and_a_second_run_completes_it(
    database_url: str, engine: Engine, migrated_sqlite: Path, folder: Path
) -> None:
    path = write_lines()
    for wanted in (1, ORDERS // 3):
        kill_after_some_orders(database_url, engine, wanted)

        state = database_state(engine)
        orders = {row[0] for row in state["orders"]}
        lines = [row[0] for row in state["order_lines"]]
        assert wanted <= len(orders) < ORDERS
        assert set(lines) == orders
        assert all(lines.count(order) == expected_lines(order) for order in sorted(orders)[:200])
        assert len(lines) == sum(map(expected_lines, orders))

    import_file(engine, "orders", [path], ImportOptions(batch_rows=BATCH_ROWS))

    expected = undisturbed(folder, migrated_sqlite)
    assert database_state(engine) == database_state(expected)
    expected.dispose()


def expected_lines(order_id: str) -> int:
    return LINES_PER_ORDER - (int(order_id[1:]) % 1000 == 999)
