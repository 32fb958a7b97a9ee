"""A running application on each of the two databases, over the coffee shop's artifact."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.storage.changes import newest_sequence
from tests.artifacts import World
from tests.service.conftest import InstallWorld, make_key, make_settings, running

URL = "/v1/recommendations"


@pytest.fixture
def version(artifacts_dir: Path, world: World, install_world: InstallWorld) -> str:
    """The world's artifact, trained before the first change of the database."""
    return install_world(artifacts_dir, world, sequence=0)


@pytest.fixture
def settings(database_url: str, artifacts_dir: Path) -> Settings:
    """Settings over each database in turn."""
    return make_settings(database_url, artifacts_dir)


@pytest.fixture
def key(settings: Settings) -> str:
    """A key that opens everything."""
    return make_key(settings.database_url, "admin")


@pytest.fixture
def client(settings: Settings, key: str, version: str) -> Iterator[TestClient]:
    """An admin's client of an application."""
    with running(settings, key) as made:
        yield made


@pytest.fixture
def another(settings: Settings, key: str) -> Callable[[], Any]:
    """Starts another application on the same database and artifacts."""
    return lambda: running(settings, key)


def order(order_id: str, account_id: str | None, *product_ids: str, **fields: Any) -> dict[str, Any]:
    """One order as it is posted."""
    lines = [{"product_id": product_id, "quantity": fields.pop("quantity", 1)} for product_id in product_ids]
    return {"order_id": order_id, "account_id": account_id, "ordered_at": "2024-03-01", "lines": lines, **fields}


def post(client: TestClient, *orders: dict[str, Any]) -> int:
    """Post orders, and return the sequence number from which they take effect."""
    answer = client.post("/v1/orders", json=list(orders))
    assert answer.status_code == 200, answer.text
    assert answer.json()["rejected"] == 0, answer.text
    return int(answer.headers["X-Sequence"])


def offered(client: TestClient, account_id: str, limit: int = 20) -> list[str]:
    """The products that an account is offered, in order."""
    answer = client.get(f"{URL}/{account_id}?limit={limit}")
    assert answer.status_code == 200, answer.text
    return [offer["product_id"] for offer in answer.json()["offers"]]


def is_current(client: TestClient, engine: Engine) -> bool:
    """Tell whether answers reflect all that is committed. (The accounts of one change are applied one by one.)"""
    with engine.connect() as connection:
        newest = newest_sequence(connection)
    return int(client.get(f"{URL}/ann").json()["sequence"]) >= newest
