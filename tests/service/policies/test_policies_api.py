"""Policies that people store: felt by the next answer, here and elsewhere, and never half-written."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.policies.queries import MAX_POLICIES, add_policy
from service.policies.schemas import PolicyIn
from service.storage.database import create_database_engine
from tests.service.conftest import NOON, SHOP_ORIGIN, make_key, make_settings, running, wait_until
from tests.service.sync.conftest import offered, order, post

URL: Final = "/v1/policies"
ABROAD: Final = {
    "policy_id": "no-kettles-abroad",
    "name": "No kettles abroad",
    "type": "eligibility",
    "scope": {"products": ["kettle"]},
    "withhold_if": {"attribute": "country", "op": "not_in", "values": ["US"]},
}


def describe(client: TestClient, **countries: str | None) -> None:
    rows = [
        {"account_id": account_id, "attributes": {"country": country} if country else {}}
        for account_id, country in countries.items()
    ]
    assert client.post("/v1/accounts", json=rows).json()["rejected"] == 0


def create(client: TestClient, **fields: Any) -> Any:
    answer = client.post(URL, json={**ABROAD, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_policy_is_felt_by_the_next_answer_until_it_is_deleted(client: TestClient) -> None:
    describe(client, a0="US", a5="DE", a10=None)
    assert "kettle" in offered(client, "a5")

    made = create(client)

    assert "kettle" in offered(client, "a0")
    assert "kettle" not in offered(client, "a5")
    assert "kettle" not in offered(client, "a10")
    answer = client.get("/v1/recommendations/a5?limit=20").json()
    assert answer["withheld_by_policy"] == {"no-kettles-abroad": 1}
    assert answer["withheld"]["policy-eligibility"] == 1
    shown = client.get(f"{URL}/no-kettles-abroad").json()
    assert {**shown, "sequence": made["sequence"]} == made
    assert shown["withhold_if"] == ABROAD["withhold_if"]
    assert (shown["version"], shown["created_at"], shown["is_built_in"]) == (1, "2024-03-01T12:00:00Z", False)
    assert client.delete(f"{URL}/no-kettles-abroad").status_code == 200
    assert "kettle" in offered(client, "a5")
    assert client.get(f"{URL}/no-kettles-abroad").status_code == 404


def test_an_account_that_changes_is_judged_anew(client: TestClient) -> None:
    describe(client, a0="US", a5="DE")
    create(client)
    create(
        client,
        policy_id="owners",
        name="Owners of mugs get no filters",
        scope={"products": ["filter"]},
        withhold_if={"owns": {"products": ["mug"]}},
    )

    describe(client, a0="DE", a5="US", late="US")
    post(client, order("o1", "a0", "mug"), order("o2", "late", "beans"))

    assert "kettle" not in offered(client, "a0")
    assert "kettle" in offered(client, "a5")
    assert "kettle" in offered(client, "late")
    assert "filter" not in offered(client, "a0")
    assert "filter" in offered(client, "a5")


def test_a_segment_or_a_product_that_changes_counts_at_once(client: TestClient) -> None:
    segment = {"name": "Abroad", "rule": {"attribute": "country", "op": "eq", "value": "DE"}}
    describe(client, a0="US", a5="DE")
    assert client.post("/v1/segments", json=segment).status_code == 201
    client.post("/v1/products", json=[{"product_id": "kettle", "name": "Kettle", "category": "ware"}])
    create(client, scope={"categories": ["ware"]}, withhold_if={"in_segment": ["custom.abroad"]})
    assert ("kettle" in offered(client, "a0"), "kettle" in offered(client, "a5")) == (True, False)

    client.put("/v1/segments/custom.abroad", json={"name": "Home", "rule": {"not": segment["rule"]}})
    after_segment = "kettle" in offered(client, "a0"), "kettle" in offered(client, "a5")
    client.post("/v1/products", json=[{"product_id": "kettle", "name": "Kettle", "category": "other"}])
    after_product = "kettle" in offered(client, "a0")
    client.post("/v1/products", json=[{"product_id": "kettle", "name": "Kettle", "category": "ware"}])
    client.delete("/v1/segments/custom.abroad")

    assert after_segment == (False, True)
    assert after_product is True
    assert "kettle" not in offered(client, "a5"), "who is in a segment that is gone is not known"


def test_a_policy_asks_for_the_request_and_its_context(client: TestClient) -> None:
    create(
        client,
        scope=None,
        withhold_if={
            "all": [
                {"request": "placement", "op": "eq", "value": "newsletter"},
                {"not": {"context": "channel", "op": "eq", "value": "mail"}},
            ]
        },
    )

    def offers(**fields: Any) -> int:
        return len(client.post("/v1/recommendations", json={"account_id": "a0", **fields}).json()["offers"])

    assert offers(placement="checkout", context={"channel": "sms"}) == 3
    assert offers(placement="newsletter", context={"channel": "mail"}) == 3
    assert offers(placement="newsletter", context={"channel": "sms"}) == 0
    assert offers(placement="newsletter") == 0
    assert offers() == 0
    assert offers(placement="newsletter", context={"channel": True}) == 0
    batch = {"account_ids": ["a0"], "placement": "newsletter"}
    answers = [
        client.post("/v1/recommendations/batch", json={**batch, "context": {"channel": channel}}).json()["items"][0]
        for channel in ("mail", "sms")
    ]
    assert [len(answer["offers"]) for answer in answers] == [3, 0]


def test_a_policy_is_in_force_from_its_first_moment_to_its_last(settings: Settings) -> None:
    now = NOON

    with running(settings, make_key(settings.database_url, "admin"), now=lambda: now) as client:
        describe(client, a5="DE")
        create(client, valid_from="2024-03-02T12:00:00Z", valid_until="2024-03-03T12:00:00Z")
        seen = []
        for hours in (0, 24, 47, 48):
            now = NOON + timedelta(hours=hours)
            seen.append("kettle" in offered(client, "a5"))

    assert seen == [True, False, False, True]


def test_a_policy_reaches_other_workers_within_a_second_and_outlives_them(settings: Settings) -> None:
    key = make_key(settings.database_url, "admin")
    with running(settings, key) as client, running(settings, key) as other:
        describe(client, a0="US", a5="DE")
        assert "kettle" in offered(other, "a5")
        create(client)
        wait_until(lambda: "kettle" not in offered(other, "a5"), seconds=1)
        client.patch(f"{URL}/no-kettles-abroad", json={"is_enabled": False})
        wait_until(lambda: "kettle" in offered(other, "a5"), seconds=1)
        client.patch(f"{URL}/no-kettles-abroad", json={"is_enabled": True})
        client.patch(f"{URL}/built-in.returned", json={"is_enabled": False})

    with running(settings, key) as restarted:
        assert ("kettle" in offered(restarted, "a0"), "kettle" in offered(restarted, "a5")) == (True, False)
        assert restarted.get(f"{URL}/built-in.returned").json()["is_enabled"] is False


def test_two_writers_cannot_lose_each_others_change(client: TestClient) -> None:
    describe(client, a5="DE")
    create(client)
    etag = client.get(f"{URL}/no-kettles-abroad").headers["etag"]

    def change(number: int) -> int:
        answer = client.patch(
            f"{URL}/no-kettles-abroad", json={"description": f"By {number}"}, headers={"If-Match": etag}
        )
        return answer.status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(change, range(4)))

    assert sorted(statuses) == [200, 412, 412, 412]
    after = client.get(f"{URL}/no-kettles-abroad")
    assert (after.json()["version"], after.json()["description"]) == (2, f"By {statuses.index(200)}")
    refused = client.delete(f"{URL}/no-kettles-abroad", headers={"If-Match": etag})
    assert (refused.status_code, refused.json()["code"]) == (412, "policy-changed")
    assert client.delete(f"{URL}/no-kettles-abroad", headers={"If-Match": after.headers["etag"]}).status_code == 200


def test_every_change_is_kept_with_what_was_before_and_after(client: TestClient) -> None:
    describe(client, a5="DE")
    made = create(client)
    client.patch(
        f"{URL}/no-kettles-abroad", json={"offer_only_if": {"field": "is_strategic", "op": "eq", "value": True}}
    )
    client.patch(f"{URL}/no-kettles-abroad", json={"name": made["name"]})
    client.delete(f"{URL}/no-kettles-abroad")
    create(client)

    first = client.get(f"{URL}/no-kettles-abroad/history", params={"limit": 2}).json()
    rest = client.get(f"{URL}/no-kettles-abroad/history", params={"cursor": first["next_cursor"]}).json()

    versions = first["items"] + rest["items"]
    assert [(each["version"], each["change"]) for each in versions] == [
        (4, "created"), (3, "deleted"), (2, "updated"), (1, "created"),
    ]  # fmt: skip
    assert versions[2]["before"]["withhold_if"] == ABROAD["withhold_if"]
    assert "withhold_if" not in versions[2]["after"]
    assert versions[2]["changed_by"] == made["created_by"]
    assert client.get(f"{URL}/never-was/history").status_code == 404


def test_built_in_policies_are_listed_and_some_can_be_switched_off(client: TestClient) -> None:
    items = client.get(URL).json()["items"]

    assert {item["policy_id"]: item["can_be_switched_off"] for item in items} == {
        "built-in.objected-to-marketing": False, "built-in.excluded": False, "built-in.filtered": False,
        "built-in.in-basket": False, "built-in.owned": False, "built-in.owned-by-parent": True,
        "built-in.bought-recently": False, "built-in.inactive": False,
        "built-in.not-available-now": False, "built-in.sold-out": True,
        "built-in.not-merchandise": False, "built-in.banned": False, "built-in.returned": True,
        "built-in.deal-open": True, "built-in.deal-lost": True, "built-in.variant-owned": True,
        "built-in.substitute": True, "built-in.accessory-without-main": True, "built-in.lower-tier": True,
    }  # fmt: skip
    for item in items:
        answer = client.patch(f"{URL}/{item['policy_id']}", json={"is_enabled": False})
        assert answer.status_code == (200 if item["can_be_switched_off"] else 409)
        assert answer.json().get("code") == (None if item["can_be_switched_off"] else "policy-always-on")
        assert client.delete(f"{URL}/{item['policy_id']}").json()["code"] == "built-in-policy"
        assert client.patch(f"{URL}/{item['policy_id']}", json={"name": "Mine"}).json()["code"] == "built-in-policy"


def test_a_built_in_policy_that_is_switched_off_is_not_applied(client: TestClient) -> None:
    deal = {"deal_id": "d1", "account_id": "a5", "product_id": "kettle", "stage": "Demo"}
    assert client.post("/v1/deals", json=[deal]).json()["rejected"] == 0
    assert "kettle" not in offered(client, "a5")

    client.patch(f"{URL}/built-in.deal-open", json={"is_enabled": False})
    without = offered(client, "a5")
    client.patch(f"{URL}/built-in.deal-open", json={"is_enabled": True})

    assert "kettle" in without
    assert "kettle" not in offered(client, "a5")
    assert client.get(f"{URL}/built-in.deal-open").json()["version"] == 3


@pytest.mark.parametrize(
    ("fields", "status", "code", "part"),
    [
        ({"policy_id": "no-kettles-abroad", "name": "Other"}, 409, "policy-exists", "the id"),
        ({"name": "No kettles abroad"}, 409, "policy-exists", "the name"),
        ({"policy_id": "other", "name": "Open deal"}, 409, "policy-exists", "the name"),
        ({"scope": {"lines": ["cofee"]}}, 422, "policy-refused", "Did you mean coffee"),
        ({"scope": {"products": ["kettle", "x"]}}, 422, "policy-refused", "the product 'x'"),
        ({"withhold_if": {"in_segment": ["rfm.champion"]}}, 422, "policy-refused", "Did you mean rfm.champions"),
        ({"withhold_if": {"owns": {"products": ["x"]}}}, 422, "policy-refused", "who owns the product 'x'"),
        ({"withhold_if": {"attribute": "contry", "op": "eq", "value": "US"}}, 422, "rule-never-matches", "country"),
        ({"withhold_if": {"attribute": "country", "op": "eq", "value": 5}}, 422, "rule-never-matches", "number"),
        ({"withhold_if": {"product": "price_minor", "op": "gt", "value": 9000}}, 422, "rule-never-matches", "scope"),
        ({"withhold_if": {"product": "colour", "op": "eq", "value": 1}}, 422, "request-invalid", "the fields are"),
        ({"withhold_if": {"request": "basket_size", "op": "eq", "value": "1"}}, 422, "request-invalid", "a number"),
        ({"withhold_if": {"request": "placement", "op": "lt", "value": "a"}}, 422, "request-invalid", "eq, ne"),
        ({"offer_only_if": ABROAD["withhold_if"]}, 422, "request-invalid", "exactly one"),
        ({"withhold_if": None}, 422, "request-invalid", "exactly one"),
        ({"scope": {}}, 422, "request-invalid", "one of them"),
        ({"valid_from": "2024-03-02", "valid_until": "2024-03-02"}, 422, "request-invalid", "after valid_from"),
        ({"policy_id": "built-in.mine"}, 422, "request-invalid", "pattern"),
        ({"type": "best"}, 422, "request-invalid", "eligibility"),
        ({"colour": "red"}, 422, "request-invalid", "Extra"),
    ],
)  # fmt: skip
def test_a_policy_that_can_not_take_effect_is_refused_with_the_reason(
    client: TestClient, fields: dict[str, Any], status: int, code: str, part: str
) -> None:
    describe(client, a0="US")
    create(client)
    before = client.get(URL).json()

    answer = client.post(URL, json={**ABROAD, "policy_id": "other", "name": "Another", **fields})

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert part in answer.text
    assert client.get(URL).json() == before
    changed = client.patch(f"{URL}/no-kettles-abroad", json={key: fields[key] for key in fields if key == "scope"})
    assert changed.status_code == (status if "scope" in fields else 200)


def test_a_rule_mixes_no_more_conditions_than_are_worked_out_ahead(client: TestClient) -> None:
    pairs = [
        {
            "all": [
                {"product": "tier", "op": "eq", "value": 1},
                {"field": "purchase_days", "op": "gt", "value": number},
            ]
        }
        for number in range(5)
    ]

    refused = client.post(URL, json={**ABROAD, "scope": None, "withhold_if": {"any": pairs}})

    assert refused.status_code == 422
    assert "mixes 5 separate conditions" in refused.text
    create(client, scope=None, withhold_if={"any": pairs[:4]})


def test_pages_of_a_type_show_all_policies(client: TestClient) -> None:
    page = client.get(URL, params={"limit": 2, "type": "suitability"}).json()
    assert [item["policy_id"] for item in page["items"]] == ["built-in.banned"]
    describe(client, a5="DE")
    create(client, type="suitability")
    create(client, policy_id=None, name="Größe 5!", type="suitability")

    first = client.get(URL, params={"limit": 2, "type": "suitability"}).json()
    second = client.get(URL, params={"limit": 2, "type": "suitability", "cursor": first["next_cursor"]}).json()

    ids = [item["policy_id"] for item in first["items"] + second["items"]]
    assert ids == ["built-in.banned", "groe-5", "no-kettles-abroad"]
    assert second["next_cursor"] is None


def test_there_are_at_most_five_hundred_policies(client: TestClient, settings: Settings) -> None:
    rule = {"product": "product_id", "op": "eq", "value": "kettle"}
    engine = create_database_engine(settings.database_url)
    with engine.begin() as connection:
        for number in range(MAX_POLICIES):
            given = {"name": f"Policy {number}", "type": "suitability", "withhold_if": rule}
            add_policy(connection, f"p-{number}", PolicyIn.model_validate(given), "test", NOON)
    engine.dispose()

    refused = client.post(URL, json={**ABROAD, "withhold_if": rule})

    assert MAX_POLICIES == 500
    assert (refused.status_code, refused.json()["code"]) == (409, "too-many-policies")
    assert client.delete(f"{URL}/p-7").status_code == 200
    create(client, withhold_if=rule)
    assert "kettle" not in offered(client, "a0")


def test_policies_hold_without_an_artifact(database_url: str, tmp_path: Path) -> None:
    settings = make_settings(database_url, tmp_path / "none")
    (tmp_path / "none").mkdir()
    key = make_key(database_url, "admin")
    with running(settings, key) as client:
        client.post("/v1/products", json=[{"product_id": name, "name": name} for name in ("kettle", "mug")])
        post(client, order("o1", "a5", "kettle"), order("o2", "a6", "kettle", "mug"))
        describe(client, a0="US", a5="DE")
        create(client)

    with running(settings, key) as client:
        assert offered(client, "a0") == ["kettle", "mug"]
        assert offered(client, "a7") == ["mug"]


def test_a_storefront_learns_nothing_of_policies(client: TestClient, settings: Settings) -> None:
    create(client, withhold_if={"request": "basket_size", "op": "ge", "value": 0})
    key = make_key(settings.database_url, "storefront")
    headers = {"Authorization": f"Bearer {key}", "Origin": SHOP_ORIGIN}

    wait_until(
        lambda: client.post("/v1/recommendations", json={"limit": 20}, headers=headers).status_code == 200, seconds=5
    )
    answer = client.post("/v1/recommendations", json={"limit": 20}, headers=headers).json()

    assert "kettle" not in [offer["product_id"] for offer in answer["offers"]]
    assert (answer["withheld"], answer["withheld_by_policy"]) == ({}, {})


def test_an_erased_account_is_gone_from_what_policies_know(client: TestClient) -> None:
    describe(client, a5="US", fresh="US")
    create(client)
    assert "kettle" in offered(client, "fresh")
    assert "kettle" in offered(client, "a5")

    for account_id in ("fresh", "a5"):
        assert client.delete(f"/v1/accounts/{account_id}").status_code == 200

    assert "kettle" not in offered(client, "fresh")
    assert "kettle" not in offered(client, "a5")
