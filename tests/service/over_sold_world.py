"""Fixtures of an application on each of the two databases, over an artifact whose accounts have a history."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from service.base.settings import Settings
from tests.service.conftest import Watch, make_key, make_settings, running


@pytest.fixture
def version(sold_version: str) -> str:
    """The artifact, written and activated."""
    return sold_version


@pytest.fixture
def settings(database_url: str, artifacts_dir: Path, version: str) -> Settings:
    """Settings over each database in turn."""
    return make_settings(database_url, artifacts_dir)


@pytest.fixture
def key(settings: Settings) -> str:
    """A key that opens everything."""
    return make_key(settings.database_url, "admin")


@pytest.fixture
def client(settings: Settings, key: str, watch: Watch) -> Iterator[TestClient]:
    """An admin's client, over each database."""
    with running(settings, key, now=watch) as made:
        yield made
