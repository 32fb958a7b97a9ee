"""What can't be had is not offered, at once, and something else takes its place."""

from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.offers.decide import decide
from service.offers.gathering import gather
from service.offers.request import OfferRequest
from service.readmodel.availability import Availability, ProductAvailability
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from tests.artifacts import coffee_world, content_of
from tests.service.conftest import NOON

URL = "/v1/recommendations"


def write(client: TestClient, **product: Any) -> None:
    """Change a product."""
    answer = client.post("/v1/products", json=[product])
    assert (answer.status_code, answer.json()["rejected"]) == (200, 0), answer.json()


def answer_for(client: TestClient) -> tuple[list[str], dict[str, int]]:
    """What ann is offered, and what is withheld."""
    body = client.get(f"{URL}/ann?limit=50").json()
    return [offer["product_id"] for offer in body["offers"]], body["withheld"]


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        ({"stock": 0}, "sold-out"),
        ({"stock": -2}, "sold-out"),
        ({"available_from": "2024-03-01T12:00:01Z"}, "not-available-now"),
        ({"available_until": "2024-03-01T12:00:00Z"}, "not-available-now"),
    ],
)
def test_what_can_not_be_had_is_withheld_at_once_and_comes_back(
    client: TestClient, version: str, bounds: dict[str, Any], reason: str
) -> None:
    assert version
    before, _ = answer_for(client)
    assert before[0] == "filter"

    write(client, product_id="filter", **bounds)
    without, withheld = answer_for(client)
    write(client, product_id="filter", **dict.fromkeys(bounds))
    again, _ = answer_for(client)

    assert without == [product_id for product_id in before if product_id != "filter"]
    assert withheld[reason] == 1
    assert again == before


@pytest.mark.parametrize(
    "bounds", [{"stock": 0.5}, {"available_from": "2024-03-01T12:00:00Z", "available_until": "2024-03-01T12:00:01Z"}]
)
def test_what_can_be_had_is_offered(client: TestClient, version: str, bounds: dict[str, Any]) -> None:
    assert version
    write(client, product_id="filter", **bounds)

    assert "filter" in answer_for(client)[0]


def test_availability_is_stored_listed_and_refused_where_it_makes_no_sense(client: TestClient, version: str) -> None:
    assert version
    times = {"available_from": "2024-03-01T00:00:00Z", "available_until": "2024-04-01T00:00:00Z"}
    write(client, product_id="filter", stock=12, **times)

    stored = client.get("/v1/products/filter").json()
    turned = client.post(
        "/v1/products",
        json=[{"product_id": "milk", "available_from": "2024-03-02", "available_until": "2024-03-01"}],
    ).json()
    wrong = client.post("/v1/products", json=[{"product_id": "milk", "stock": "many"}]).json()

    assert {name: stored[name] for name in (*times, "stock")} == {**times, "stock": 12}
    assert "available_until is not after available_from" in str(turned)
    assert "stock" in str(wrong)
    assert (turned["rejected"], wrong["rejected"]) == (1, 1)


def test_an_offer_is_good_until_its_product_ceases_to_be_available(client: TestClient, version: str) -> None:
    assert version
    times = {"milk": "2024-03-03T00:00:00Z", "filter": "2024-05-01T00:00:00Z"}
    client.post("/v1/products", json=[{"product_id": name, "available_until": until} for name, until in times.items()])

    answer = client.post("/v1/recommendations", json={"account_id": "ann", "limit": 20}).json()

    valid_until = {offer["product_id"]: offer["valid_until"] for offer in answer["offers"]}
    assert valid_until.pop("milk") == "2024-03-03T00:00:00Z"
    assert set(valid_until.values()) == {"2024-03-08T12:00:00Z"}
    assert "filter" in valid_until


def test_what_is_sold_out_is_replaced_by_its_substitute_and_is_still_a_reason() -> None:
    world = replace(coffee_world(), relationships=[("filter", "substitute", "syrup", 5)])
    state = LiveState(content_of(world), 0)
    row_of = state.part(CatalogueView).products.row_of
    filter_row, beans_row = row_of("filter"), row_of("beans")
    assert filter_row is not None
    assert beans_row is not None

    def outcomes() -> dict[str, str]:
        decision = decide(gather(state, [OfferRequest("ann", 3, explains_all=True)], now=NOON))
        return {each["product_id"]: each["outcome"] for each in decision.considered or ()}

    before = outcomes()
    sold_out = ProductAvailability(stock=0)
    state.replace_part(state.part(Availability).with_changes({filter_row: sold_out, beans_row: sold_out}))
    after = outcomes()

    assert before["filter"] == "offered"
    assert "syrup" not in before
    assert after["filter"] == "withheld"
    # It comes last where the order is the model's, which knows nothing of it.
    assert after["syrup"] == "outranked"
