"""Fixtures that every test shares: both databases, really migrated, and the folder of real data."""

import importlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from alembic import command
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import Pool

from service.storage.database import Base, alembic_config, create_database_engine

POSTGRES_URL = make_url(os.environ.get("NEXTOFFER_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/test"))
DATA_FOLDER = Path(__file__).parent.parent.parent / "shared" / "data"


# How long an example takes depends on what else the machine does: that is no failure.
hypothesis.settings.register_profile("nextoffer", deadline=None)
hypothesis.settings.load_profile("nextoffer")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the demo: workers take tests from the end of each other's lists, and would set it up twice."""
    items.sort(key=lambda item: item.path.name != "test_demo.py")


@pytest.fixture(scope="session", autouse=True)
def unsynchronized_disk() -> Iterator[None]:
    """Don't wait for the disk: no test cuts the power, and a killed process loses nothing that it wrote.

    Processes that tests start keep the service's own settings.
    """

    def relax(connection: object, _record: object, _proxy: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous=OFF")

    event.listen(Pool, "checkout", relax)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _descriptor: None)
        yield
    event.remove(Pool, "checkout", relax)


@pytest.fixture(scope="session", autouse=True)
def working_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder of its own for what tests write beside them, such as files of rejected rows; never the checkout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("working"))
        yield


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The shared folder of real data sets; the test is skipped where it is absent."""
    if not DATA_FOLDER.is_dir():
        pytest.skip("the folder of shared data sets is not beside this checkout")
    return DATA_FOLDER


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file that tests copy."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    command.upgrade(alembic_config(f"sqlite:///{path}"), "head")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(worker_id: str) -> Iterator[URL]:
    """A migrated, empty PostgreSQL database of this worker's own, dropped at the end."""
    url = POSTGRES_URL.set(database=f"nextoffer_test_{worker_id}_{os.getpid()}")
    server = create_engine(POSTGRES_URL, isolation_level="AUTOCOMMIT")
    try:
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {url.database}"))
            connection.execute(text(f"ALTER DATABASE {url.database} SET synchronous_commit = off"))
    except OperationalError as error:
        if os.environ.get("CI"):
            pytest.fail(f"PostgreSQL can't be reached at {POSTGRES_URL.host}:{POSTGRES_URL.port}: {error}")
        pytest.skip("no PostgreSQL is reachable; set NEXTOFFER_TEST_POSTGRES_URL")
    command.upgrade(alembic_config(url), "head")
    yield url
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {url.database} WITH (FORCE)"))
    server.dispose()


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """A fresh migrated SQLite database."""
    shutil.copy(migrated_sqlite, tmp_path / "nextoffer.db")
    return f"sqlite:///{tmp_path / 'nextoffer.db'}"


@pytest.fixture
def postgres_url(migrated_postgres: URL) -> Iterator[str]:
    """The worker's PostgreSQL database, emptied afterwards."""
    # A table that refers to others is emptied only if it is known, whatever the test itself imports.
    importlib.import_module("service.server.app")
    url = migrated_postgres.render_as_string(hide_password=False)
    yield url
    engine = create_database_engine(url)
    with engine.begin() as connection:
        # TRUNCATE makes new files for every table and index: 0.25 s, where to delete a few rows takes milliseconds.
        tables = reversed(Base.metadata.sorted_tables)
        connection.exec_driver_sql(";".join(f"DELETE FROM {table.name}" for table in tables))
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each of the two databases in turn: what a test of stored things runs on."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on each of the two databases in turn."""
    made = create_database_engine(database_url)
    yield made
    made.dispose()
