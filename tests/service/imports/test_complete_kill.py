"""An import with --complete that is killed, really, removes nothing; another run removes what the file lacks."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from service.imports.importer import import_file
from service.orders.tables import Order, OrderLine
from service.rows.options import ImportOptions
from tests.service.imports.support import write_csv

ORDERS = 4_000
PROGRAM = """
import sys
from pathlib import Path
from service.storage.database import create_database_engine
from service.imports.importer import import_file
from service.rows.options import ImportOptions

options = ImportOptions(batch_rows=200, is_complete=True, allow_removals=1)
import_file(create_database_engine(sys.argv[1]), "orders", [Path("lines.csv")], options)
"""


def write_lines(name: str, *, is_edited: bool) -> Path:
    """Two lines an order; once edited, every other order has one line fewer and a tenth is gone."""
    rows = [
        {
            "order_id": f"o{order}",
            "product_id": f"p{place}",
            "ordered_at": "2024-02-29",
            "quantity": 2 if is_edited else 1,
        }
        for order in range(ORDERS)
        for place in range(2)
        if not is_edited or (order % 10 != 5 and not (place and order % 2))
    ]
    return write_csv(Path(name), rows)


def count(engine: Engine) -> tuple[int, int, int]:
    """Lines, cancelled orders, and lines that the second import has written."""
    with engine.connect().execution_options(sqlite_begin="DEFERRED") as connection:
        n_lines = connection.scalar(select(func.count()).select_from(OrderLine)) or 0
        n_cancelled = connection.scalar(select(func.count()).select_from(Order).where(Order.is_cancelled)) or 0
        n_edited = connection.scalar(select(func.count()).select_from(OrderLine).where(OrderLine.quantity == 2)) or 0
    return n_lines, n_cancelled, n_edited


@pytest.mark.slow
def test_a_killed_complete_import_removes_nothing_and_a_second_run_does(database_url: str, engine: Engine) -> None:
    import_file(engine, "orders", [write_lines("first.csv", is_edited=False)])
    write_lines("lines.csv", is_edited=True)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, database_url], env=environment)
    deadline = time.monotonic() + 120
    while count(engine)[2] < ORDERS // 4 and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    after_kill = count(engine)

    import_file(engine, "orders", [Path("lines.csv")], ImportOptions(is_complete=True, allow_removals=1))

    gone, edited = ORDERS // 10, ORDERS // 2 - ORDERS // 10
    assert after_kill[:2] == (2 * ORDERS, 0)
    assert count(engine) == (2 * ORDERS - edited, gone, 2 * (ORDERS - gone) - edited)
