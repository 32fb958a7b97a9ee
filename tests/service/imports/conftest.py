"""Every import here happens in a folder of its own, where rejects files may be written."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from service.storage.database import create_database_engine


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    """For rules that no database has a part in."""
    made = create_database_engine(sqlite_url)
    yield made
    made.dispose()
