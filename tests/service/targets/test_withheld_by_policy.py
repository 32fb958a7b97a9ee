"""Policies in target lists, do-not-pitch lists and white space, over HTTP."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.service.targets.test_targets_api import everyone

TARGETS = "/v1/products/p-7/targets"
CELL = "/v1/whitespace/cells/line-1/all.accounts/accounts"
DO_NOT_PITCH = "/v1/accounts/do-not-pitch"
BANNED = {"attribute": "is_banned", "op": "eq", "value": True}
NOT_BANNED = {"attribute": "is_banned", "op": "is_known"}
AT_CHECKOUT = {"request": "placement", "op": "eq", "value": "checkout"}


def ids(client: TestClient, url: str) -> list[str]:
    return [item["account_id"] for item in everyone(client, url)]


def ban(client: TestClient, *account_ids: str) -> None:
    rows = [{"account_id": account_id, "attributes": {"is_banned": True}} for account_id in account_ids]
    assert client.post("/v1/accounts", json=rows).json()["rejected"] == 0


def store(client: TestClient, **fields: Any) -> str:
    """Store a policy that withholds from banned accounts, and return its id. Of others the attribute is not known."""
    rule = {"withhold_if": {"all": [NOT_BANNED, BANNED]}}
    fields = {
        "name": "No banned accounts",
        "type": "eligibility",
        **(rule if "offer_only_if" not in fields else {}),
    } | fields
    answer = client.post("/v1/policies", json=fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["policy_id"])


def test_targets_are_without_accounts_that_may_not_have_the_product(shop_client: TestClient) -> None:
    before = ids(shop_client, TARGETS)
    banned = [before[0], before[3]]
    ban(shop_client, *banned)

    policy_id = store(shop_client, scope={"products": ["p-7"]})

    assert ids(shop_client, TARGETS) == [each for each in before if each not in banned]
    assert before[0] in ids(shop_client, "/v1/products/p-8/targets") + ids(shop_client, "/v1/products/p-9/targets")
    assert banned[0] not in ids(shop_client, f"{DO_NOT_PITCH}?reason=withheld-by-policy")
    shop_client.patch(f"/v1/policies/{policy_id}", json={"is_enabled": False})
    assert ids(shop_client, TARGETS) == before


@pytest.mark.parametrize("rule", ["withhold_if", "offer_only_if"])
def test_a_policy_of_requests_empties_no_list(shop_client: TestClient, rule: str) -> None:
    before = {url: ids(shop_client, url) for url in (TARGETS, CELL, DO_NOT_PITCH)}

    store(shop_client, **{"name": "At the checkout", "offer_only_if": AT_CHECKOUT} if rule == "offer_only_if" else {
        "name": "Not at the checkout", "withhold_if": AT_CHECKOUT,
    })  # fmt: skip

    assert {url: ids(shop_client, url) for url in before} == before


def test_a_policy_of_accounts_and_requests_counts_where_the_account_alone_decides(shop_client: TestClient) -> None:
    before = ids(shop_client, TARGETS)
    ban(shop_client, before[0])

    store(shop_client, name="Banned ones", withhold_if={"all": [NOT_BANNED, BANNED, AT_CHECKOUT]})
    assert ids(shop_client, TARGETS) == before
    store(shop_client, name="Known ones", offer_only_if={"all": [{"not": NOT_BANNED}, AT_CHECKOUT]})

    assert ids(shop_client, TARGETS) == before[1:]


def test_accounts_that_may_have_nothing_are_not_to_be_pitched(shop_client: TestClient) -> None:
    listed = shop_client.get(DO_NOT_PITCH, params={"limit": 500}).json()
    excluded = {item["account_id"] for item in listed["items"]}
    known = next(each for each in ids(shop_client, TARGETS) if each not in excluded)
    ban(shop_client, known, "new-and-banned")

    policy_id = store(shop_client)

    page = shop_client.get(DO_NOT_PITCH, params={"reason": "withheld-by-policy"}).json()
    text = f"Policies withhold every product from it, such as {policy_id}."
    assert [(item["account_id"], item["reasons"]) for item in page["items"]] == [
        (account_id, [{"code": "withheld-by-policy", "text": text}]) for account_id in (known, "new-and-banned")
    ]
    assert page["counts"]["withheld-by-policy"] == 2
    everyone_excluded = ids(shop_client, DO_NOT_PITCH)
    assert set(everyone_excluded) == excluded | {known, "new-and-banned"}
    assert known not in ids(shop_client, TARGETS) + ids(shop_client, CELL)


def test_an_erased_account_is_in_no_list_of_policies(shop_client: TestClient) -> None:
    account_id = ids(shop_client, TARGETS)[0]
    ban(shop_client, account_id)
    store(shop_client)
    assert ids(shop_client, f"{DO_NOT_PITCH}?reason=withheld-by-policy") == [account_id]

    assert shop_client.delete(f"/v1/accounts/{account_id}").status_code == 200

    page = shop_client.get(DO_NOT_PITCH, params={"reason": "withheld-by-policy"}).json()
    assert (page["items"], page["counts"]["withheld-by-policy"]) == ([], 0)


def test_a_cell_is_without_accounts_that_may_have_nothing_of_its_line(shop_client: TestClient) -> None:
    before = ids(shop_client, CELL)
    ban(shop_client, before[1])
    products = [item for item in everyone(shop_client, "/v1/products") if item["line"] == "line-1" and item["active"]]

    for product in products[1:]:
        store(shop_client, name=product["product_id"], scope={"products": [product["product_id"]]})
    assert ids(shop_client, CELL) == before
    store(shop_client, name="The last one", scope={"products": [products[0]["product_id"]]})

    assert ids(shop_client, CELL) == [before[0], *before[2:]]
    white_space = shop_client.get(f"/v1/accounts/{before[1]}/whitespace").json()["items"]
    row = next(item for item in white_space if item["row"] == "line-1")
    assert (row["status"], row["propensity"], row["expected_minor"]) == ("not_eligible", None, None)
    assert row["reason"].startswith("Policies withhold every product of it, such as ")
    others = shop_client.get(f"/v1/accounts/{before[0]}/whitespace").json()["items"]
    assert next(item for item in others if item["row"] == "line-1")["status"] == "gap"
