"""Whom to ask, and whom not: over HTTP, on a real training."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from models.artifact import NO_ROW, Content
from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore
from tests.shop import AS_OF, N_ACCOUNTS, OLD, Shop


@pytest.fixture
def content(shop: Shop) -> Content:
    """What the artifact holds."""
    store = ArtifactStore(shop.artifacts, smoke_test)
    return store.open(store.active_version() or "").content


def everyone(client: TestClient, url: str) -> list[dict[str, Any]]:
    """Every item, page by page."""
    items: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(f"{url}{'&' if '?' in url else '?'}limit=50" + (f"&cursor={cursor}" if cursor else "")).json()
        items += page["items"]
        cursor = page["next_cursor"]
    return items


def returned_from(database: Path, product_id: str) -> set[str]:
    """The accounts that ever returned a product."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT account_id FROM order_lines JOIN orders USING (order_id) WHERE product_id = ? AND quantity < 0",
            (product_id,),
        )
        return {account_id for (account_id,) in rows}


def test_targets_are_all_who_do_not_own_it_the_most_likely_first(
    shop: Shop, shop_client: TestClient, content: Content
) -> None:
    row = content.products.ids.row_of("p-7")
    assert row is not None
    propensities, factors = content.propensities, content.propensities.factors_of(content.customers)
    wanted: dict[str, tuple[float, str]] = {}
    returned = returned_from(shop.database, "p-7")
    for number, account_id in enumerate(content.account_ids.texts):
        if account_id in returned:
            continue
        listed = content.candidate_products[number].tolist()
        if row in listed:
            wanted[account_id] = float(propensities.candidates[number, listed.index(row)]), "candidate"
        elif row not in content.owned_by(number).tolist():
            wanted[account_id] = float(propensities.rates[row] * factors[number]), "prior"

    targets = everyone(shop_client, "/v1/products/p-7/targets")

    assert {target["account_id"]: target["basis"] for target in targets} == {
        account_id: basis for account_id, (_, basis) in wanted.items()
    }
    for target in targets:
        assert target["propensity"] == pytest.approx(wanted[target["account_id"]][0], abs=1e-6)
        assert 0 < target["propensity"] < 1
    likely = [target["propensity"] for target in targets]
    assert likely == sorted(likely, reverse=True)
    assert {basis for _, basis in wanted.values()} == {"candidate", "prior"}


def test_who_bought_a_product_that_is_new_since_the_training_is_no_target_of_it(shop_client: TestClient) -> None:
    product = {"product_id": "brand-new", "name": "Brand new", "category": "line-1/1", "price_minor": 1000}
    shop_client.post("/v1/products", json=[product | {"currency": "EUR"}])
    first, second = shop_client.get("/v1/products/brand-new/targets", params={"limit": 2}).json()["items"]
    line = {"product_id": "brand-new", "quantity": 1, "amount_minor": 1000}
    order = {"order_id": "n", "account_id": first["account_id"], "ordered_at": AS_OF.isoformat(), "currency": "EUR"}

    shop_client.post("/v1/orders", json=[order | {"lines": [line]}])

    assert shop_client.get("/v1/products/brand-new/targets").json()["items"][0] == second


def test_price_and_margin_are_both_as_of_now(shop_client: TestClient) -> None:
    changed = {"product_id": "p-7", "price_minor": 1000, "margin_minor": 400, "currency": "EUR"}

    shop_client.post("/v1/products", json=[changed])

    page = shop_client.get("/v1/products/p-7/targets").json()
    assert (page["price_minor"], page["margin_minor"]) == (1000, 400)


def test_pages_skip_nobody_when_accounts_of_an_earlier_one_are_spared(shop_client: TestClient) -> None:
    for number in range(20, 40):
        shop_client.put(f"/v1/accounts/a-{number}/consent", json={"marketing": "objected"})
    url = "/v1/accounts/do-not-pitch?reason=objects-to-marketing"
    whole = [item["account_id"] for item in everyone(shop_client, url)]
    page = shop_client.get(f"{url}&limit=5").json()

    for item in page["items"][:3]:
        shop_client.put(f"/v1/accounts/{item['account_id']}/consent", json={"marketing": "granted"})
    rest = shop_client.get(f"{url}&limit=50&cursor={page['next_cursor']}").json()["items"]

    assert [item["account_id"] for item in rest] == whole[5:]
    assert len(whole) == 20


def test_a_cursor_of_another_list_is_refused(shop_client: TestClient) -> None:
    cursor = shop_client.get("/v1/products/p-7/targets", params={"limit": 2}).json()["next_cursor"]

    for url in (
        "/v1/products/p-8/targets",
        "/v1/products/p-7/targets?segment=value-tier.a",
        "/v1/accounts/do-not-pitch",
    ):
        sign = "&" if "?" in url else "?"
        assert shop_client.get(f"{url}{sign}cursor={cursor}").json()["code"] == "invalid-cursor", url


