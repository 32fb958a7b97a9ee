"""What tests of training share."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from service.storage.database import create_database_engine


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    """For rules that no database has a part in."""
    made = create_database_engine(sqlite_url)
    yield made
    made.dispose()
