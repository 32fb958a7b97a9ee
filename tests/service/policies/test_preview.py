"""Trying a policy out says what it would change, and changes nothing."""

from typing import Any, Final

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.decisions.tables import DecisionBlock
from service.storage.database import create_database_engine
from tests.service.policies.test_policies_api import ABROAD, URL, create, describe
from tests.service.sync.conftest import offered

SCOPE: Final = {"products": ["filter", "kettle"]}
DRAFT: Final = {name: value for name, value in {**ABROAD, "scope": SCOPE}.items() if name != "policy_id"}


def preview(client: TestClient, **body: Any) -> Any:
    answer = client.post(f"{URL}/preview", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_preview_says_what_storing_the_policy_then_does(client: TestClient) -> None:
    accounts = [f"a{number}" for number in range(60)]
    describe(client, **{account_id: ("US", "DE", None)[int(account_id[1:]) % 3] for account_id in accounts})
    before = {account_id: offered(client, account_id, limit=3) for account_id in accounts}

    seen = preview(client, policy=DRAFT)
    again = preview(client, policy=DRAFT)

    create(client, scope=SCOPE)
    after = {account_id: offered(client, account_id, limit=3) for account_id in accounts}
    changed = [account_id for account_id in accounts if before[account_id] != after[account_id]]
    assert changed
    assert seen == again
    assert (seen["accounts"], seen["changed"], seen["unknown"]) == (60, len(changed), {"country": 20})
    assert seen["without_offers"] == sum(not offers for offers in after.values())
    assert len(seen["examples"]) == min(10, len(changed))
    for example in seen["examples"]:
        account_id = example["account_id"]
        assert (example["before"], example["after"]) == (before[account_id], after[account_id])
    removed = preview(client, policy_id="no-kettles-abroad")
    assert (removed["changed"], removed["withheld"]) == (len(changed), seen["withheld"])
    assert removed["withheld"] >= len(changed)


def test_a_preview_names_policies_that_never_fire_and_accounts_left_without_offers(client: TestClient) -> None:
    describe(client, a0="US")
    create(client, withhold_if={"attribute": "country", "op": "is_known"}, scope={"products": ["retired"]})

    everything = preview(client, policy={**DRAFT, "name": "x", "scope": None, "withhold_if": {
        "product": "product_id", "op": "is_known"}})  # fmt: skip

    assert (everything["without_offers"], everything["without_offers_before"]) == (60, 0)
    assert everything["never_fired"] == ["no-kettles-abroad"]


def test_a_preview_counts_products_of_which_too_little_is_known(client: TestClient) -> None:
    seen = preview(client, policy={**DRAFT, "scope": None, "withhold_if": {
        "product": "price_minor", "op": "gt", "value": 10_000}}, sample=7)  # fmt: skip

    assert seen["accounts"] == 7
    assert seen["unknown_products"] == {"price_minor": 3}
    assert seen["unknown"] == {}


def test_a_change_of_a_stored_or_a_built_in_policy_can_be_tried_out(client: TestClient) -> None:
    describe(client, a5="DE")
    create(client, scope=SCOPE)

    disabled = preview(client, policy_id="no-kettles-abroad", change={"is_enabled": False})
    same = preview(client, policy_id="no-kettles-abroad", change={"description": "Same"})
    create(client, policy_id="other", name="Other", withhold_if={"field": "purchase_days", "op": "gt", "value": 900})
    built_in = preview(client, policy_id="built-in.deal-open", change={"is_enabled": False})

    assert built_in["never_fired"] == ["other"]
    assert disabled == preview(client, policy_id="no-kettles-abroad") | {"never_fired": []}
    assert disabled["changed"] > 0
    assert (same["changed"], built_in["changed"]) == (0, 0)


def counters(client: TestClient) -> list[str]:
    lines = client.get("/metrics").text.splitlines()
    return [line for line in lines if line.startswith(("nextoffer_answers", "nextoffer_withheld"))]


def test_a_preview_stores_counts_and_records_nothing(client: TestClient, settings: Settings) -> None:
    describe(client, a5="DE")
    before = client.get(URL).json(), counters(client)

    preview(client, policy=DRAFT)

    assert (client.get(URL).json(), counters(client)) == before
    engine = create_database_engine(settings.database_url)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(DecisionBlock)) == 0
    engine.dispose()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "request-invalid"),
        ({"policy": DRAFT, "policy_id": "x"}, 422, "request-invalid"),
        ({"policy": DRAFT, "change": {"is_enabled": False}}, 422, "request-invalid"),
        ({"policy": DRAFT, "sample": 2_001}, 422, "request-invalid"),
        ({"policy": {**DRAFT, "scope": {"lines": ["x"]}}}, 422, "policy-refused"),
        ({"policy": {**DRAFT, "name": "Open deal"}}, 409, "policy-exists"),
        ({"policy_id": "x"}, 404, "unknown-policy"),
        ({"policy_id": "built-in.owned"}, 409, "built-in-policy"),
        ({"policy_id": "built-in.owned", "change": {"is_enabled": False}}, 409, "policy-always-on"),
    ],
)
def test_a_preview_of_what_can_not_be_stored_is_refused(
    client: TestClient, body: dict[str, Any], status: int, code: str
) -> None:
    answer = client.post(f"{URL}/preview", json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
