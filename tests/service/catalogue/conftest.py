"""A client of the application on each of the two databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.service.imports.support import serving


@pytest.fixture
def api(database_url: str, artifacts_dir: Path) -> Iterator[TestClient]:
    """A client that may read and write."""
    with serving(database_url, artifacts_dir) as client:
        yield client
