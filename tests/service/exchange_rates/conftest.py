"""A client of the application on each of the two databases, in a folder where rejects files may be written."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from service.storage.database import create_database_engine
from tests.service.imports.support import serving


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def api(database_url: str, artifacts_dir: Path) -> Iterator[TestClient]:
    """A client that may read and write."""
    with serving(database_url, artifacts_dir) as client:
        yield client


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    """For rules that no database has a part in."""
    made = create_database_engine(sqlite_url)
    yield made
    made.dispose()