@pytest.mark.parametrize(
    "url",
    [
        "/v1/segments", "/v1/segments/all.accounts", "/v1/whitespace", "/v1/accounts/a-3", "/v1/accounts/do-not-pitch",
        "/v1/accounts/a-3/whitespace", "/v1/products/p-7/targets", "/v1/whitespace/cells/line-1/all.accounts/accounts",
    ],
)  # fmt: skip
def test_a_read_waits_for_the_change_that_it_names(shop_client: TestClient, url: str) -> None:
    written = shop_client.put("/v1/accounts/a-4/consent", json={"marketing": "objected"})

    reached = shop_client.get(url, headers={"X-Min-Sequence": written.headers["x-sequence"]})
    beyond = shop_client.get(url, headers={"X-Min-Sequence": str(10**9)})
    nonsense = shop_client.get(url, headers={"X-Min-Sequence": "abc"})

    assert [response.status_code for response in (reached, beyond, nonsense)] == [200, 503, 422]
    assert beyond.json()["code"] == "sequence-not-reached"


def test_the_worth_of_a_target_is_its_propensity_times_price_and_margin(shop_client: TestClient) -> None:
    page = shop_client.get("/v1/products/p-7/targets").json()

    assert (page["price_minor"], page["margin_minor"]) == (200 + 50 * 7, 20 + 7)
    for target in page["items"]:
        assert target["expected_revenue_minor"] == pytest.approx(target["propensity"] * 550, abs=0.51)
        assert target["expected_margin_minor"] == pytest.approx(target["propensity"] * 27, abs=0.51)


def test_targets_of_a_segment_are_its_accounts(shop_client: TestClient) -> None:
    listed = shop_client.get("/v1/segments/value-tier.a/accounts", params={"limit": 500}).json()["items"]

    page = shop_client.get("/v1/products/p-7/targets", params={"segment": "value-tier.a", "limit": 500}).json()

    assert {item["account_id"] for item in page["items"]} <= {item["account_id"] for item in listed}
    assert page["items"]


def test_who_bought_it_or_objects_is_no_target_any_more(shop_client: TestClient) -> None:
    buyer, objector, third = (
        item["account_id"] for item in shop_client.get("/v1/products/p-7/targets").json()["items"][:3]
    )
    line = {"product_id": "p-7", "quantity": 1, "amount_minor": 550}
    order = {
        "order_id": "new",
        "account_id": buyer,
        "ordered_at": AS_OF.isoformat(),
        "currency": "EUR",
        "lines": [line],
    }

    shop_client.post("/v1/orders", json=[order])
    shop_client.put(f"/v1/accounts/{objector}/consent", json={"marketing": "objected"})

    assert shop_client.get("/v1/products/p-7/targets").json()["items"][0]["account_id"] == third


@pytest.mark.parametrize("link", ["parent_product_id", "replaces"])
def test_who_owns_or_returned_a_variant_of_it_is_no_target(shop_client: TestClient, link: str) -> None:
    owner, returner, third = (
        item["account_id"] for item in shop_client.get("/v1/products/p-7/targets").json()["items"][:3]
    )
    shop_client.post("/v1/products", json=[{"product_id": "p-7-blue", "name": "Blue", link: "p-7"}])
    orders = [
        {"order_id": account_id, "account_id": account_id, "ordered_at": AS_OF.isoformat(), "lines": [line]}
        for account_id, line in (
            (owner, {"product_id": "p-7-blue", "quantity": 1}),
            (returner, {"product_id": "p-7", "quantity": -1}),
        )
    ]

    shop_client.post("/v1/orders", json=orders)

    assert shop_client.get("/v1/products/p-7/targets").json()["items"][0]["account_id"] == third
    of_variant = {item["account_id"] for item in everyone(shop_client, "/v1/products/p-7-blue/targets")}
    assert not of_variant & {owner, returner}
    assert third in of_variant


def test_nobody_is_a_target_for_what_is_not_sold(shop_client: TestClient) -> None:
    page = shop_client.get(f"/v1/products/{OLD}/targets").json()

    assert not page["is_active"]
    assert page["items"] == []


def test_a_product_that_is_new_since_the_training_has_the_rate_of_its_category(
    shop_client: TestClient, content: Content
) -> None:
    category = "line-1/1"
    product = {
        "product_id": "brand-new",
        "name": "Brand new",
        "category": category,
        "price_minor": 1000,
        "currency": "EUR",
    }
    shop_client.post("/v1/products", json=[product])

    page = shop_client.get("/v1/products/brand-new/targets", params={"limit": 500}).json()

    rate = float(content.propensities.category_rates[list(content.categories.names).index(category)])
    factors = content.propensities.factors_of(content.customers)
    assert len(page["items"]) == N_ACCOUNTS
    assert page["items"][0]["propensity"] == pytest.approx(rate * float(factors.max()), rel=1e-3)
    assert min(target["propensity"] for target in page["items"]) > 0


