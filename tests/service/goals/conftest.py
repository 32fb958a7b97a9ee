"""An application on each of the two databases, over an artifact whose accounts have a history, and its catalogue."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore
from tests.artifacts import IN_EUROS, write_world
from tests.service.conftest import make_key, make_settings, running
from tests.sold import LINES, sold_content, sold_world

URL = "/v1/goals"
MARCH = {"month": "2024-03"}
"""The application's clock shows noon of March 1st, 2024."""
COFFEE = {"name": "Coffee", "scope": {"lines": ["coffee"]}, "measure": "units", "target": 100, "period": MARCH}


@pytest.fixture(scope="session")
def sold_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with the artifact, activated: to be copied."""
    folder = tmp_path_factory.mktemp("sold-to-goals")
    content = sold_content()
    report = orjson.loads(content.report) | {"currency": IN_EUROS}
    content = replace(content, report=orjson.dumps(report))
    version = write_world(folder, sold_world(), as_of="2024-02-29T00:00:00Z", content=content)
    ArtifactStore(folder, smoke_test).activate(version)
    return folder


@pytest.fixture
def version(sold_version: str) -> str:
    """The artifact, written and activated."""
    return sold_version


@pytest.fixture
def settings(database_url: str, artifacts_dir: Path, version: str) -> Settings:
    """Settings over each database in turn."""
    return make_settings(database_url, artifacts_dir)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """An admin's client, with the products of the coffee shop stored."""
    with running(settings, make_key(settings.database_url, "admin")) as made:
        rows = [
            {"product_id": product_id, "name": product_id, "line": line, "margin_minor": 100, "currency": "EUR"}
            for product_id, line in LINES.items()
        ]
        assert made.post("/v1/products", json=rows).json()["rejected"] == 0
        yield made


def line(product_id: str, quantity: float = 1, amount_minor: int | None = None) -> dict[str, Any]:
    """One line of an order as it is posted."""
    return {"product_id": product_id, "quantity": quantity, "amount_minor": amount_minor}


def sell(
    client: TestClient, order_id: str, day: str, *lines: dict[str, Any], account_id: str | None = "a1", **fields: Any
) -> None:
    """Post an order."""
    order = {"order_id": order_id, "account_id": account_id, "ordered_at": day, "lines": list(lines), **fields}
    answer = client.post("/v1/orders", json=[order])
    assert answer.json()["rejected"] == 0, answer.text


def set_goal(client: TestClient, **fields: Any) -> str:
    """Set a goal and return its id."""
    answer = client.post(URL, json={**COFFEE, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["goal_id"])


def progress(client: TestClient, goal_id: str = "coffee") -> Any:
    """How a goal stands."""
    answer = client.get(f"{URL}/{goal_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()["progress"]
