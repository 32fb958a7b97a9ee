"""A client of the application on each of the two databases, in a folder where rejects files may be written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from service.storage.database import create_database_engine
from tests.service.imports.support import serving

SUMMER = "2024-06-01T00:00:00Z"


def deal(deal_id: str = "d", stage: str = "Engaging", **fields: Any) -> dict[str, Any]:
    """One deal as it is posted."""
    return {"deal_id": deal_id, "account_id": "A", "product_id": "p", "stage": stage, **fields}


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
