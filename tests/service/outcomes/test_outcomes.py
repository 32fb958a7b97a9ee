"""Outcomes are durable, count once, are felt by the next answer, and misplaced ones are kept apart."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.decisions.decision_log import DecisionLog
from tests.service.conftest import NOON, Watch, part_of, running, wait_until

URL: Final = "/v1/outcomes"
ASK: Final = "/v1/recommendations"
TWICE: Final[dict[str, Any]] = {
    "outcomes": ["reject"], "count": 2, "within_days": 30, "pauses": "product", "pause_days": 10
}  # fmt: skip
NO_TWICE: Final[dict[str, Any]] = {
    "policy_id": "no-twice",
    "name": "Two rejections pause a product",
    "type": "suppression",
    "suppression": TWICE,
}


@pytest.fixture(autouse=True)
def _stored(client: TestClient) -> None:
    """Three accounts."""
    client.post("/v1/accounts", json=[{"account_id": account_id} for account_id in ("a5", "a0", "Ann Lee")])


def store(client: TestClient, policy: dict[str, Any], **fields: Any) -> None:
    answer = client.post("/v1/policies", json={**policy, **fields})
    assert answer.status_code == 201, answer.text


def report(client: TestClient, *outcomes: dict[str, Any]) -> Any:
    answer = client.post(URL, json=[{"account_id": "a5", "product_id": "kettle", **each} for each in outcomes])
    assert answer.status_code == 200, answer.text
    return answer.json()


def reported(client: TestClient, outcome: str, *, days: float = 0, **fields: Any) -> str:
    """Report one outcome, so many days from noon, and return its identifier."""
    occurred_at = (NOON + timedelta(days=days)).isoformat()
    answer = report(client, {"outcome": outcome, "occurred_at": occurred_at, **fields})
    assert answer["stored"] == 1, answer
    return str(answer["results"][0]["outcome_id"])


def is_offered(client: TestClient, product_id: str = "kettle", account_id: str = "a5") -> bool:
    body = {"account_id": account_id, "among": [product_id], "dry_run": True}
    return bool(client.post(ASK, json=body).json()["offers"])


def considered(client: TestClient, product_id: str = "kettle") -> Any:
    body = {"account_id": "a5", "among": [product_id], "dry_run": True}
    return client.post(ASK, json=body).json()


def test_an_outcome_is_stored_with_what_its_decision_says(client: TestClient) -> None:
    body = {"account_id": "a5", "channel": "phone", "placement": "desk", "among": ["kettle"]}
    decision_id = client.post(ASK, json=body).json()["decision_id"]

    answer = client.post(URL, json=[{"decision_id": decision_id, "product_id": "kettle", "outcome": "accept"}]).json()

    assert (answer["stored"], answer["rejected"], answer["unplaced"], answer["duplicates"]) == (1, 0, 0, 0)
    (stored,) = client.get(URL).json()["items"]
    assert stored["outcome_id"] == answer["results"][0]["outcome_id"]
    assert (stored["account_id"], stored["channel"], stored["placement"]) == ("a5", "phone", "desk")
    assert (stored["outcome"], stored["occurred_at"], stored["is_placed"]) == ("accept", "2024-03-01T12:00:00Z", True)


def test_of_a_thousand_the_good_ones_are_stored_and_the_others_named(client: TestClient) -> None:
    rows: list[Any] = [
        {"account_id": "a5", "product_id": f"p{number}", "outcome": "impression"} for number in range(1000)
    ]
    rows[7] = {"account_id": "a5", "product_id": "p7"}
    rows[100]["outcome"] = "laughed"
    rows[999] = "nonsense"

    answer = client.post(URL, json=rows).json()

    assert (answer["stored"], answer["rejected"]) == (997, 3)
    wrong = [each for each in answer["results"] if each["status"] == "rejected"]
    assert [each["index"] for each in wrong] == [7, 100, 999]
    assert wrong[0]["errors"] == [{"field": "outcome", "reason": "field required"}]
    assert client.post(URL, json=[*rows, rows[0]]).json()["code"] == "too-many-rows"


def test_a_report_counts_once_with_an_identifier_or_without(client: TestClient) -> None:
    plain = {"outcome": "click", "occurred_at": "2024-02-01T00:00:00Z"}
    first = report(client, plain)["results"][0]
    again = report(client, plain, {**plain, "outcome_id": "mine"})
    own = report(client, {"outcome": "reject", "outcome_id": "own-1"})
    twice = report(client, {"outcome": "reject", "outcome_id": "own-1", "occurred_at": "2024-01-01T00:00:00Z"})
    both = report(client, *[{"outcome": "ignore", "outcome_id": "own-2"}] * 2)

    assert again["duplicates"] == 2
    assert [each["outcome_id"] for each in again["results"]] == [first["outcome_id"]] * 2
    assert (own["stored"], twice["duplicates"]) == (1, 1)
    assert (both["stored"], both["duplicates"]) == (1, 1)
    assert len(client.get(URL).json()["items"]) == 3


def test_the_same_reports_at_once_are_stored_once(client: TestClient) -> None:
    rows = [{"outcome": "click", "occurred_at": f"2024-02-{day:02}T00:00:00Z"} for day in range(1, 21)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: report(client, *rows), range(8)))

    assert sum(answer["stored"] for answer in answers) == 20
    assert sum(answer["duplicates"] for answer in answers) == 140
    assert len(client.get(URL, params={"limit": 100}).json()["items"]) == 20


def test_what_names_nobody_known_is_kept_apart(client: TestClient) -> None:
    answer = report(
        client,
        {"account_id": "ann  LEE", "outcome": "click"},
        {"account_id": "nobody", "outcome": "click"},
        {"account_id": None, "decision_id": "01932f0c-5d5e-7cc3-9c1a-3f6f2d1c0b9a", "outcome": "click"},
    )

    assert (answer["unplaced"], answer["stored"]) == (3, 0)
    reasons = [each["errors"][0]["reason"] for each in answer["results"]]
    assert reasons[0] == "is not known; did you mean 'Ann Lee'?"
    assert reasons[1] == "is not known"
    assert "is not known" in reasons[2]
    assert len(client.get(URL, params={"is_placed": False}).json()["items"]) == 3
    assert client.get(URL, params={"is_placed": True}).json()["items"] == []
    assert client.get("/v1/accounts/nobody").status_code == 404


def test_a_report_that_could_not_be_placed_is_placed_when_it_is_sent_again(client: TestClient) -> None:
    store(client, NO_TWICE, suppression={**TWICE, "count": 1})
    late = {"account_id": "late", "outcome": "reject", "occurred_at": "2024-02-25T00:00:00Z"}
    rows = [{**late, "outcome_id": "own"}, {**late, "outcome": "click"}]
    assert report(client, *rows)["unplaced"] == 2
    assert report(client, *rows)["unplaced"] == 2

    client.post("/v1/accounts", json=[{"account_id": "late"}])

    assert report(client, *rows)["stored"] == 2
    assert report(client, *rows)["duplicates"] == 2
    assert [item["is_placed"] for item in client.get(URL).json()["items"]] == [True, True]
    assert not is_offered(client, account_id="late")


def test_what_contradicts_its_decision_does_not_count(client: TestClient) -> None:
    decision_id = client.post(ASK, json={"account_id": "a5", "among": ["kettle"]}).json()["decision_id"]
    part_of(client, DecisionLog).write_queued()

    answer = report(
        client,
        {"decision_id": decision_id, "account_id": "a0", "outcome": "accept"},
        {"decision_id": decision_id, "product_id": "mug", "outcome": "accept"},
    )

    assert [each["status"] for each in answer["results"]] == ["rejected", "unplaced"]
    assert answer["results"][0]["errors"][0]["field"] == "account_id"
    assert answer["results"][1]["errors"][0]["reason"] == "was not offered by the decision"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"outcome": "click", "reason": "not-now"}, "only a rejection has a reason"),
        ({"outcome": "reject", "reason": "own-words"}, "needs a note"),
        ({"outcome": "reject", "reason": "because"}, "not-now"),
        ({"outcome": "purchase", "value_minor": 100}, "go together"),
        ({"outcome": "purchase", "value_minor": -1, "currency": "EUR"}, "greater than or equal to 0"),
        ({"outcome": "click", "account_id": None}, "for whom"),
        ({"outcome": "click", "occurred_at": "2024-03-02T12:00:01Z"}, "more than a day in the future"),
        ({"outcome": "click", "occurred_at": "yesterday"}, "time"),
        ({"outcome": "click", "position": 0}, "greater than or equal to 1"),
        ({"outcome": "click", "nonsense": 1}, "not permitted"),
    ],
)
def test_reports_that_make_no_sense_are_rejected(client: TestClient, fields: dict[str, Any], reason: str) -> None:
    answer = report(client, fields)

    assert answer["rejected"] == 1
    assert reason in str(answer["results"][0]["errors"])
    assert client.get(URL).json()["items"] == []


def test_rejections_pause_a_product_and_cause_no_second_pause(client: TestClient, watch: Watch) -> None:
    store(client, NO_TWICE)
    reported(client, "reject", days=-20)
    assert is_offered(client)
    reported(client, "reject", days=0)

    assert not is_offered(client)
    assert is_offered(client, "filter")
    assert is_offered(client, account_id="a0")
    answer = considered(client)
    assert answer["withheld"] == {"paused": 1}
    assert answer["withheld_by_policy"] == {"no-twice": 1}
    assert answer["considered"][0]["until"] == answer["no_offer"]["ask_again_at"] == "2024-03-11T12:00:00Z"
    watch.now = NOON + timedelta(days=10)
    assert is_offered(client)
    reported(client, "reject", days=9)
    assert is_offered(client)
    reported(client, "reject", days=9.5)
    assert considered(client)["no_offer"]["ask_again_at"] == "2024-03-21T00:00:00Z"


def test_outcomes_that_come_late_are_placed_where_they_belong(client: TestClient) -> None:
    store(client, NO_TWICE)
    reported(client, "reject", days=-1)
    reported(client, "reject", days=-40)
    assert is_offered(client)

    reported(client, "reject", days=-29)

    # The two oldest cause a pause that is over; the newest waits for another one.
    assert is_offered(client)
    reported(client, "reject", days=-2)
    assert not is_offered(client)


def test_a_retracted_outcome_is_as_if_it_had_not_been(client: TestClient) -> None:
    store(client, NO_TWICE)
    reported(client, "reject", days=-2)
    outcome_id = reported(client, "reject", days=-1)
    assert not is_offered(client)

    for _ in range(2):
        assert client.delete(f"{URL}/{outcome_id}").status_code == 200

    assert is_offered(client)
    stored = {item["outcome_id"]: item["retracted_at"] for item in client.get(URL).json()["items"]}
    assert stored[outcome_id] == "2024-03-01T12:00:00Z"
    assert client.delete(f"{URL}/nothing").json()["code"] == "unknown-outcome"


def test_what_a_machine_did_changes_nothing_and_is_listed_apart(client: TestClient) -> None:
    store(client, NO_TWICE, suppression={**TWICE, "outcomes": ["click"], "count": 1})
    reported(client, "click", automated=True)

    assert is_offered(client)
    assert len(client.get(URL, params={"automated": True}).json()["items"]) == 1
    reported(client, "click", days=-1)
    assert not is_offered(client)


def test_a_reason_may_pause_a_category(client: TestClient) -> None:
    client.post("/v1/products", json=[{"product_id": each, "category": "Hot"} for each in ("kettle", "filter")])
    store(
        client,
        NO_TWICE,
        suppression={
            "outcomes": ["reject"], "reasons": ["not-relevant"], "count": 1, "pauses": "category", "pause_days": 5
        },
    )  # fmt: skip
    reported(client, "reject", reason="too-expensive")
    assert is_offered(client, "filter")

    reported(client, "reject", days=-1, reason="not-relevant")

    assert not is_offered(client, "filter")
    assert is_offered(client, "mug")
    client.patch(
        "/v1/policies/no-twice",
        json={"suppression": {"outcomes": ["reject"], "pauses": "account", "pause_days": 5}},
    )
    assert not is_offered(client, "mug")


def test_limits_may_count_what_was_shown(client: TestClient, watch: Watch) -> None:
    limit = {"at_most": 2, "window": {"days": 7}, "counts": "shown", "per": "product"}
    store(client, {"name": "Shown twice", "type": "limit", "limit": limit})
    for _ in range(3):
        client.post(ASK, json={"account_id": "a5", "among": ["kettle"]})
    reported(client, "impression", days=-6)
    assert is_offered(client)

    outcome_id = reported(client, "impression", days=-1, channel="email")

    assert considered(client)["no_offer"]["ask_again_at"] == "2024-03-02T12:00:00Z"
    assert is_offered(client, "filter")
    client.delete(f"{URL}/{outcome_id}")
    assert is_offered(client)
    reported(client, "impression", days=0)
    assert not is_offered(client)
    watch.now += timedelta(days=1)
    assert is_offered(client)


def test_other_workers_hear_of_outcomes_and_a_restart_forgets_none(
    settings: Settings, key: str, watch: Watch, client: TestClient
) -> None:
    with running(settings, key, now=watch) as other:
        store(client, NO_TWICE)
        reported(client, "reject", days=-2)
        reported(client, "reject", days=-1)
        wait_until(lambda: not is_offered(other), seconds=1)
    with running(settings, key, now=watch) as other:
        assert not is_offered(other)


def test_an_erased_account_s_outcomes_stay_without_its_name(client: TestClient) -> None:
    store(client, NO_TWICE)
    reported(client, "reject", days=-2, reason="own-words", note="Ann says no")
    reported(client, "reject", days=-1)

    client.delete("/v1/accounts/a5")

    listed = client.get(URL)
    assert '"a5"' not in listed.text
    assert "Ann" not in listed.text
    assert len(listed.json()["items"]) == 2
    assert is_offered(client)


def test_a_key_makes_a_repeated_report_safe(client: TestClient) -> None:
    rows = [{"account_id": "a5", "product_id": "kettle", "outcome": "accept"}]
    first, again = (client.post(URL, json=rows, headers={"Idempotency-Key": "k-1"}) for _ in range(2))

    assert first.content == again.content
    assert len(client.get(URL).json()["items"]) == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"pause_days": 0}, "greater than or equal to 1"),
        ({"pause_days": None}, "valid integer"),
        ({"outcomes": []}, "at least 1"),
        ({"outcomes": ["reject", "click"], "reasons": ["not-now"]}, "only a rejection has a reason"),
        ({"pauses": "shop"}, "product"),
        ({"count": 0}, "greater than or equal to 1"),
    ],
)
def test_a_suppression_that_makes_no_sense_is_refused(client: TestClient, fields: dict[str, Any], reason: str) -> None:
    answer = client.post("/v1/policies", json={**NO_TWICE, "suppression": {**TWICE, **fields}})

    assert answer.status_code == 422
    assert reason in answer.text
