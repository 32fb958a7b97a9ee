"""Whom to ask, and whom not: over HTTP, on a real training."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from models.artifact import NO_ROW, Content
from service.registry.store import ArtifactStore
from tests.shop import AS_OF, N_ACCOUNTS, OLD, Shop


@pytest.fixture
def content(shop: Shop) -> Content:
    """What the artifact holds."""
    store = ArtifactStore(shop.artifacts)
    return store.open(store.active_version() or "").content


def everyone(client: TestClient, url: str) -> list[dict[str, Any]]:
    """Every item, page by page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(f"{url}{'&' if '?' in url else '?'}limit=50" + (f"&cursor={cursor}" if cursor else "")).json()
        found += page["items"]
        cursor = page["next_cursor"]
    return found


def test_targets_are_those_who_have_it_among_their_candidates_then_the_others_who_do_not_own_it(
    shop_client: TestClient, content: Content
) -> None:
    row = content.products.ids.row_of("p-7")
    owners = {a for r, a in enumerate(content.account_ids.texts) if row in content.owned_by(r).tolist()}
    listed = {
        account_id: float(content.propensities.candidates[r, content.candidate_products[r].tolist().index(row)])
        for r, account_id in enumerate(content.account_ids.texts)
        if row in content.candidate_products[r].tolist()
    }

    found = everyone(shop_client, "/v1/products/p-7/targets")

    first = found[: len(listed)]
    assert {one["account_id"]: one["propensity"] for one in first} == pytest.approx(listed, abs=1e-6)
    assert {one["basis"] for one in first} == {"candidate"}
    assert [one["propensity"] for one in first] == sorted((one["propensity"] for one in first), reverse=True)
    rest = found[len(listed) :]
    assert {one["basis"] for one in rest} == {"prior"}
    assert {one["account_id"] for one in found} == set(content.account_ids.texts) - owners
    assert all(0 < one["propensity"] < 1 for one in found)
    assert [one["propensity"] for one in rest] == sorted((one["propensity"] for one in rest), reverse=True)


def test_the_worth_of_a_target_is_its_propensity_times_price_and_margin(shop_client: TestClient) -> None:
    told = shop_client.get("/v1/products/p-7/targets").json()

    assert (told["price_minor"], told["margin_minor"]) == (200 + 50 * 7, 20 + 7)
    for one in told["items"]:
        assert one["expected_revenue_minor"] == pytest.approx(one["propensity"] * 550, abs=0.51)
        assert one["expected_margin_minor"] == pytest.approx(one["propensity"] * 27, abs=0.51)


def test_targets_of_a_segment_are_its_accounts(shop_client: TestClient) -> None:
    listed = shop_client.get("/v1/segments/value-tier.a/accounts", params={"limit": 500}).json()["items"]

    found = shop_client.get("/v1/products/p-7/targets", params={"segment": "value-tier.a", "limit": 1000}).json()

    assert {one["account_id"] for one in found["items"]} <= {one["account_id"] for one in listed}
    assert found["items"]


def test_who_bought_it_or_objects_is_no_target_any_more(shop_client: TestClient) -> None:
    buyer, objector, third = (
        one["account_id"] for one in shop_client.get("/v1/products/p-7/targets").json()["items"][:3]
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


def test_nobody_is_a_target_for_what_is_not_sold(shop_client: TestClient) -> None:
    told = shop_client.get(f"/v1/products/{OLD}/targets").json()

    assert not told["is_active"]
    assert told["items"] == []


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

    told = shop_client.get("/v1/products/brand-new/targets", params={"limit": 1000}).json()

    rate = float(content.propensities.category_rates[list(content.categories.names).index(category)])
    factors = content.propensities.factors_of(content.customers)
    assert len(told["items"]) == N_ACCOUNTS
    assert told["items"][0]["propensity"] == pytest.approx(rate * float(factors.max()), rel=1e-3)
    assert min(one["propensity"] for one in told["items"]) > 0


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

    told = shop_client.get("/v1/products/p-7/targets").json()

    assert told["candidates"] == is_it.sum()
    assert told["expected_buyers"] == pytest.approx(float(content.propensities.candidates[is_it].sum()), abs=0.01)


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
    return [reason["code"] for one in listed if one["account_id"] == account_id for reason in one["reasons"]]


def test_unlikely_are_those_far_below_the_median_or_hardly_customers(shop_client: TestClient, content: Content) -> None:
    likely = content.propensities.candidates
    best = np.where(np.isnan(likely), -1, likely).max(axis=1)
    bar = 0.25 * np.median(best[best >= 0])
    alive = np.nan_to_num(content.customers.is_alive, nan=1.0)
    wanted = {a for r, a in enumerate(content.account_ids.texts) if 0 <= best[r] < bar or alive[r] < 0.1}

    found = everyone(shop_client, "/v1/accounts/do-not-pitch?reason=unlikely")

    assert {one["account_id"] for one in found} == wanted
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
    found = everyone(shop_client, "/v1/accounts/do-not-pitch?reason=unprofitable")
    assert found
    account_id = found[0]["account_id"]
    activity, row = content.activity, content.account_ids.row_of(account_id)
    assert row is not None
    days = slice(activity.offsets[row], activity.offsets[row + 1])
    as_of_day = int(AS_OF.timestamp()) // 86_400
    earned = activity.margin_minor[days][activity.day[days] >= as_of_day - 365].sum()

    assert earned < 0
    assert f"{int(earned):,} minor units" in found[0]["reasons"][-1]["text"]

    shop_client.post("/v1/accounts", json=[{"account_id": account_id, "is_strategic": True}])

    left = everyone(shop_client, "/v1/accounts/do-not-pitch?reason=unprofitable")
    assert account_id not in {one["account_id"] for one in left}
    counts = shop_client.get("/v1/accounts/do-not-pitch").json()["counts"]
    assert counts["unprofitable"] == len(left) == len(found) - 1
