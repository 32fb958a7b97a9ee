"""A million changes since the artifact: memory of the live state, replay at start, pace of the follower, pruning."""

import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from alembic import command
from rich.table import Table
from sqlalchemy import Engine

from benchmarks.measure import console, peak_memory_mib
from benchmarks.worlds import N_PRODUCTS, world
from models.artifact import Content
from service.base.logging import Logs
from service.base.telemetry import Telemetry
from service.orders.live import ORDERS_CHANGED
from service.readmodel.live_state import LiveState
from service.server.live_sections import LIVE_SECTIONS
from service.storage.database import alembic_config, create_database_engine
from service.sync.follower import ChangeFollower
from service.sync.sections import LiveSections

N_ACCOUNTS = 200_000
N_CHANGES = 1_000_000
LINES = 2
CHANGED_AT = "2024-02-01 00:00:00.000000"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/live.db"
        prepare(url)
        console.print(f"{N_CHANGES:,} orders of {LINES} lines by {N_ACCOUNTS:,} accounts, one change each; SQLite")
        jobs: dict[str, Callable[[str], object]] = {
            "the artifact's content alone": nothing,
            "live state, replayed from the first change": replay,
            "… by an artifact that has learned all but the last 1,000": replay_the_end,
            "floor: a dictionary of sets of identifiers": plain_sets,
        }
        table = Table(title="Live state since the artifact", title_justify="left")
        for name in ("state", "seconds", "changes per s", "peak MiB of a process of its own"):
            table.add_column(name, justify="left" if name == "state" else "right")
        for name, job in jobs.items():
            begun = time.perf_counter()
            job(url)
            seconds = time.perf_counter() - begun
            pace = f"{N_CHANGES / seconds:,.0f}" if job in (replay, plain_sets) else "-"
            table.add_row(name, f"{seconds:.1f}", pace, f"{peak_memory_mib(job, url):,.0f}")
        console.print(table)


def prepare(url: str) -> None:
    """Write the orders and their changes, as single posts would have."""
    command.upgrade(alembic_config(url), "head")
    rng = np.random.default_rng(1)
    accounts = rng.integers(0, N_ACCOUNTS, N_CHANGES).tolist()
    products = rng.integers(0, N_PRODUCTS, (N_CHANGES, LINES)).tolist()
    engine = create_database_engine(url)
    with engine.begin() as connection:
        stub = {"attributes": "{}", "is_stub": True, "updated_at": CHANGED_AT}
        insert_many(connection, "accounts", ({"account_id": f"account-{n}", **stub} for n in range(N_ACCOUNTS)))
        insert_many(
            connection,
            "products",
            ({"product_id": f"product-{n}", "name": f"{n}", "is_active": True, **stub} for n in range(N_PRODUCTS)),
        )
        order = {"ordered_at": CHANGED_AT, "is_cancelled": False}
        orders = ({"order_id": f"o-{n}", "account_id": f"account-{a}", **order} for n, a in enumerate(accounts))
        insert_many(connection, "orders", orders)
        lines = (
            {"order_id": f"o-{n}", "product_id": f"product-{p}", "ordinal": ordinal, "quantity": 1.0}
            for n, row in enumerate(products)
            for ordinal, p in enumerate(row)
        )
        insert_many(connection, "order_lines", lines)
        change = {"kind": ORDERS_CHANGED, "changed_at": CHANGED_AT}
        insert_many(connection, "changes", ({"ids": f'["account-{a}"]', **change} for a in accounts))
    engine.dispose()


def insert_many(connection: Any, table: str, rows: Iterator[dict[str, Any]]) -> None:
    cursor = connection.connection.cursor()
    first = next(rows)
    statement = f"INSERT INTO {table} ({', '.join(first)}) VALUES ({', '.join(f':{name}' for name in first)})"
    cursor.execute(statement, first)
    cursor.executemany(statement, rows)


def make_content() -> Content:
    return world(N_ACCOUNTS, np.random.default_rng(1))


def make_follower(url: str) -> tuple[ChangeFollower, Engine]:
    engine = create_database_engine(url)
    return ChangeFollower(engine, LiveSections(LIVE_SECTIONS), 1.0, Telemetry(), Logs("error").log), engine


def nothing(_url: str) -> Content:
    return make_content()


def replay(url: str) -> LiveState:
    follower, engine = make_follower(url)
    state = follower.open(nothing(url), 0, None)
    engine.dispose()
    return state


def replay_the_end(url: str) -> LiveState:
    follower, engine = make_follower(url)
    state = follower.open(nothing(url), N_CHANGES - 1000, None)
    engine.dispose()
    return state


def plain_sets(url: str) -> dict[str, set[str]]:
    nothing(url)
    engine = create_database_engine(url)
    owned: dict[str, set[str]] = {}
    with engine.connect() as connection:
        query = "SELECT account_id, product_id FROM orders JOIN order_lines USING (order_id)"
        for account_id, product_id in connection.exec_driver_sql(query):
            owned.setdefault(account_id, set()).add(product_id)
    engine.dispose()
    return owned