def test_an_open_deal_is_shown(shop_client: TestClient) -> None:
    account_id = shop_client.get("/v1/products/p-7/targets").json()["items"][0]["account_id"]
    deal = {"deal_id": "d", "account_id": account_id, "product_id": "p-7", "stage": "Prospecting"}

    shop_client.post("/v1/deals", json=[deal])

    first, second = shop_client.get("/v1/products/p-7/targets").json()["items"][:2]
    assert (first["account_id"], first["has_open_deal"]) == (account_id, True)
    assert not second["has_open_deal"]


def test_the_sum_of_candidates_propensities_is_how_many_are_expected(shop_client: TestClient, content: Content) -> None:
    row = content.products.ids.row_of("p-7")
    is_it = (content.candidate_products == row) & (content.candidate_products != NO_ROW)

    page = shop_client.get("/v1/products/p-7/targets").json()

    assert page["candidates"] == is_it.sum()
    assert page["expected_buyers"] == pytest.approx(float(content.propensities.candidates[is_it].sum()), abs=0.01)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("/v1/products/nope/targets", "unknown-product"),
        ("/v1/products/p-7/targets?segment=nope", "unknown-segment"),
        ("/v1/products/p-7/targets?cursor=nope", "invalid-cursor"),
        ("/v1/accounts/do-not-pitch?cursor=nope", "invalid-cursor"),
        ("/v1/accounts/do-not-pitch?reason=nope", "request-invalid"),
    ],
)
def test_what_is_not_there_is_named(shop_client: TestClient, url: str, code: str) -> None:
    assert shop_client.get(url).json()["code"] == code


def reasons_of(client: TestClient, account_id: str) -> list[str]:
    """Why not to ask an account."""
    listed = everyone(client, "/v1/accounts/do-not-pitch")
    return [reason["code"] for item in listed if item["account_id"] == account_id for reason in item["reasons"]]


def test_unlikely_are_those_far_below_the_median_or_hardly_customers(shop_client: TestClient, content: Content) -> None:
    likely = content.propensities.candidates
    best = np.where(np.isnan(likely), -1, likely).max(axis=1)
    bar = 0.25 * np.median(best[best >= 0])
    alive = np.nan_to_num(content.customers.is_alive, nan=1.0)
    wanted = {a for r, a in enumerate(content.account_ids.texts) if 0 <= best[r] < bar or alive[r] < 0.1}

    excluded = everyone(shop_client, "/v1/accounts/do-not-pitch?reason=unlikely")

    assert {item["account_id"] for item in excluded} == wanted
    assert wanted


def test_an_objection_and_a_lost_deal_speak_against_asking(shop_client: TestClient) -> None:
    lost = {"deal_id": "d", "account_id": "a-5", "product_id": "p-7", "stage": "Lost"}
    shop_client.put("/v1/accounts/a-4/consent", json={"marketing": "objected"})
    shop_client.put("/v1/accounts/stranger/consent", json={"marketing": "objected"})
    shop_client.post("/v1/deals", json=[lost | {"closed_at": (AS_OF - timedelta(days=30)).isoformat()}])

    assert "objects-to-marketing" in reasons_of(shop_client, "a-4")
    assert reasons_of(shop_client, "stranger") == ["objects-to-marketing"]
    assert "declined-recently" in reasons_of(shop_client, "a-5")

    shop_client.put("/v1/accounts/a-4/consent", json={"marketing": "granted"})
    shop_client.post("/v1/deals", json=[lost | {"closed_at": (AS_OF - timedelta(days=91)).isoformat()}])

    assert "objects-to-marketing" not in reasons_of(shop_client, "a-4")
    assert "declined-recently" not in reasons_of(shop_client, "a-5")


def test_unprofitable_accounts_are_spared_where_they_are_strategic(shop_client: TestClient, content: Content) -> None:
    excluded = everyone(shop_client, "/v1/accounts/do-not-pitch?reason=unprofitable")
    assert excluded
    account_id = excluded[0]["account_id"]
    activity, row = content.activity, content.account_ids.row_of(account_id)
    assert row is not None
    days = slice(activity.offsets[row], activity.offsets[row + 1])
    as_of_day = int(AS_OF.timestamp()) // 86_400
    earned = activity.margin_minor[days][activity.day[days] >= as_of_day - 365].sum()

    assert earned < 0
    assert f"It brought {int(earned) / 100:,.2f} EUR in" in excluded[0]["reasons"][-1]["text"]

    shop_client.post("/v1/accounts", json=[{"account_id": account_id, "is_strategic": True}])

    left = everyone(shop_client, "/v1/accounts/do-not-pitch?reason=unprofitable")
    assert account_id not in {item["account_id"] for item in left}
    counts = shop_client.get("/v1/accounts/do-not-pitch").json()["counts"]
    assert counts["unprofitable"] == len(left) == len(excluded) - 1
