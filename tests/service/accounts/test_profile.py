"""The profile of an account: cached, and current after every change."""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from starlette.testclient import TestClient

from service.readmodel.account_cache import AccountCache
from tests.shop import AS_OF, Shop


@pytest.fixture
def lines(shop: Shop) -> list[tuple[str, str]]:
    """Account and category of every line in which something was bought."""
    engine = create_engine(f"sqlite:///{shop.database}")
    query = """
        SELECT o.account_id, p.category FROM order_lines l JOIN orders o ON o.order_id = l.order_id
        JOIN products p ON p.product_id = l.product_id
        WHERE o.account_id IS NOT NULL AND l.quantity > 0 AND p.category IS NOT NULL
    """
    with engine.connect() as connection:
        rows = [(account_id, category) for account_id, category in connection.execute(text(query))]
    engine.dispose()
    return rows


def test_interests_are_shares_of_order_lines_against_those_of_all(
    shop_client: TestClient, lines: list[tuple[str, str]]
) -> None:
    of_all = Counter(category for _, category in lines)

    interests = shop_client.get("/v1/accounts/a-8").json()["interests"]

    own = Counter(category for account_id, category in lines if account_id == "a-8")
    assert interests
    for interest in interests:
        count = own[interest["category"]]
        share, average = count / own.total(), of_all[interest["category"]] / of_all.total()
        assert interest["order_lines"] == count >= 5
        assert interest["share"] == pytest.approx(share, abs=1e-6)
        assert interest["average_share"] == pytest.approx(average, abs=1e-6)
        assert interest["times_average"] == pytest.approx(share / average, abs=0.01)


def test_the_profile_shows_open_deals_and_usage(shop_client: TestClient) -> None:
    owned = shop_client.get("/v1/accounts/a-8").json()["owned"][0]["product_id"]
    usage = {"usage": {owned: {"seats": 12}}}
    deal = {
        "deal_id": "d",
        "account_id": "a-8",
        "product_id": "p-7",
        "stage": "Engaging",
        "expected_close": "2024-04-01",
    }

    shop_client.post("/v1/accounts", json=[{"account_id": "a-8", "attributes": usage}])
    shop_client.post("/v1/deals", json=[deal])

    profile = shop_client.get("/v1/accounts/a-8").json()
    assert profile["owned"][0]["usage"] == {"seats": 12}
    assert [
        (open_deal["deal_id"], open_deal["stage"], open_deal["expected_close"]) for open_deal in profile["open_deals"]
    ] == [("d", "Engaging", "2024-04-01")]
    assert profile["needs"] == []


def test_every_change_shows_in_the_next_read(shop_client: TestClient) -> None:
    before = shop_client.get("/v1/accounts/a-8").json()
    line = {"product_id": "p-7", "quantity": 2, "amount_minor": 1100}
    order = {
        "order_id": "new",
        "account_id": "a-8",
        "ordered_at": AS_OF.isoformat(),
        "currency": "EUR",
        "lines": [line],
    }

    shop_client.post("/v1/orders", json=[order])
    after_order = shop_client.get("/v1/accounts/a-8").json()
    shop_client.put("/v1/accounts/a-8/consent", json={"marketing": "objected"})
    after_consent = shop_client.get("/v1/accounts/a-8").json()
    shop_client.post("/v1/products", json=[{"product_id": "p-7", "name": "Renamed"}])
    after_product = shop_client.get("/v1/accounts/a-8").json()

    assert after_order["order_count"] == before["order_count"] + 1
    assert after_consent["marketing"] == "objected"
    assert "Renamed" in {product["name"] for product in after_product["owned"]}


def test_a_profile_is_read_from_the_database_once(shop_client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shop_client.get("/v1/accounts/a-8")

    def refuse(*_: Any) -> None:
        raise AssertionError("the database was asked again")

    monkeypatch.setattr("service.accounts.routes.find_account", refuse)
    again = shop_client.get("/v1/accounts/a-8", headers={"If-None-Match": first.headers["etag"]})

    assert shop_client.get("/v1/accounts/a-8").json() == first.json()
    assert again.status_code == 304


def test_a_record_that_changed_while_it_was_read_is_not_cached() -> None:
    cache = AccountCache()

    def read_while_it_changes() -> bytes:
        cache.forget(["a"])
        return b"old"

    first = cache.get("a", read_while_it_changes)

    assert first == b"old"
    assert cache.get("a", lambda: b"new") == b"new"
    assert cache.get("a", lambda: b"never asked") == b"new"


def test_the_cache_is_bounded_in_bytes_and_evicts_the_least_recently_used() -> None:
    cache = AccountCache(max_bytes=5)

    for account_id in "abac":
        cache.get(account_id, lambda: b"12")

    assert cache.get("a", lambda: b"--") == b"12"
    assert cache.get("b", lambda: b"--") == b"--"


def test_forgetting_an_account_frees_its_bytes() -> None:
    cache = AccountCache(max_bytes=5)
    for account_id in "ab":
        cache.get(account_id, lambda: b"12")

    cache.forget(["a"])
    cache.get("c", lambda: b"12")

    assert cache.get("b", lambda: b"--") == b"12"
