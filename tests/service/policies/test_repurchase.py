"""Policies that say what may be bought again: felt by the next answer, and by the next order."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.policies.importing import PolicyFiles
from service.rows.definitions import import_definitions
from service.storage.database import create_database_engine
from tests.service.conftest import NOON, make_key, running, wait_until
from tests.service.policies.test_policies_api import URL
from tests.service.sync.conftest import offered, order, post
from tests.sold import AS_OF_DAY, sold_history

COFFEE: Final = {
    "policy_id": "beans-again",
    "name": "Beans again",
    "type": "repurchase",
    "scope": {"products": ["beans"]},
    "repurchase": {"mode": "consumable", "after_days": 5},
}


def create(client: TestClient, **fields: Any) -> Any:
    answer = client.post(URL, json={**COFFEE, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def answer_for(client: TestClient, account_id: str, **parameters: Any) -> Any:
    answer = client.get(f"/v1/recommendations/{account_id}", params={"limit": 20, **parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()


def ordered_on(client: TestClient, order_id: str, day: str) -> None:
    post(client, {**order(order_id, "a5", "beans"), "ordered_at": f"2024-{day}T09:00:00Z"})


def test_a_policy_lets_a_product_be_offered_again_until_it_is_bought(client: TestClient) -> None:
    assert "beans" not in offered(client, "a5")
    ordered_on(client, "o1", "02-20")

    made = create(client)

    answer = answer_for(client, "a5")
    (beans,) = (offer for offer in answer["offers"] if offer["product_id"] == "beans")
    assert beans["reasons"][0]["code"] == "bought-before"
    assert beans["reasons"][0]["text"] == "Bought before, last on 20 February 2024."
    assert made["repurchase"] == {"mode": "consumable", "after_days": 5}
    assert (made["offer_only_if"], made["withhold_if"]) == (None, None)

    ordered_on(client, "o2", "03-01")
    again = answer_for(client, "a5")

    assert "beans" not in [offer["product_id"] for offer in again["offers"]]
    assert again["withheld"]["bought-recently"] == 1
    assert client.delete(f"{URL}/beans-again").status_code == 200
    assert "bought-recently" not in answer_for(client, "a5")["withheld"]


def test_a_consumable_is_due_with_the_day_and_an_empty_answer_says_when(settings: Settings) -> None:
    now = NOON
    with running(settings, make_key(settings.database_url, "admin"), now=lambda: now) as client:
        ordered_on(client, "o1", "02-27")
        create(client)
        body = {"account_id": "a5", "among": ["beans"]}

        seen = []
        for hours in (0, 35, 36, 60):
            now = NOON + timedelta(hours=hours)
            seen.append(client.post("/v1/recommendations", json=body).json())

    assert [len(answer["offers"]) for answer in seen] == [0, 0, 1, 1]
    assert seen[0]["no_offer"]["ask_again_at"] == "2024-03-03T00:00:00Z"
    assert seen[0]["considered"][0]["reason"] == "bought-recently"
    assert seen[0]["considered"][0]["until"] == "2024-03-03T00:00:00Z"


def test_an_order_reaches_other_workers_and_outlives_them(settings: Settings) -> None:
    key = make_key(settings.database_url, "admin")
    with running(settings, key) as client, running(settings, key) as other:
        ordered_on(client, "o1", "02-20")
        create(client)
        wait_until(lambda: "beans" in offered(other, "a5"), seconds=1)
        ordered_on(client, "o2", "02-29")
        wait_until(lambda: "beans" not in offered(other, "a5"), seconds=1)

    with running(settings, key) as restarted:
        assert answer_for(restarted, "a5")["withheld"]["bought-recently"] == 1


def test_a_return_leaves_the_day_of_the_purchase_and_a_cancelled_order_does_not_count(client: TestClient) -> None:
    create(client)
    ordered_on(client, "o1", "02-20")
    ordered_on(client, "o2", "02-21")
    client.post("/v1/orders", json=[{**order("o3", "a5", "beans", quantity=-1), "ordered_at": "2024-02-29"}])
    post(client, {**order("o4", "a5", "beans"), "ordered_at": "2024-02-29", "status": "cancelled"})

    assert "beans" in offered(client, "a5")


def test_the_training_says_when_an_account_without_new_orders_bought_last(client: TestClient) -> None:
    history = sold_history()
    account, product = list(history.account_ids).index("a0"), list(history.product_ids).index("beans")
    days = history.time[(history.account == account) & (history.product == product)] // 86_400
    since = AS_OF_DAY + 1 - int(days.max())  # NOON is on the day after the artifact's.
    create(client, repurchase={"mode": "consumable", "after_days": since + 1})
    assert "beans" not in offered(client, "a0")

    client.patch(f"{URL}/beans-again", json={"repurchase": {"mode": "consumable", "after_days": since}})

    assert "beans" in offered(client, "a0")


def test_include_owned_ranks_what_no_policy_calls_durable(client: TestClient) -> None:
    create(client, scope={"products": ["milk"]}, repurchase={"mode": "durable"})
    owned = {"beans", "grinder", "kettle", "milk"}

    plain = {offer["product_id"] for offer in answer_for(client, "a3")["offers"]}
    asked = {offer["product_id"] for offer in answer_for(client, "a3", include_owned="true")["offers"]}
    posted = client.post(
        "/v1/recommendations", json={"account_id": "a3", "limit": 20, "include_owned": True, "dry_run": True}
    ).json()
    batch = client.post(
        "/v1/recommendations/batch", json={"account_ids": ["a3", "a0"], "limit": 20, "include_owned": True}
    ).json()["items"]

    assert not plain & owned
    assert asked - plain == owned - {"milk"}
    assert {offer["product_id"] for offer in posted["offers"]} == asked
    assert [{offer["product_id"] for offer in each["offers"]} >= {"beans"} for each in batch] == [True, True]
    refused = client.get("/v1/recommendations/a3", params={"include_owned": "perhaps"})
    assert (refused.status_code, refused.json()["code"]) == (422, "request-invalid")


def test_a_product_that_moves_into_the_scope_counts_at_once(client: TestClient) -> None:
    client.post("/v1/products", json=[{"product_id": "beans", "name": "Beans", "category": "food"}])
    create(client, scope={"categories": ["food"]}, repurchase={"mode": "unlimited"})
    within = "beans" in offered(client, "a5")

    client.post("/v1/products", json=[{"product_id": "beans", "name": "Beans", "category": "other"}])

    assert (within, "beans" in offered(client, "a5")) == (True, False)


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"repurchase": None}, "needs repurchase, and has no rule"),
        ({"withhold_if": {"product": "tier", "op": "eq", "value": 1}}, "no rule"),
        ({"type": "eligibility"}, "needs offer_only_if or withhold_if"),
        ({"repurchase": {"mode": "unlimited", "after_days": 3}}, "of consumables alone"),
        ({"repurchase": {"mode": "consumable", "after_days": 0}}, "greater than or equal to 1"),
        ({"repurchase": {"mode": "consumable", "after_days": 2.5}}, "integer"),
        ({"repurchase": {"mode": "sometimes"}}, "durable"),
        ({"repurchase": {"after_days": 3}}, "mode"),
        ({"scope": {"products": ["x"]}}, "the product 'x'"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_with_the_reason(
    client: TestClient, fields: dict[str, Any], part: str
) -> None:
    before = client.get(URL).json()

    answer = client.post(URL, json={**COFFEE, **fields})

    assert answer.status_code == 422
    assert part in answer.text
    assert client.get(URL).json() == before


def test_a_change_of_type_takes_the_rule_along(client: TestClient) -> None:
    create(client)
    rule = {"product": "product_id", "op": "eq", "value": "beans"}
    refused = client.patch(f"{URL}/beans-again", json={"withhold_if": rule})

    changed = client.patch(f"{URL}/beans-again", json={"type": "suitability", "withhold_if": rule})

    assert refused.status_code == 422
    assert (changed.status_code, changed.json()["repurchase"]) == (200, None)
    listed = client.get(URL, params={"type": "repurchase"}).json()["items"]
    assert listed == []


def test_a_preview_says_what_a_policy_would_add_and_which_products_have_no_interval(client: TestClient) -> None:
    draft: dict[str, Any] = {name: value for name, value in COFFEE.items() if name != "policy_id"}
    draft |= {"scope": None, "repurchase": {"mode": "unlimited"}}

    seen = client.post(f"{URL}/preview", json={"policy": draft}).json()
    learned = client.post(f"{URL}/preview", json={"policy": {**draft, "repurchase": {"mode": "consumable"}}}).json()

    assert seen["changed"] > 0
    assert (seen["withheld"], seen["unknown"], seen["unknown_products"]) == (0, {}, {})
    # Of ten products five are sold, and bought again often enough.
    assert learned["unknown_products"] == {"repurchase_interval": 5}
    assert client.get(URL, params={"type": "repurchase"}).json()["items"] == []
    create(client, **draft)
    removed = client.post(f"{URL}/preview", json={"policy_id": "beans-again"}).json()
    assert removed["changed"] == seen["changed"]


def test_what_is_listed_can_be_imported(client: TestClient, settings: Settings, tmp_path: Path) -> None:
    ordered_on(client, "o1", "02-20")
    create(client)
    listed = client.get(URL, params={"type": "repurchase"}).json()
    path = tmp_path / "policies.json"
    path.write_text(json.dumps(listed))
    engine = create_database_engine(settings.database_url)

    unchanged = import_definitions(engine, path, PolicyFiles(None, 90), NOON)
    client.delete(f"{URL}/beans-again")
    created = import_definitions(engine, path, PolicyFiles(None, 90), NOON)

    engine.dispose()
    assert (unchanged.unchanged, unchanged.refused) == (["beans-again"], [])
    assert created.created == ["beans-again"]
