"""Properties: neither the batches nor the format of a file matter to what is stored."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from service.imports.importer import import_file
from service.rows.options import ImportOptions
from service.storage.database import create_database_engine
from tests.service.imports.support import State, database_state, write_csv, write_ndjson, write_parquet

LINES = st.fixed_dictionaries(
    {
        "order_id": st.sampled_from(["o1", "o2", "o3"]),
        "account_id": st.sampled_from(["a1", "a2", ""]),
        "product_id": st.sampled_from(["p1", "P 1", "p2"]),
        "ordered_at": st.sampled_from(["2024-01-01", "2024-01-01T10:00:00+02:00", "never"]),
        "quantity": st.sampled_from(["1", "2.5", "-1", "x"]),
        "amount": st.sampled_from(["", "1.005", "-3", "9.99"]),
        "currency": st.sampled_from(["EUR", "EUR", "JPY"]),
        "status": st.sampled_from(["", "", "cancelled"]),
        "product_name": st.sampled_from(["", "One", "Two"]),
    }
)
FILES = st.lists(LINES, min_size=1, max_size=25)
FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@contextmanager
def fresh_database(template: Path) -> Iterator[tuple[Engine, Path]]:
    """A database of its own for one example, and a folder."""
    with TemporaryDirectory() as folder:
        shutil.copy(template, Path(folder) / "example.db")
        engine = create_database_engine(f"sqlite:///{folder}/example.db")
        yield engine, Path(folder)
        engine.dispose()


def state_after(
    template: Path, write: Any, name: str, rows: list[dict[str, str]], batch_rows: int, times: int = 1
) -> State:
    with fresh_database(template) as (engine, folder):
        import_file(engine, "products", [write_csv(folder / "products.csv", [{"product_id": "p1"}])])
        options = ImportOptions(batch_rows=batch_rows, rejects=folder / "rejects.csv")
        for _ in range(times):
            import_file(engine, "orders", [write(folder / name, rows)], options)
        return database_state(engine)


@FEW
@given(rows=FILES, batch_rows=st.integers(1, 8), times=st.integers(1, 2))
def test_any_batches_and_repetitions_store_what_one_batch_stores(
    migrated_sqlite: Path, rows: list[dict[str, str]], batch_rows: int, times: int
) -> None:
    assert state_after(migrated_sqlite, write_csv, "lines.csv", rows, batch_rows, times) == state_after(
        migrated_sqlite, write_csv, "lines.csv", rows, 1000
    )


@FEW
@given(rows=FILES)
def test_every_format_stores_the_same(migrated_sqlite: Path, rows: list[dict[str, str]]) -> None:
    expected = state_after(migrated_sqlite, write_csv, "lines.csv", rows, 10)

    for write, name in (
        (write_csv, "lines.csv.gz"),
        (write_ndjson, "lines.ndjson"),
        (write_ndjson, "lines.ndjson.gz"),
        (write_parquet, "lines.parquet"),
    ):
        assert state_after(migrated_sqlite, write, name, rows, 10) == expected


@pytest.mark.postgres
def test_both_databases_store_the_same(sqlite_url: str, postgres_url: str, tmp_path: Path) -> None:
    rows = [
        {"order_id": f"o{number % 7}", "product_id": f"p{number % 3}", "ordered_at": "2024-01-01", "amount": "0.1"}
        for number in range(40)
    ]
    path = write_csv(tmp_path / "lines.csv", rows)
    states = []
    for url in (sqlite_url, postgres_url):
        engine = create_database_engine(url)
        import_file(engine, "orders", [path], ImportOptions(batch_rows=9))
        states.append(database_state(engine))
        engine.dispose()

    assert states[0] == states[1]


def test_imports_at_the_same_time_store_what_one_after_the_other_stores(database_url: str, tmp_path: Path) -> None:
    rows = [
        {"order_id": f"o{number % 500}", "account_id": f"a{number % 500 % 7}", "product_id": f"p{number % 11}"}
        | {"ordered_at": "2024-01-01", "quantity": str(number % 3 + 1)}
        for number in range(3000)
    ]
    paths = [write_csv(tmp_path / "forth.csv", rows), write_csv(tmp_path / "back.csv", rows)]

    def run(path: Path) -> None:
        engine = create_database_engine(database_url)
        import_file(engine, "orders", [path], ImportOptions(batch_rows=100))
        engine.dispose()

    with ThreadPoolExecutor() as pool:
        list(pool.map(run, paths))

    engine = create_database_engine(database_url)
    together = database_state(engine)
    summary = import_file(engine, "orders", paths)
    assert database_state(engine) == together
    assert (summary.rows.new, summary.rows.changed) == (0, 0)
    engine.dispose()
