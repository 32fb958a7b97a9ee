"""White space of groups: every figure against those of their accounts, one by one."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.shop import UNSOLD_LINE

MEMBERS = ["a-11", "a-230", "a-231", "a-41"]
"""Two levels below the first, which bought little, as did the last; the others bought nothing."""


@pytest.fixture
def group_client(shop_client: TestClient) -> TestClient:
    """A client of the shop, in which a-11 has two subsidiaries, and one of those another one."""
    link(shop_client, {"a-41": "a-11", "a-230": "a-11", "a-231": "a-230"})
    return shop_client


def link(client: TestClient, parents: dict[str, str | None]) -> None:
    rows = [{"account_id": child, "parent_account_id": parent} for child, parent in parents.items()]
    assert client.post("/v1/accounts", json=rows).json()["rejected"] == 0


def whitespace(client: TestClient, account_id: str, scope: str = "account", rows: str = "line") -> dict[str, Any]:
    answer = client.get(f"/v1/accounts/{account_id}/whitespace", params={"scope": scope, "rows": rows})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def by_row(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["row"]: item for item in described["items"]}


def check_sums(group: dict[str, Any], accounts: Sequence[dict[str, Any]]) -> None:
    """Check a group's rows against those of its accounts."""
    rows = [by_row(account) for account in accounts]
    for row, item in by_row(group).items():
        each = [of_account[row] for of_account in rows]
        statuses = {line["status"] for line in each}
        expected = sum(line["expected_minor"] or 0 for line in each)
        assert item["owners"] == sum(line["owners"] for line in each)
        assert item["status"] == next(
            status for status in ("owned", "pipeline", "gap", "not_eligible") if status in statuses
        )
        named, other = ("expected_minor", "expected_elsewhere_minor")[:: -1 if item["owners"] else 1]
        assert item[other] is None
        assert (item[named] or 0) == pytest.approx(expected, abs=len(each) + 1e-4 * expected)
        assert (item["expected_buyers"] or 0) == pytest.approx(
            sum(line["expected_buyers"] or 0 for line in each), abs=1e-3
        )
    for total, name in (("expected_revenue", "expected_minor"), ("expected_elsewhere", "expected_elsewhere_minor")):
        money = group["group"][total]
        assert money["expected_minor"] == pytest.approx(
            sum(item[name] or 0 for item in group["items"]), abs=len(group["items"])
        )
        assert money["low_minor"] <= money["expected_minor"] <= money["high_minor"]


@pytest.mark.parametrize("rows", ["line", "category"])
def test_a_group_has_what_its_accounts_have(group_client: TestClient, rows: str) -> None:
    group = whitespace(group_client, "a-11", "group", rows)

    accounts = [whitespace(group_client, each, rows=rows) for each in MEMBERS]
    assert (group["scope"], group["group"]["accounts"]) == ("group", 4)
    assert group["group"]["account_ids"][0] == "a-11"
    assert sorted(group["group"]["account_ids"]) == MEMBERS
    assert group["group"]["is_complete"]
    check_sums(group, accounts)
    assert {item["status"] for item in group["items"]} >= {"owned"}
    assert by_row(group).get(UNSOLD_LINE, {"expected_buyers": None})["expected_buyers"] in (0, None)


def test_it_follows_orders_deals_objections_and_parents_at_once(group_client: TestClient) -> None:
    before = whitespace(group_client, "a-11", "group")
    gaps = [item["row"] for item in before["items"] if item["status"] == "gap"]
    bought, negotiated = (f"p-{int(row.removeprefix('line-')) + 12}" for row in gaps[:2])

    order = {"order_id": "new", "account_id": "a-231", "ordered_at": "2024-02-20"}
    group_client.post("/v1/orders", json=[order | {"lines": [{"product_id": bought, "quantity": 1}]}])
    deal = {"deal_id": "d-1", "account_id": "a-41", "product_id": negotiated, "stage": "Engaging"}
    group_client.post("/v1/deals", json=[deal])
    group_client.put("/v1/accounts/a-230/consent", json={"marketing": "objected"})
    after = whitespace(group_client, "a-11", "group")
    link(group_client, {"a-230": None})
    smaller = whitespace(group_client, "a-11", "group")

    rows = by_row(after)
    assert (rows[gaps[0]]["status"], rows[gaps[0]]["owners"]) == ("owned", 1)
    assert rows[gaps[0]]["reason"] == "Owned by 1 of 4 accounts: a-231."
    assert rows[gaps[1]]["status"] == "pipeline"
    assert "deal d-1" in rows[gaps[1]]["reason"]
    assert after["group"]["objecting_accounts"] == 1
    check_sums(after, [whitespace(group_client, each) for each in MEMBERS])
    assert sorted(smaller["group"]["account_ids"]) == ["a-11", "a-41"]


def test_an_account_without_subsidiaries_is_a_group_of_itself(group_client: TestClient) -> None:
    group, account = whitespace(group_client, "a-9", "group"), whitespace(group_client, "a-9")

    assert group["group"]["account_ids"] == ["a-9"]
    assert account["group"] is None
    check_sums(group, [account])


def test_a_parent_that_nobody_described_stands_for_its_subsidiaries(group_client: TestClient) -> None:
    link(group_client, {"a-11": "unheard of"})

    group = whitespace(group_client, "unheard of", "group")

    assert sorted(group["group"]["account_ids"]) == MEMBERS
    assert group_client.get("/v1/accounts/unheard of/whitespace").status_code == 404
    assert group_client.get("/v1/accounts/nobody/whitespace?scope=group").json()["code"] == "unknown-account"


def test_a_group_without_anybody_to_offer_to_is_not_eligible(group_client: TestClient) -> None:
    for account_id in MEMBERS:
        group_client.put(f"/v1/accounts/{account_id}/consent", json={"marketing": "objected"})

    group = whitespace(group_client, "a-11", "group")

    assert {item["status"] for item in group["items"]} == {"owned", "not_eligible"}
    assert group["group"]["expected_revenue"]["expected_minor"] == 0


def test_an_unknown_scope_is_refused_and_a_group_can_be_a_file(group_client: TestClient) -> None:
    url = "/v1/accounts/a-11/whitespace"
    group = whitespace(group_client, "a-11", "group")

    exported = group_client.get(url, params={"scope": "group", "format": "csv"})

    rows = list(csv.DictReader(io.StringIO(exported.content.decode("utf-8-sig"))))
    assert [row["row"] for row in rows] == [item["row"] for item in group["items"]]
    assert [int(row["owners"]) for row in rows] == [item["owners"] for item in group["items"]]
    assert group_client.get(url, params={"scope": "everything"}).status_code == 422


def test_an_erased_parent_has_no_group_any_more(group_client: TestClient) -> None:
    group_client.delete("/v1/accounts/a-230")

    group = whitespace(group_client, "a-11", "group")

    assert sorted(group["group"]["account_ids"]) == ["a-11", "a-41"]
    assert whitespace(group_client, "a-231", "group")["group"]["accounts"] == 1
