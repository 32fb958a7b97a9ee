"""A note on a learned relationship is for colleagues: it changes no offer."""

from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from tests.artifacts import World, coffee_world
from tests.service.sync.conftest import URL

LEARNED = ("beans", "up_sell", "grinder", 15)


@pytest.fixture
def world() -> World:
    """The coffee shop, with upgrades that were learned."""
    return replace(coffee_world(), relationships=[LEARNED, ("beans", "up_sell", "scale", 10)])


def offers(client: TestClient) -> list[object]:
    """What a basket of beans is offered, reasons included."""
    answer = client.post(URL, json={"basket": ["beans"], "limit": 5})
    assert answer.status_code == 200, answer.text
    offers: list[object] = answer.json()["offers"]
    return offers


def test_a_note_alone_leaves_offers_as_they_are(client: TestClient) -> None:
    body = {
        "source_product_id": "beans", "target_product_id": "scale", "relation": "cross_sell", "status": "mined",
        "note": "Ask Kim about this one.",
    }  # fmt: skip
    client.post("/v1/products", json=[{"product_id": name, "name": name} for name in ("beans", "scale")])
    before = offers(client)

    answer = client.post("/v1/relationships", json=[body])

    assert answer.json()["rejected"] == 0, answer.text
    assert offers(client) == before


def test_a_note_in_place_of_a_ban_lifts_the_ban(client: TestClient) -> None:
    client.post("/v1/products", json=[{"product_id": name, "name": name} for name in ("beans", "scale")])
    before = offers(client)
    pair = {"source_product_id": "beans", "target_product_id": "scale", "relation": "up_sell"}

    client.post("/v1/relationships", json=[{**pair, "status": "banned"}])
    banned = offers(client)
    client.post("/v1/relationships", json=[{**pair, "status": "mined", "note": "Was banned."}])

    assert banned != before
    assert offers(client) == before
