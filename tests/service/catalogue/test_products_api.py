"""Products over HTTP, on both databases."""

import pytest
from starlette.testclient import TestClient

from tests.service.imports.support import results

PRODUCTS = [
    {"product_id": f"p{number}", "line": "L" if number % 2 else "M", "category": "C", "active": number != 3}
    for number in range(5)
]


def test_a_product_is_stored_in_minor_units_and_read_back(api: TestClient) -> None:
    row = {"product_id": "P", "tier": 2, "price": "4821.005", "currency": "USD", "margin": 10.5, "family": "F"}

    outcomes = results(api, "/v1/products", [row])

    product = api.get("/v1/products/P").json()
    assert outcomes[0]["status"] == "created"
    assert (product["name"], product["price_minor"], product["margin_minor"]) == ("P", 482_100, 1050)
    assert (product["tier"], product["family"], product["active"], product["is_stub"]) == (2, "F", True, False)
    assert product["updated_at"] == "2024-03-01T12:00:00Z"


def test_a_row_again_is_unchanged(api: TestClient) -> None:
    results(api, "/v1/products", PRODUCTS)

    again = results(api, "/v1/products", PRODUCTS)

    assert {result["status"] for result in again} == {"unchanged"}


def test_one_amount_excludes_the_other(api: TestClient) -> None:
    outcomes = results(api, "/v1/products", [{"product_id": "P", "price": 1, "price_minor": 100}])

    assert outcomes[0]["errors"] == [{"field": "", "reason": "price and price_minor exclude each other"}]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
def test_pages_list_every_product_once(api: TestClient, limit: int) -> None:
    results(api, "/v1/products", PRODUCTS)

    seen: list[str] = []
    cursor = None
    while True:
        parameters = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        page = api.get("/v1/products", params=parameters).json()
        seen += [product["product_id"] for product in page["items"]]
        assert len(page["items"]) <= limit
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == [product["product_id"] for product in PRODUCTS]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"line": "L"}, ["p1", "p3"]),
        ({"line": "L", "active": "true"}, ["p1"]),
        ({"active": "false"}, ["p3"]),
        ({"category": "other"}, []),
    ],
)
def test_products_are_filtered(api: TestClient, parameters: dict[str, str], expected: list[str]) -> None:
    results(api, "/v1/products", PRODUCTS)

    page = api.get("/v1/products", params=parameters).json()

    assert [product["product_id"] for product in page["items"]] == expected


@pytest.mark.parametrize("parameters", [{"limit": "0"}, {"limit": "501"}, {"line": "a\0b"}])
def test_a_question_out_of_bounds_is_refused(api: TestClient, parameters: dict[str, str]) -> None:
    assert api.get("/v1/products", params=parameters).status_code == 422


@pytest.mark.parametrize("cursor", ["", "!", "AA", "é", "_w"])
def test_a_cursor_that_no_page_gave_is_refused(api: TestClient, cursor: str) -> None:
    answer = api.get("/v1/products", params={"cursor": cursor})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-cursor")


def test_an_unknown_product_is_not_found(api: TestClient) -> None:
    answer = api.get("/v1/products/nothing")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-product")


def test_merchandise_variants_and_successors_are_stored_and_read_back(api: TestClient) -> None:
    rows = [
        {"product_id": "SHIP", "is_merchandise": "no"},
        {"product_id": "RED", "parent_product_id": "SHIRT", "replaces": "RED-2024"},
    ]

    outcomes = results(api, "/v1/products", rows)

    ship, red = (api.get(f"/v1/products/{product_id}").json() for product_id in ("SHIP", "RED"))
    assert [result["status"] for result in outcomes] == ["created", "created"]
    assert (ship["is_merchandise"], ship["parent_product_id"], ship["replaces"]) == (False, None, None)
    assert (red["is_merchandise"], red["parent_product_id"], red["replaces"]) == (True, "SHIRT", "RED-2024")


def test_products_that_replace_each_other_in_a_circle_are_refused(api: TestClient) -> None:
    results(api, "/v1/products", [{"product_id": "B", "replaces": "A"}])

    outcomes = results(
        api,
        "/v1/products",
        [
            {"product_id": "C", "replaces": "B"},
            {"product_id": "A", "replaces": "C"},
            {"product_id": "D", "parent_product_id": "D"},
        ],
    )

    assert [result["status"] for result in outcomes] == ["created", "rejected", "rejected"]
    (circle,), (itself,) = outcomes[1]["errors"], outcomes[2]["errors"]
    assert circle["field"] == "replaces"
    assert circle["reason"].startswith("leads round in a circle: A → C → B → A;")
    assert (itself["field"], itself["reason"][:21]) == ("parent_product_id", "is the product itself")
    assert api.get("/v1/products/A").status_code == 404
