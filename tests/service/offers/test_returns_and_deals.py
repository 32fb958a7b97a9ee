"""What an account returned, is negotiating, or decided against recently is not offered to it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.base.settings import Settings
from tests.artifacts import coffee_world
from tests.service.conftest import NOON, InstallWorld, make_key, make_settings, running

URL = "/v1/recommendations"


def offers_for(client: TestClient, account_id: str = "ann", **asked: object) -> tuple[list[str], dict[str, int]]:
    """What an account is offered, and why other candidates are withheld."""
    body = client.post(URL, json={"account_id": account_id, "limit": 50, "dry_run": True, **asked}).json()
    return [offer["product_id"] for offer in body["offers"]], body["withheld"]


def order(order_id: str, product_id: str, quantity: float, ordered_at: str, **other: str) -> dict[str, Any]:
    """One order of one product by ann."""
    lines = [{"product_id": product_id, "quantity": quantity}]
    return {"order_id": order_id, "account_id": "ann", "ordered_at": ordered_at, "lines": lines, **other}


def post(client: TestClient, url: str, *rows: object) -> None:
    answer = client.post(url, json=list(rows))
    assert (answer.status_code, answer.json()["rejected"]) == (200, 0), answer.text


def deal(product_id: str, stage: str, **other: str) -> dict[str, str]:
    """One deal with ann."""
    return {"deal_id": f"d-{product_id}", "account_id": "ann", "product_id": product_id, "stage": stage, **other}


def test_a_product_that_was_just_returned_is_withheld_until_it_is_bought_again(client: TestClient) -> None:
    assert offers_for(client)[0][0] == "filter"

    post(client, "/v1/orders", order("r1", "filter", 1, "2024-03-01"), order("r2", "filter", -1, "2024-03-02"))
    after_the_return = offers_for(client)
    post(client, "/v1/orders", order("r3", "filter", 1, "2024-03-03"))
    after_buying_again = offers_for(client)

    assert "filter" not in after_the_return[0]
    assert after_the_return[1]["returned"] == 1
    assert "filter" not in after_buying_again[0]
    assert "returned" not in after_buying_again[1]
    assert after_buying_again[1]["owned"] > after_the_return[1].get("owned", 0)


def test_a_part_that_was_sent_back_leaves_the_rest_owned(client: TestClient) -> None:
    post(client, "/v1/orders", order("r1", "filter", 3, "2024-03-01"), order("r2", "filter", -1, "2024-03-02"))

    assert "returned" not in offers_for(client)[1]


def test_a_cancelled_order_is_no_return(client: TestClient) -> None:
    post(client, "/v1/orders", order("c1", "filter", 1, "2024-03-01", status="cancelled"))
    post(client, "/v1/orders", order("c2", "filter", -1, "2024-03-01", status="cancelled"))

    assert offers_for(client)[0][0] == "filter"


@pytest.mark.parametrize(("days", "is_withheld"), [(180, True), (181, False)])
def test_a_return_counts_for_half_a_year_before_the_accounts_newest_order(
    client: TestClient, days: int, *, is_withheld: bool
) -> None:
    returned = NOON + timedelta(days=10)
    newest = returned + timedelta(days=days)

    # Both are after today.
    post(client, "/v1/orders?latest=2025-01-01", order("r1", "filter", -1, returned.isoformat()))
    post(client, "/v1/orders?latest=2025-01-01", order("r2", "scale", 1, newest.isoformat()))

    assert ("filter" not in offers_for(client)[0]) is is_withheld


def test_a_return_of_one_account_leaves_the_others_offers_as_they_are(client: TestClient) -> None:
    before = offers_for(client, "bob")

    post(client, "/v1/orders", order("r1", "filter", -1, "2024-03-02"))

    assert offers_for(client, "bob") == before
    assert "filter" in before[0]


@pytest.mark.parametrize(("returned_at", "is_withheld"), [("2024-02-01", True), ("2023-08-01", False)])
def test_a_return_that_the_artifact_has_learned_from_counts_within_the_window(
    settings: Settings, install_world: InstallWorld, returned_at: str, *, is_withheld: bool
) -> None:
    key = make_key(settings.database_url, "admin")
    with running(settings, key) as before_training:
        post(before_training, "/v1/orders", order("r1", "filter", 1, "2023-07-01"))
        post(before_training, "/v1/orders", order("r2", "filter", -1, returned_at))
    install_world(settings.artifacts_dir, coffee_world(), sequence=1_000_000)

    with running(settings, key) as client:
        offers, withheld = offers_for(client)

    assert ("filter" not in offers, withheld.get("returned", 0)) == (is_withheld, int(is_withheld))


def test_what_an_account_has_an_open_deal_for_is_withheld_until_the_deal_is_lost_or_won(client: TestClient) -> None:
    post(client, "/v1/deals", deal("filter", "Negotiation"))
    negotiating = offers_for(client)
    post(client, "/v1/deals", deal("filter", "Closed Lost", closed_at="2024-02-20"))
    lost = offers_for(client)
    post(client, "/v1/deals", deal("filter", "Closed Won", closed_at="2024-02-20"))
    won = offers_for(client)

    assert "filter" not in {*negotiating[0], *lost[0], *won[0]}
    assert [withheld.get("deal-open") for _, withheld in (negotiating, lost, won)] == [1, None, None]
    assert [withheld.get("deal-lost") for _, withheld in (negotiating, lost, won)] == [None, 1, None]


@pytest.mark.parametrize(("days", "is_withheld"), [(89, True), (91, False)])
def test_a_lost_deal_counts_for_ninety_days_before_the_end_of_the_data(
    client: TestClient, days: int, *, is_withheld: bool
) -> None:
    # The artifact's history ends a day before noon.
    closed_at = NOON - timedelta(days=1 + days)

    post(client, "/v1/deals", deal("filter", "Lost", closed_at=closed_at.isoformat()))

    assert ("filter" not in offers_for(client)[0]) is is_withheld


def test_both_survive_a_restart_and_hold_in_a_batch(settings: Settings, client: TestClient) -> None:
    post(client, "/v1/orders", order("r1", "filter", -1, "2024-03-02"))
    post(client, "/v1/deals", deal("milk", "Qualified"))

    with running(settings, make_key(settings.database_url, "admin")) as restarted:
        body = restarted.post(f"{URL}/batch", json={"account_ids": ["bob", "ann"], "limit": 50}).json()
        bob, ann = ({offer["product_id"] for offer in item["offers"]} for item in body["items"])

    assert {"filter", "milk"} <= bob
    assert not {"filter", "milk"} & ann
    assert {"returned", "deal-open"} <= body["items"][1]["withheld"].keys()


@pytest.mark.parametrize("link", ["parent_product_id", "replaces"])
def test_all_three_hold_for_variants_and_successors(client: TestClient, link: str) -> None:
    assert {"filter", "milk"} <= set(offers_for(client)[0])
    post(client, "/v1/products", {"product_id": "milk", link: "filter"})

    post(client, "/v1/deals", deal("filter", "Negotiation"))
    negotiating = offers_for(client)
    post(client, "/v1/deals", deal("filter", "Closed Lost", closed_at="2024-02-20"))
    lost = offers_for(client)
    post(client, "/v1/orders", order("r1", "filter", 1, "2024-03-01"), order("r2", "filter", -1, "2024-03-02"))
    returned = offers_for(client)

    assert not {"filter", "milk"} & {*negotiating[0], *lost[0], *returned[0]}
    assert (negotiating[1]["deal-open"], lost[1]["deal-lost"], returned[1]["returned"]) == (2, 2, 2)
    # Another account is offered one of the two: they are the same thing in another form.
    assert len({"filter", "milk"} & set(offers_for(client, "bob")[0])) == 1


@pytest.fixture
def lenient(sqlite_url: str, settings: Settings, version: str) -> Iterator[TestClient]:
    """An application without both windows."""
    assert version
    changed = make_settings(sqlite_url, settings.artifacts_dir).model_copy(
        update={"returned_days": 0, "deal_lost_days": 0}
    )
    with running(changed, make_key(sqlite_url, "admin")) as client:
        yield client


def test_a_window_of_no_days_switches_its_rule_off(lenient: TestClient) -> None:
    post(lenient, "/v1/orders", order("r1", "filter", -1, "2024-03-02"))
    post(lenient, "/v1/deals", deal("milk", "Lost", closed_at="2024-03-01"))

    assert {"filter", "milk"} <= set(offers_for(lenient)[0])
