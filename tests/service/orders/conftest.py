"""A client of the application on each of the two databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from service.storage.database import create_database_engine
from tests.service.imports.support import serving


@pytest.fixture
def api(database_url: str, artifacts_dir: Path) -> Iterator[TestClient]:
    """A client that may read and write."""
    with serving(database_url, artifacts_dir) as client:
        yield client


@pytest.fixture
def sqlite_api(sqlite_url: str, artifacts_dir: Path) -> Iterator[TestClient]:
    """For rules that no database has a part in."""
    with serving(sqlite_url, artifacts_dir) as client:
        yield client


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    """The database behind ``sqlite_api``."""
    made = create_database_engine(sqlite_url)
    yield made
    made.dispose()
