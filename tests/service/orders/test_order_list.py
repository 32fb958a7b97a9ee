"""The list of orders, and one order with its lines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.service.imports.support import serving

ORDERS: list[dict[str, Any]] = [
    {
        "order_id": f"o-{number}",
        "account_id": "a" if number % 2 else "b",
        "ordered_at": f"2024-01-{1 + number // 2:02}T00:00:00Z",
        "currency": "EUR",
        "lines": [
            {"product_id": "x", "quantity": 2, "amount": "5.00"},
            {"product_id": f"p-{number}", "quantity": 1},
        ],
    }
    for number in range(6)
]


@pytest.fixture
def stored(database_url: str, artifacts_dir: Path) -> Iterator[TestClient]:
    """A client of an application with six orders, two a day; one of a guest, and one that was cancelled."""
    with serving(database_url, artifacts_dir) as api:
        api.post("/v1/accounts", json=[{"account_id": "a", "name": "Ann"}])
        api.post("/v1/products", json=[{"product_id": "x", "name": "Xylophone"}])
        ORDERS[4].pop("account_id", None)
        assert api.post("/v1/orders", json=[*ORDERS[:5], {**ORDERS[5], "status": "cancelled"}]).json()["rejected"] == 0
        yield api


def listed(api: TestClient, **query: Any) -> list[str]:
    """The identifiers of the orders that a query lists."""
    answer = api.get("/v1/orders", params=query)
    assert answer.status_code == 200, answer.text
    return [item["order_id"] for item in answer.json()["items"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["o-5", "o-4", "o-3", "o-2", "o-1", "o-0"]),
        ({"account_id": "a"}, ["o-5", "o-3", "o-1"]),
        ({"product_id": "p-2"}, ["o-2"]),
        ({"product_id": "x", "account_id": "b"}, ["o-2", "o-0"]),
        ({"ordered_after": "2024-01-02", "ordered_before": "2024-01-03"}, ["o-3", "o-2"]),
        ({"ordered_after": "2024-01-03T01:00:00+01:00"}, ["o-5", "o-4"]),
        ({"is_cancelled": True}, ["o-5"]),
        ({"account_id": "nobody"}, []),
    ],
)
def test_filters_find_the_orders_that_meet_them(stored: TestClient, query: dict[str, Any], expected: list[str]) -> None:
    assert listed(stored, **query) == expected


def test_pages_go_on_within_one_moment(stored: TestClient) -> None:
    found: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(6):
        page = stored.get("/v1/orders", params={"limit": 1, **cursor}).json()
        found += [item["order_id"] for item in page["items"]]
        cursor = {"cursor": page["next_cursor"]}

    assert found == ["o-5", "o-4", "o-3", "o-2", "o-1", "o-0"]
    assert page["next_cursor"] is None


def test_an_order_is_shown_with_its_lines_and_their_names(stored: TestClient) -> None:
    order = stored.get("/v1/orders/o-3").json()

    assert order == {
        "order_id": "o-3",
        "account_id": "a",
        "account_name": "Ann",
        "ordered_at": "2024-01-02T00:00:00Z",
        "currency": "EUR",
        "is_cancelled": False,
        "line_count": 2,
        "amount_minor": 500,
        "lines": [
            {"product_id": "p-3", "product_name": "p-3", "quantity": 1.0, "amount_minor": None, "currency": "EUR"},
            {"product_id": "x", "product_name": "Xylophone", "quantity": 2.0, "amount_minor": 500, "currency": "EUR"},
        ],
    }
    assert stored.get("/v1/orders/o-4").json()["account_id"] is None


def test_an_unknown_order_is_named(stored: TestClient) -> None:
    answer = stored.get("/v1/orders/nope")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-order")


def test_a_time_that_is_none_is_refused(stored: TestClient) -> None:
    assert stored.get("/v1/orders", params={"ordered_after": "yesterday"}).status_code == 422
