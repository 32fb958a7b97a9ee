"""Fixtures that every test shares: both databases, really migrated, and the folder of real data."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from service.storage.database import Base, alembic_config, create_database_engine

POSTGRES_URL = make_url(os.environ.get("NEXTOFFER_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/test"))
DATA_FOLDER = Path(__file__).parent.parent.parent / "shared" / "data"


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
    yield migrated_postgres.render_as_string(hide_password=False)
    engine = create_database_engine(migrated_postgres.render_as_string(hide_password=False))
    with engine.begin() as connection:
        # CASCADE: a test may have imported the accounts, say, but no table that refers to them.
        names = ", ".join(table.name for table in Base.metadata.sorted_tables)
        connection.execute(text(f"TRUNCATE {names} CASCADE"))
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
