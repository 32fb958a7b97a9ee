"""Every list has the same envelope, the same parameters, and cursors of its own."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.base.pagination import encode_cursor
from service.base.settings import Settings
from service.decisions.decision_log import DecisionLog
from service.server.app import create_app
from service.server.openapi import document
from service.sync.artifact_holder import ArtifactHolder
from tests.service.conftest import part_of

LISTS = {
    "accounts": "/v1/accounts",
    "orders": "/v1/orders",
    "products": "/v1/products",
    "product relationships": "/v1/products/p-7/relationships",
    "relationships": "/v1/relationships",
    "deals": "/v1/deals",
    "decisions": "/v1/accounts/a-1/decisions",
    "artifacts": "/v1/artifacts",
    "segment accounts": "/v1/segments/all.accounts/accounts",
    "targets": "/v1/products/p-7/targets",
    "do not pitch": "/v1/accounts/do-not-pitch",
    "exchange rates": "/v1/exchange-rates",
    "policies": "/v1/policies",
    "arbitration versions": "/v1/arbitration/history",
    "outcomes": "/v1/outcomes",
    "reservations": "/v1/reservations",
    "policy versions": "/v1/policies/built-in.returned/history",
    "goal versions": "/v1/goals/line-1/history",
    "weight versions": "/v1/lever-weights/lines/line-1/history",
    "white space": "/v1/whitespace/cells/line-1/all.accounts/accounts",
}
SHORT_LISTS = {"list_segments", "list_goals", "list_lever_weights", "list_account_notes"}
"""Lists that are answered whole: few items are allowed."""
DOCUMENT = document(create_app(Settings()))
DAYS = ("2024-01-01", "2024-02-01")
GOAL = {"goal_id": "line-1", "name": "Line 1", "scope": {"lines": ["line-1"]}, "measure": "units", "target": 10}


def list_name(client: TestClient, name: str) -> list[Any]:
    """What a cursor of a list begins with."""
    live = part_of(client, ArtifactHolder).current
    version = live.version if live else None
    names: dict[str, list[Any]] = {
        "accounts": ["accounts"],
        "exchange rates": ["exchange-rates"],
        "orders": ["orders"],
        "policies": ["policies", None],
        "arbitration versions": ["arbitration-versions", "arbitration"],
        "outcomes": ["outcomes", *[None] * 6],
        "reservations": ["reservations", None, None],
        "policy versions": ["policy-versions", "built-in.returned"],
        "goal versions": ["goal-versions", "line-1"],
        "weight versions": ["lever-weight-versions", "lines/line-1"],
        "products": ["products"],
        "product relationships": ["relationships", "p-7"],
        "relationships": ["relationships", None],
        "deals": ["deals"],
        "decisions": ["decisions", "a-1"],
        "artifacts": ["artifacts"],
        "segment accounts": ["segment", version, "all.accounts"],
        "targets": ["targets", version, "p-7", None],
        "do not pitch": ["do-not-pitch", version, None],
        "white space": ["cell", version, "line", "line-1", "all.accounts"],
    }
    return names[name]


def schemas_of(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Follow a reference to a schema."""
    reference = schema.get("$ref")
    yield DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema


def test_every_list_has_items_and_a_cursor(shop_client: TestClient) -> None:
    set_twice(shop_client)

    for name, path in {**LISTS, "segments": "/v1/segments"}.items():
        page = shop_client.get(path).json()
        assert isinstance(page["items"], list), name
        assert "next_cursor" in page, name


def test_every_list_in_the_contract_is_a_page() -> None:
    lists = [
        operation["get"]
        for path, operation in DOCUMENT["paths"].items()
        if "get" in operation and operation["get"]["operationId"].startswith("list_")
    ]
    assert len(lists) == len(LISTS) + len(SHORT_LISTS)
    for operation in lists:
        (schema,) = schemas_of(operation["responses"]["200"]["content"]["application/json"]["schema"])
        parameters = {parameter["name"] for parameter in operation.get("parameters", ())}
        assert {"items", "next_cursor"} <= set(schema["properties"]), operation["operationId"]
        assert operation["operationId"] in SHORT_LISTS or {"cursor", "limit"} <= parameters


def set_twice(client: TestClient) -> None:
    """Set a goal and a weight, and change both."""
    client.post("/v1/goals", json={**GOAL, "period": {"year": "2024"}})
    client.patch("/v1/goals/line-1", json={"target": 20})
    for percent in (10, 20):
        client.put("/v1/lever-weights/lines/line-1", json={"percent": percent})


def make_cursors(client: TestClient) -> dict[str, str]:
    """Return a cursor of each list whose first item is not its last."""
    client.post("/v1/deals", json=[deal("d-1"), deal("d-2")])
    client.post("/v1/relationships", json=[relationship("p-8"), relationship("p-9")])
    rates = [{"base_currency": "EUR", "quote_currency": "USD", "valid_from": day, "rate": 1.1} for day in DAYS]
    client.post("/v1/exchange-rates", json=rates)
    set_twice(client)
    for is_enabled in (False, True):
        client.patch("/v1/arbitration", json={"up_sell_first": is_enabled})
        client.patch("/v1/policies/built-in.returned", json={"is_enabled": is_enabled})
    for _ in range(2):
        client.get("/v1/recommendations/a-1")
        client.post(
            "/v1/outcomes", json=[{"account_id": "a-1", "product_id": name, "outcome": "click"} for name in "ab"]
        )
        client.post("/v1/reservations", json={"account_id": "a-1", "limit": 2})
    part_of(client, DecisionLog).write_queued()
    cursors = {name: client.get(path, params={"limit": 1}).json()["next_cursor"] for name, path in LISTS.items()}
    assert {name for name, cursor in cursors.items() if cursor is None} <= {"artifacts"}
    return {name: cursor for name, cursor in cursors.items() if cursor is not None}


def relationship(target_id: str) -> dict[str, Any]:
    return {"source_product_id": "p-7", "target_product_id": target_id, "relation": "accessory", "status": "added"}


def deal(deal_id: str) -> dict[str, Any]:
    return {"deal_id": deal_id, "account_id": "a-1", "product_id": "p-7", "stage": "new", "status": "open"}


def test_a_cursor_is_accepted_by_its_own_list_alone(shop_client: TestClient) -> None:
    cursors = make_cursors(shop_client)

    for origin, cursor in cursors.items():
        for name, path in LISTS.items():
            answer = shop_client.get(path, params={"cursor": cursor})
            if name == origin:
                assert answer.status_code == 200, name
            else:
                assert (answer.status_code, answer.json()["code"]) == (422, "invalid-cursor"), (origin, name)


@pytest.mark.parametrize("name", LISTS)
def test_a_crafted_cursor_is_refused(shop_client: TestClient, name: str) -> None:
    own = list_name(shop_client, name)
    positions: list[Any] = [True, -1, 1.5, None, "", "a\0b", 2**63, [], {}, ["a\0b", 1, True, 0.5, "x"], ["a", 1]]
    cursors = ["", "x", "_w", "bm9uc2Vuc2U", "W10", *(encode_cursor(own, position) for position in positions)]

    for cursor in cursors:
        answer = shop_client.get(LISTS[name], params={"cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-cursor"), cursor


@pytest.mark.parametrize("path", ["/v1/segments?family=", "/v1/whitespace?columns=", "/v1/whitespace/export?columns="])
def test_an_unknown_family_is_answered_the_same_way_everywhere(shop_client: TestClient, path: str) -> None:
    unknown = shop_client.get(path + "nope")
    known = shop_client.get(path + "custom")

    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-family")
    assert known.status_code == 200
