"""The totals of a group in the profile of its account: against its accounts one by one, and current after changes."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.service.imports.support import results


def link(client: TestClient, parents: dict[str, str | None]) -> None:
    results(client, "/v1/accounts", [{"account_id": child, "parent_account_id": parents[child]} for child in parents])


def buy(client: TestClient, order_id: str, account_id: str, amount_minor: int, **changes: Any) -> None:
    line = {"product_id": "thing", "quantity": 1, "amount_minor": amount_minor}
    order = {"order_id": order_id, "account_id": account_id, "ordered_at": "2024-01-03", "currency": "EUR"}
    results(client, "/v1/orders", [{**order, "lines": [line], **changes}])


def group_of(client: TestClient, account_id: str) -> Any:
    return client.get(f"/v1/accounts/{account_id}").json()["group"]


def test_orders_of_all_levels_are_summed_by_currency(api: TestClient) -> None:
    link(api, {"top": None, "middle": "top", "low": "middle", "other": None})
    buy(api, "1", "top", 100)
    buy(api, "2", "low", 50, ordered_at="2024-01-01")
    buy(api, "3", "low", 7, currency="USD", ordered_at="2024-01-09")
    buy(api, "4", "other", 1_000)
    buy(api, "5", "middle", 1_000, status="cancelled")

    group = group_of(api, "top")

    assert sorted(group.pop("account_ids")) == ["low", "middle", "top"]
    assert group == {
        "accounts": 3,
        "order_count": 3,
        "first_order_at": "2024-01-01T00:00:00Z",
        "last_order_at": "2024-01-09T00:00:00Z",
        "totals": [{"currency": "EUR", "amount_minor": 150}, {"currency": "USD", "amount_minor": 7}],
        "value": None,
    }
    assert group_of(api, "middle")["order_count"] == 2
    assert group_of(api, "low") is None


def test_a_cached_profile_follows_its_subsidiaries(api: TestClient) -> None:
    link(api, {"top": None, "middle": "top", "low": "middle"})
    buy(api, "1", "low", 100)
    assert group_of(api, "top")["totals"][0]["amount_minor"] == 100

    buy(api, "2", "low", 20)
    bought = group_of(api, "top")
    link(api, {"low": None})
    left = group_of(api, "top")
    link(api, {"low": "top"})
    back = group_of(api, "top")
    link(api, {"low": None, "middle": None})

    assert bought["totals"][0]["amount_minor"] == 120
    assert (left["accounts"], left["totals"]) == (2, [])
    assert (back["accounts"], back["totals"][0]["amount_minor"]) == (3, 120)
    assert group_of(api, "top") is None


def test_value_is_the_sum_over_the_accounts_that_have_one(shop_client: TestClient) -> None:
    members = ["a-8", "a-9", "a-235"]  # the last never bought
    link(shop_client, {"a-9": "a-8", "a-235": "a-9"})

    value = group_of(shop_client, "a-8")["value"]

    values = [each for name in members if (each := shop_client.get(f"/v1/accounts/{name}").json()["value"])]
    assert len(values) == 2
    assert value["spend_minor"] == sum(each["spend_minor"] for each in values)
    assert (value["spend_accounts"], value["valued_accounts"]) == (2, 2)
    for name in ("expected_minor", "low_minor", "high_minor"):
        assert value[name] == pytest.approx(sum(each["value_ahead"][name] for each in values), abs=2)
    assert value["days"] == values[0]["value_ahead"]["days"]


def test_an_erased_account_leaves_its_group(shop_client: TestClient) -> None:
    link(shop_client, {"a-9": "a-8", "a-10": "a-9"})
    before = group_of(shop_client, "a-8")

    shop_client.delete("/v1/accounts/a-9")

    assert before["accounts"] == 3
    assert group_of(shop_client, "a-8") is None
    assert shop_client.get("/v1/accounts/a-10").json()["parent_account_id"] is None
