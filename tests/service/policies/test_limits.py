"""Limits of contacts: what was offered counts at once, on every worker, after a restart, and for limits made later."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.decisions.decision_log import DecisionLog
from tests.service.conftest import NOON, Watch, make_key, part_of, running, wait_until

URL: Final = "/v1/policies"
ASK: Final = "/v1/recommendations"
TWICE_A_WEEK: Final = {
    "policy_id": "twice-a-week",
    "name": "Twice a week",
    "type": "limit",
    "limit": {"at_most": 2, "window": {"days": 7}},
}


def limit(client: TestClient, **fields: Any) -> Any:
    policy = {**TWICE_A_WEEK, **fields}
    answer = client.post(URL, json=policy)
    assert answer.status_code == 201, answer.text
    return answer.json()


def ask(client: TestClient, account_id: str = "a5", **fields: Any) -> Any:
    answer = client.post(ASK, json={"account_id": account_id, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def offered(answer: Any) -> list[str]:
    return [offer["product_id"] for offer in answer["offers"]]


def flush(client: TestClient) -> None:
    part_of(client, DecisionLog).write_queued()


def test_an_account_gets_no_more_than_the_limit_until_a_contact_ceases_to_count(
    client: TestClient, watch: Watch
) -> None:
    limit(client)
    first = ask(client)
    watch.now += timedelta(days=2)
    second = ask(client)
    third = ask(client)

    assert offered(first)
    assert offered(second)
    assert third["offers"] == []
    assert third["no_offer"]["code"] == "limit-reached"
    assert third["no_offer"]["ask_again_at"] == "2024-03-08T12:00:00Z"
    assert third["withheld_by_policy"] == {"twice-a-week": third["withheld"]["contact-limit"]}
    assert set(third["withheld"]) <= {"contact-limit", "owned", "inactive"}
    assert offered(ask(client, "a0"))
    watch.now = NOON + timedelta(days=7) - timedelta(microseconds=1)
    assert ask(client)["offers"] == []
    watch.now = NOON + timedelta(days=7)
    assert offered(ask(client))
    assert ask(client)["no_offer"]["ask_again_at"] == "2024-03-10T12:00:00Z"


def test_what_was_offered_before_the_limit_was_made_counts(client: TestClient) -> None:
    ask(client)
    ask(client)
    flush(client)

    limit(client)

    assert ask(client)["offers"] == []
    client.patch(f"{URL}/twice-a-week", json={"limit": {"at_most": 3, "window": {"days": 7}}})
    assert offered(ask(client))
    assert ask(client)["offers"] == []
    client.delete(f"{URL}/twice-a-week")
    assert offered(ask(client))


def test_only_what_an_account_was_offered_counts(client: TestClient) -> None:
    limit(client)

    for _ in range(3):
        assert offered(ask(client, dry_run=True))
        assert offered(client.post(ASK, json={"basket": ["beans"]}).json())
        client.post(ASK, json={"account_id": "a5", "among": ["no such product"]})

    assert offered(ask(client))


def test_a_limit_of_a_product_withholds_that_product_alone(client: TestClient) -> None:
    (product, *others) = offered(ask(client, limit=20, dry_run=True))
    limit(client, scope={"products": [product]}, limit={"at_most": 1, "window": {"hours": 12}, "per": "product"})
    ask(client, among=[product])

    answer = ask(client, limit=20, explain="full")

    assert offered(answer) == others
    considered = {each["product_id"]: each for each in answer["considered"]}
    assert (considered[product]["reason"], considered[product]["policy_id"]) == ("contact-limit", "twice-a-week")
    assert considered[product]["until"] == "2024-03-02T00:00:00Z"
    assert considered[others[0]]["until"] is None


def test_a_contact_keeps_the_category_that_its_product_had(client: TestClient) -> None:
    product, other, third = offered(ask(client, limit=20, dry_run=True))[:3]
    client.post(
        "/v1/products",
        json=[
            {"product_id": product, "category": "Tea"},
            {"product_id": other, "category": "Tea"},
            {"product_id": third, "category": "Coffee"},
        ],
    )
    limit(client, limit={"at_most": 1, "window": {"days": 7}, "per": "category"})
    ask(client, among=[product])
    client.post("/v1/products", json=[{"product_id": product, "category": "Coffee"}])

    both = offered(ask(client, among=[product, other, third], dry_run=True))

    assert both == offered(ask(client, among=[product, third], dry_run=True))
    assert set(both) == {product, third}
    flush(client)
    client.patch(f"{URL}/twice-a-week", json={"limit": {"at_most": 1, "window": {"days": 8}, "per": "category"}})
    assert set(offered(ask(client, among=[product, other, third], dry_run=True))) == {product, third}


def test_a_limit_of_a_channel_holds_what_may_be_for_it(client: TestClient) -> None:
    limit(client, limit={"at_most": 2, "window": {"days": 7}, "channels": ["email"]})
    ask(client, channel="email")
    ask(client, channel="phone")
    assert offered(ask(client, channel="email"))

    assert ask(client, channel="email")["offers"] == []
    assert ask(client)["offers"] == []
    assert ask(client, channel="Email")["offers"] != []
    assert offered(ask(client, channel="phone"))


def test_a_contact_of_no_known_channel_counts_for_each(client: TestClient) -> None:
    limit(client, limit={"at_most": 1, "window": {"days": 7}, "channels": ["email"]})

    ask(client)

    assert ask(client, channel="email")["offers"] == []
    assert offered(ask(client, channel="phone"))
    assert client.get(f"{ASK}/a5?channel=phone").json()["offers"]
    assert client.get(f"{ASK}/a5?channel=email").json()["offers"] == []


def test_a_policy_may_ask_for_the_channel_of_a_request(client: TestClient) -> None:
    rule = {"request": "channel", "op": "eq", "value": "email"}
    client.post(URL, json={"name": "Not by mail", "type": "suitability", "withhold_if": rule})

    assert offered(ask(client, channel="phone"))
    assert ask(client, channel="email")["offers"] == []
    assert ask(client)["offers"] == []


def test_every_account_of_a_batch_counts_and_one_named_twice_counts_twice(client: TestClient) -> None:
    limit(client)
    batch = {"account_ids": ["a5", "a0", "a5", "a5"]}

    answers = client.post(f"{ASK}/batch", json=batch).json()["items"]

    assert [bool(answer["offers"]) for answer in answers] == [True, True, True, False]


def test_twenty_requests_at_once_get_no_more_than_the_limit(client: TestClient) -> None:
    limit(client)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: ask(client), range(20)))

    assert sum(bool(answer["offers"]) for answer in answers) == 2


def test_two_workers_exceed_a_limit_by_no_more_than_each_of_them_allows(settings: Settings, watch: Watch) -> None:
    key = make_key(settings.database_url, "admin")
    with running(settings, key, now=watch) as client, running(settings, key, now=watch) as other:
        sequence = {"X-Min-Sequence": str(limit(client)["sequence"])}
        assert other.get(f"{ASK}/a0?dry_run=true", headers=sequence).status_code == 200

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda number: ask((client, other)[number % 2]), range(20)))

        assert 2 <= sum(bool(answer["offers"]) for answer in answers) <= 4


def test_other_workers_hear_of_it_and_a_restart_forgets_nothing(settings: Settings, watch: Watch) -> None:
    key = make_key(settings.database_url, "admin")
    with running(settings, key, now=watch) as client, running(settings, key, now=watch) as other:
        limit(client)
        wait_until(lambda: other.get(f"{URL}/twice-a-week").status_code == 200, seconds=1)
        ask(client)
        ask(client)
        wait_until(lambda: not ask(other, dry_run=True)["offers"], seconds=1)
        ask(other, "a0", channel="email")
    with running(settings, key, now=watch) as client:
        assert ask(client)["offers"] == []
        assert offered(ask(client, "a0"))
        assert ask(client, "a0")["offers"] == []


def test_a_group_of_accounts_may_share_a_limit(client: TestClient) -> None:
    parents = {"a5": "top", "a0": "a5", "a10": None}
    rows = [
        {"account_id": "top"},
        *({"account_id": key, "parent_account_id": parent} for key, parent in parents.items()),
    ]
    assert client.post("/v1/accounts", json=rows).json()["rejected"] == 0
    ask(client, "a0")
    flush(client)
    limit(client, limit={"at_most": 2, "window": {"days": 7}, "unit": "group"})

    batch = client.post(f"{ASK}/batch", json={"account_ids": ["a5", "top"]}).json()["items"]
    assert [bool(answer["offers"]) for answer in batch] == [True, False]
    for account_id in ("top", "a5", "a0"):
        assert ask(client, account_id)["no_offer"]["code"] == "limit-reached"
    assert offered(ask(client, "a10"))
    flush(client)
    assert client.post(f"{URL}/preview", json={"policy_id": "twice-a-week", "sample": 100}).json()["changed"] >= 2
    client.post("/v1/accounts", json=[{"account_id": "a0", "parent_account_id": None}])
    assert offered(ask(client, "a0"))
    assert offered(ask(client, "a5"))
    assert ask(client, "a5")["offers"] == []


def test_an_erased_account_s_contacts_go_with_it(client: TestClient) -> None:
    limit(client, limit={"at_most": 1, "window": {"days": 7}})
    ask(client)
    flush(client)
    assert ask(client)["offers"] == []

    assert client.delete("/v1/accounts/a5").status_code == 200

    assert offered(ask(client, dry_run=True))


@pytest.mark.parametrize(
    ("unit", "zone", "again_at"),
    [
        ("day", "UTC", "2024-03-02T00:00:00Z"),
        ("week", "America/New_York", "2024-03-04T05:00:00Z"),
        ("month", "Europe/Berlin", "2024-03-31T22:00:00Z"),
        ("quarter", "UTC", "2024-04-01T00:00:00Z"),
        ("year", "Asia/Tokyo", "2024-12-31T15:00:00Z"),
    ],
)
def test_a_calendar_s_periods_begin_in_their_time_zone(
    settings: Settings, watch: Watch, unit: str, zone: str, again_at: str
) -> None:
    kept = settings.model_copy(update={"decision_retention_days": 400})
    with running(kept, make_key(settings.database_url, "admin"), now=watch) as client:
        limit(client, limit={"at_most": 1, "window": {"calendar": unit, "timezone": zone}})
        ask(client)

        assert ask(client)["no_offer"]["ask_again_at"] == again_at
        watch.now = datetime.fromisoformat(again_at).astimezone(UTC) - timedelta(microseconds=1)
        assert ask(client)["offers"] == []
        watch.now += timedelta(microseconds=1)
        assert offered(ask(client))


def test_a_limit_holds_while_it_is_in_force(client: TestClient, watch: Watch) -> None:
    times = {"valid_from": "2024-03-02T00:00:00Z", "valid_until": "2024-03-03T00:00:00Z"}
    limit(client, limit={"at_most": 1, "window": {"days": 7}}, **times)
    ask(client)

    for day, holds in ((1, False), (2, True), (3, False)):
        watch.now = datetime(2024, 3, day, 13, tzinfo=UTC)
        assert (not ask(client, dry_run=True)["offers"]) is holds


def test_a_preview_counts_what_was_offered_and_changes_nothing(client: TestClient) -> None:
    ask(client)
    ask(client)
    flush(client)

    tried = client.post(f"{URL}/preview", json={"policy": TWICE_A_WEEK, "sample": 100}).json()

    assert (tried["changed"], tried["without_offers"] - tried["without_offers_before"]) == (1, 1)
    assert [example["account_id"] for example in tried["examples"]] == ["a5"]
    assert tried["unknown"] == tried["unknown_products"] == {}
    assert offered(ask(client))
    limit(client)
    removed = client.post(f"{URL}/preview", json={"policy_id": "twice-a-week", "sample": 100}).json()
    assert (removed["changed"], removed["without_offers_before"] - removed["without_offers"]) == (1, 1)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"limit": None}, "needs limit"),
        ({"withhold_if": {"request": "channel", "op": "eq", "value": "x"}}, "has no rule"),
        ({"type": "eligibility"}, "needs offer_only_if or withhold_if"),
        ({"limit": {"at_most": 0, "window": {"days": 7}}}, "greater than or equal to 1"),
        ({"limit": {"at_most": 1, "window": {"days": 0}}}, "greater than or equal to 1"),
        ({"limit": {"at_most": 1, "window": {}}}, "exactly one of them"),
        ({"limit": {"at_most": 1, "window": {"days": 1, "hours": 1}}}, "exactly one of them"),
        ({"limit": {"at_most": 1, "window": {"calendar": "week"}}}, "give it with calendar"),
        ({"limit": {"at_most": 1, "window": {"days": 1, "timezone": "UTC"}}}, "give it with calendar"),
        ({"limit": {"at_most": 1, "window": {"calendar": "week", "timezone": "Mars"}}}, "no such time zone"),
        ({"limit": {"at_most": 1, "window": {"days": 1}, "channels": []}}, "at least 1 item"),
        ({"limit": {"at_most": 1, "window": {"days": 1}, "per": "shop"}}, "'account', 'line', 'category'"),
        ({"limit": {"at_most": 1, "window": {"days": 1}, "unit": "group", "counts": "shown"}}, "must be decided"),
        ({"scope": {"lines": ["No such line"]}}, "does not exist"),
        ({"limit": {"at_most": 1, "window": {"days": 91}}}, "longer than decisions are kept, 90 days"),
        ({"limit": {"at_most": 1, "window": {"calendar": "quarter", "timezone": "UTC"}}}, "longer than decisions are"),
    ],
)
def test_a_limit_that_can_t_hold_is_refused(client: TestClient, fields: dict[str, Any], reason: str) -> None:
    answer = client.post(URL, json={**TWICE_A_WEEK, **fields})

    assert answer.status_code == 422
    assert reason in answer.text
    assert client.get(f"{URL}/twice-a-week").status_code == 404
