"""Weights and goals steer the next answer, within their bound, and the answer shows them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.base.arbitration_options import ArbitrationOptions
from service.offers.decide import decide_many
from service.offers.gathering import gather
from service.offers.request import OfferRequest
from service.readmodel.goals import ScopeKind
from service.readmodel.levers import Levers
from service.readmodel.live_state import LiveState
from tests.artifacts import ProductSpec, World, content_of
from tests.service.offers.test_arbitration import WORLD


@pytest.fixture(autouse=True)
def _stored_catalogue(client: TestClient, version: str) -> None:
    """The catalogue of the artifact, in the database, too."""
    assert version
    rows = [
        {"product_id": product.product_id, "name": product.name or product.product_id.title()}
        | {name: getattr(product, name) or None for name in ("family", "tier", "price_minor", "currency")}
        | {"active": product.is_active}
        for product in WORLD.products
    ]
    assert client.post("/v1/products", json=rows).json()["rejected"] == 0


@pytest.fixture
def world() -> World:
    """What is installed."""
    return WORLD


def offers_for_ann(client: TestClient) -> dict[str, Any]:
    """The offers by product, in order."""
    offers = client.get("/v1/recommendations/ann?limit=10").json()["offers"]
    return {offer["product_id"]: offer["arbitration"] for offer in offers}


def put_weight(client: TestClient, percent: float, product_id: str = "milk") -> int:
    """Set a weight on a product, which must be stored."""
    return client.put(f"/v1/lever-weights/products/{product_id}", json={"percent": percent}).status_code


def test_a_weight_is_felt_by_the_next_answer_and_shown(client: TestClient) -> None:
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


def test_a_weight_can_put_an_offer_first_or_lower_it(client: TestClient) -> None:
    first = next(iter(offers_for_ann(client)))

    put_weight(client, -50, first)
    lowered = offers_for_ann(client)

    assert lowered[first]["lever"] == 0.5
    assert next(iter(lowered)) != first


def test_the_four_factors_still_multiply_exactly(client: TestClient) -> None:
    put_weight(client, 33)

    for figures in offers_for_ann(client).values():
        product = figures["propensity"] * figures["value_minor"] * figures["context"] * figures["lever"]
        assert product == figures["priority"]


def test_a_share_of_the_accounts_is_decided_without_levers_the_same_all_quarter() -> None:
    accounts = [f"a{number}" for number in range(4_000)]
    world = World(
        products=[ProductSpec("tea"), ProductSpec("cup")],
        owned={},
        neighbours={},
        popular=["tea"],
        rates={"tea": 0.1, "cup": 0.1},
    )
    state = LiveState(content_of(world), 0)
    state.part(Levers).set_weights({(ScopeKind.PRODUCTS, "tea"): 100.0})
    options = ArbitrationOptions(control_share=0.1)

    def controls(now: datetime) -> list[bool]:
        facts = gather(state, [OfferRequest(account_id, 2) for account_id in accounts], options, now=now)
        decisions = decide_many(facts)
        for decision in decisions:
            levers = {offer["arbitration"]["lever"] for offer in decision.offers if offer["arbitration"]}
            assert levers == ({1.0} if decision.is_control else {1.0, 2.0})
        return [decision.is_control for decision in decisions]

    first, later, next_quarter = (
        controls(datetime(2026, month, day, tzinfo=UTC)) for month, day in ((1, 1), (3, 31), (4, 1))
    )

    assert first == later != next_quarter
    # Binomial: 400 of 4,000 with a standard deviation of 19.
    assert 320 < sum(first) < 480
