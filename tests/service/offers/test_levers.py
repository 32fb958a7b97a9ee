"""Weights and goals steer the next answer, within their bound, and the answer shows them."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.artifacts import World
from tests.service.offers.test_arbitration import WORLD


@pytest.fixture
def world() -> World:
    """What is installed."""
    return WORLD


def offers_for_ann(client: TestClient) -> dict[str, Any]:
    """The offers by product, in order."""
    offers = client.get("/v1/recommendations/ann?limit=10").json()["offers"]
    return {offer["product_id"]: offer["arbitration"] for offer in offers}


def put_weight(client: TestClient, percent: float, product_id: str = "milk") -> int:
    """Set a weight on a product."""
    return client.put(f"/v1/lever-weights/products/{product_id}", json={"percent": percent}).status_code


def test_a_weight_is_felt_by_the_next_answer_and_shown(client: TestClient, version: str) -> None:
    assert version
    before = offers_for_ann(client)

    assert put_weight(client, 50) == 200
    raised = offers_for_ann(client)
    assert client.delete("/v1/lever-weights/products/milk").status_code == 200
    after = offers_for_ann(client)

    assert raised["milk"]["lever"] == 1.5
    assert raised["milk"]["lever_parts"] == [{"kind": "weight", "key": "milk", "name": "milk", "percent": 50}]
    assert raised["milk"]["priority"] == pytest.approx(1.5 * before["milk"]["priority"])
    assert {figures["lever"] for product_id, figures in raised.items() if product_id != "milk"} == {1.0}
    assert after == before


def test_a_weight_can_put_an_offer_first_or_lower_it(client: TestClient, version: str) -> None:
    assert version
    first = next(iter(offers_for_ann(client)))

    put_weight(client, -50, first)
    lowered = offers_for_ann(client)

    assert lowered[first]["lever"] == 0.5
    assert next(iter(lowered)) != first


def test_the_four_factors_still_multiply_exactly(client: TestClient, version: str) -> None:
    assert version
    put_weight(client, 33)

    for figures in offers_for_ann(client).values():
        product = figures["propensity"] * figures["value_minor"] * figures["context"] * figures["lever"]
        assert product == figures["priority"]
