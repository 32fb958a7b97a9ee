"""Accounts over HTTP, on both databases."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from service.base.settings import Settings
from tests.service.conftest import part_of
from tests.service.imports.support import results


def order(order_id: str, day: int, *lines: tuple[str, float, int], **changes: Any) -> dict[str, Any]:
    named = [{"product_id": product, "quantity": count, "amount_minor": amount} for product, count, amount in lines]
    return {"order_id": order_id, "account_id": "A", "ordered_at": f"2024-01-{day:02}", "lines": named, **changes}


def test_rows_are_judged_one_by_one(api: TestClient) -> None:
    rows = [{"account_id": "A", "name": "Acme"}, {"account_id": " "}, {"name": "nobody"}, 5, {"account_id": 17850}]

    outcomes = results(api, "/v1/accounts", rows)

    assert [result["status"] for result in outcomes] == ["created", "rejected", "rejected", "rejected", "created"]
    assert [result["id"] for result in outcomes] == ["A", " ", None, None, "17850"]
    assert outcomes[1]["errors"] == [{"field": "account_id", "reason": "is empty"}]
    assert outcomes[2]["errors"] == [{"field": "account_id", "reason": "field required"}]


def test_a_row_again_is_unchanged_and_a_new_value_updates(api: TestClient) -> None:
    row = {"account_id": "A", "name": "Acme", "attributes": {"size": 1}}
    results(api, "/v1/accounts", [row])

    again = results(api, "/v1/accounts", [row, row | {"attributes": {"size": True}}, row])

    assert [result["status"] for result in again] == ["unchanged", "updated", "updated"]
    assert api.get("/v1/accounts/A").json()["attributes"] == {"size": 1}


def test_a_field_that_is_left_out_keeps_its_value_and_null_clears_it(api: TestClient) -> None:
    results(api, "/v1/accounts", [{"account_id": "A", "name": "Acme", "parent_account_id": "H"}])

    results(api, "/v1/accounts", [{"account_id": "A", "name": None}])

    account = api.get("/v1/accounts/A").json()
    assert (account["name"], account["parent_account_id"]) == (None, "H")


def test_a_field_that_does_not_exist_is_refused(api: TestClient) -> None:
    outcomes = results(api, "/v1/accounts", [{"account_id": "A", "nmae": "Acme"}])

    assert outcomes[0]["errors"][0]["field"] == "nmae"


def test_ndjson_is_read_line_by_line(api: TestClient) -> None:
    body = b'{"account_id": "A"}\n\nnot json\n{"account_id": "B"}'

    answer = api.post("/v1/accounts", content=body, headers={"Content-Type": "application/x-ndjson"}).json()

    assert (answer["accepted"], answer["rejected"]) == (2, 1)
    assert [result["status"] for result in answer["results"]] == ["created", "rejected", "created"]


def test_no_rows_are_no_error(api: TestClient) -> None:
    assert api.post("/v1/accounts", json=[]).json() == {"accepted": 0, "rejected": 0, "results": [], "sequence": 0}


@pytest.mark.parametrize("account_id", ["0", "000", "Guest", "n/a", "-", "none"])
def test_a_placeholder_is_no_account_unless_it_is_kept(api: TestClient, account_id: str) -> None:
    rows = [{"account_id": account_id}, {"account_id": "A"}]

    refused, created = results(api, "/v1/accounts", rows)
    listed = [item["account_id"] for item in api.get("/v1/accounts").json()["items"]]
    kept, _ = results(api, "/v1/accounts", rows, keep_account_values="true")

    [error] = refused["errors"]
    assert (refused["status"], refused["index"], error["field"]) == ("rejected", 0, "account_id")
    assert "leave it out" in error["reason"]
    assert "keep_account_values=true" in error["reason"]
    assert (created["status"], listed, kept["status"]) == ("created", ["A"], "created")


def test_an_account_tells_what_it_bought_and_owns(api: TestClient) -> None:
    results(api, "/v1/accounts", [{"account_id": "A", "name": "Acme"}])
    results(api, "/v1/products", [{"product_id": "kept", "name": "Kept thing"}])
    orders = [
        order("1", 1, ("kept", 2, 200), ("returned", 1, 50), currency="EUR"),
        order("2", 3, ("kept", 1, 100), currency="EUR"),
        order("C1", 4, ("returned", -1, -50), ("kept", -1, -100), currency="EUR"),
        order("3", 2, ("other", 1, 7), currency="USD"),
        order("4", 9, ("cancelled", 1, 999), currency="EUR", status="cancelled"),
        order("5", 9, ("foreign", 1, 999), account_id="B"),
    ]
    results(api, "/v1/orders", orders)

    account = api.get("/v1/accounts/A").json()

    assert account["order_count"] == 3
    assert (account["first_order_at"], account["last_order_at"]) == ("2024-01-01T00:00:00Z", "2024-01-03T00:00:00Z")
    assert account["totals"] == [
        {"currency": "EUR", "amount_minor": 200 + 50 + 100 - 50 - 100},
        {"currency": "USD", "amount_minor": 7},
    ]
    assert account["owned_count"] == 2
    assert account["owned"] == [
        {
            "product_id": "kept",
            "name": "Kept thing",
            "quantity": 2 + 1 - 1,
            "first_bought_at": "2024-01-01T00:00:00Z",
            "last_bought_at": "2024-01-03T00:00:00Z",
            "usage": None,
        },
        {
            "product_id": "other",
            "name": "other",
            "quantity": 1,
            "first_bought_at": "2024-01-02T00:00:00Z",
            "last_bought_at": "2024-01-02T00:00:00Z",
            "usage": None,
        },
    ]


def test_the_owned_products_are_bounded_but_counted(api: TestClient) -> None:
    results(api, "/v1/orders", [order("1", 1, *((f"p{number}", 1.0, 1) for number in range(103)))])

    account = api.get("/v1/accounts/A").json()

    assert (account["owned_count"], len(account["owned"]), account["is_stub"]) == (103, 100, True)


def test_an_account_without_orders_owns_nothing(api: TestClient) -> None:
    results(api, "/v1/accounts", [{"account_id": "A"}])

    account = api.get("/v1/accounts/A").json()

    assert (account["order_count"], account["first_order_at"], account["totals"], account["owned"]) == (0, None, [], [])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"[", "application/json"),
        (b"{}", "application/json"),
        (b"", "application/json"),
        (b"\xff", "application/json"),
    ],
)
def test_a_body_that_is_no_array_is_unreadable(api: TestClient, body: bytes, kind: str) -> None:
    answer = api.post("/v1/accounts", content=body, headers={"Content-Type": kind})

    assert (answer.status_code, answer.json()["code"]) == (400, "rows-unreadable")


def test_another_media_type_is_refused(api: TestClient) -> None:
    answer = api.post("/v1/accounts", content=b"account_id\nA\n", headers={"Content-Type": "text/csv"})

    assert (answer.status_code, answer.json()["code"]) == (415, "media-type-unsupported")


def test_too_many_rows_are_refused(api: TestClient) -> None:
    limit = part_of(api, Settings).max_rows_per_request

    answer = api.post("/v1/accounts", content=b"{}\n" * (limit + 1), headers={"Content-Type": "application/x-ndjson"})

    assert (answer.status_code, answer.json()["code"]) == (413, "too-many-rows")


def test_an_unknown_account_is_not_found(api: TestClient) -> None:
    answer = api.get("/v1/accounts/nobody")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-account")


def test_a_nul_in_the_path_is_refused(api: TestClient) -> None:
    assert api.get("/v1/accounts/a%00b").status_code == 422


def test_an_identifier_with_a_line_break_has_an_address_like_any_other(api: TestClient) -> None:
    results(api, "/v1/accounts", [{"account_id": "A\nB/C"}])
    api.put("/v1/accounts/A%0AB%2FC/consent", json={"marketing": "objected"})

    assert api.get("/v1/accounts/A%0AB%2FC").json()["marketing"] == "objected"
    assert api.get("/v1/accounts/A%0AB%2FC/decisions").json()["items"] == []
    assert api.get("/v1/accounts/A%0A/decisions").status_code == 200
    assert api.get("/v1/accounts/A%0A").json()["code"] == "unknown-account"
