"""An application on each of the two databases, over the coffee shop's artifact with probabilities."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from service.base.settings import Settings
from tests.artifacts import coffee_world
from tests.service.conftest import InstallWorld, make_key, make_settings, running

RATES = dict.fromkeys((product.product_id for product in coffee_world().products), 0.01)
RATES |= {"filter": 0.1, "grinder-pro": 0.05, "scale": 0.1, "milk": 0.25, "mug": 0.03, "kettle": 0.02, "syrup": 0.02}


@pytest.fixture
def settings(database_url: str, artifacts_dir: Path, install_world: InstallWorld) -> Settings:
    """Settings over each database in turn."""
    install_world(artifacts_dir, replace(coffee_world(), rates=RATES), sequence=0)
    return make_settings(database_url, artifacts_dir)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """An admin's client, over each database."""
    with running(settings, make_key(settings.database_url, "admin")) as made:
        yield made
