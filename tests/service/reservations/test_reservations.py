"""Caps and limits hold strictly for what is reserved, whatever comes at once, on however many workers."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.decisions.decision_log import DecisionLog
from tests.service.conftest import Watch, part_of, running, wait_until

URL: Final = "/v1/reservations"
ASK: Final = "/v1/recommendations"
CAP: Final = {
    "policy_id": "ten-kettles",
    "name": "Ten kettles",
    "type": "cap",
    "scope": {"products": ["kettle"]},
    "cap": {"at_most": 10},
}
ACCOUNTS: Final = [f"n{number}" for number in range(100)]


def store(client: TestClient, **fields: Any) -> None:
    answer = client.post("/v1/policies", json={**CAP, **fields})
    assert answer.status_code == 201, answer.text


def reserve(client: TestClient, account_id: str, *among: str, **fields: Any) -> Any:
    body = {"account_id": account_id, "among": list(among or ["kettle"]), **fields}
    answer = client.post(URL, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def accept(client: TestClient, made: Any, **fields: Any) -> Any:
    return client.post(f"{URL}/{made['answer']['decision_id']}/accept", json=fields)


def release(client: TestClient, made: Any) -> Any:
    return client.delete(f"{URL}/{made['answer']['decision_id']}")


def is_offered(client: TestClient, account_id: str, product_id: str = "kettle") -> bool:
    body = {"account_id": account_id, "among": [product_id], "dry_run": True}
    return bool(client.post(ASK, json=body).json()["offers"])


def has_reserved(made: Any) -> bool:
    return [offer["product_id"] for offer in made["answer"]["offers"]] == ["kettle"] and made["expires_at"] is not None


def test_a_hundred_at_once_reserve_no_more_than_the_cap(settings: Settings, key: str, watch: Watch) -> None:
    with running(settings, key, now=watch) as client, running(settings, key, now=watch) as other:
        store(client)
        wait_until(lambda: other.get("/v1/policies/ten-kettles").status_code == 200, seconds=1)

        def work(number: int) -> Any:
            return reserve((client, other)[number % 2], ACCOUNTS[number])

        with ThreadPoolExecutor(20) as pool:
            made = list(pool.map(work, range(100)))

        assert sum(map(has_reserved, made)) == 10
        refused = next(each for each in made if not has_reserved(each))["answer"]
        assert refused["withheld"]["cap-reached"] == 1
        assert refused["no_offer"]["ask_again_at"] == "2024-03-01T12:15:00Z"
        with ThreadPoolExecutor(10) as pool:
            accepted = list(pool.map(lambda each: accept(client, each), filter(has_reserved, made)))
        assert {answer.status_code for answer in accepted} == {200}
        assert sum(item["state"] == "accepted" for item in client.get(URL).json()["items"]) == 10
        wait_until(lambda: not is_offered(other, "a5"), seconds=1)


def test_without_a_reservation_an_offer_uses_nothing(client: TestClient) -> None:
    store(client, cap={"at_most": 1})

    with ThreadPoolExecutor(20) as pool:
        offered = list(pool.map(lambda number: is_offered(client, ACCOUNTS[number]), range(20)))

    assert all(offered)
    assert has_reserved(reserve(client, "a5"))
    assert not any(is_offered(client, account_id) for account_id in ACCOUNTS[:3])


def test_a_reservation_is_kept_for_its_account_until_it_expires(client: TestClient, watch: Watch) -> None:
    store(client, cap={"at_most": 1})
    made = reserve(client, "a5", minutes=30)

    assert made["expires_at"] == "2024-03-01T12:30:00Z"
    assert is_offered(client, "a5")
    assert not is_offered(client, "a0")
    assert not has_reserved(reserve(client, "a0"))
    watch.now += timedelta(minutes=30)
    assert is_offered(client, "a0")
    assert has_reserved(reserve(client, "a0"))
    assert accept(client, made).json()["code"] == "cap-reached"


def test_an_expired_reservation_is_accepted_while_anything_is_left(client: TestClient, watch: Watch) -> None:
    store(client, cap={"at_most": 1})
    made = reserve(client, "a5")
    watch.now += timedelta(hours=1)

    assert accept(client, made).status_code == 200
    assert accept(client, made).status_code == 200

    assert not is_offered(client, "a5")
    assert not is_offered(client, "a0")
    assert [item["state"] for item in client.get(URL).json()["items"]] == ["accepted"]


def test_the_same_request_gets_the_same_answer_while_its_reservations_hold(client: TestClient, watch: Watch) -> None:
    store(client, cap={"at_most": 1})
    client.post(
        "/v1/policies",
        json={"name": "Once", "type": "limit", "limit": {"at_most": 1, "window": {"days": 7}}},
    )
    first = reserve(client, "a5")

    again = reserve(client, "a5")

    assert again["is_repeated"]
    assert not first["is_repeated"]
    assert {**again, "is_repeated": False, "sequence": first["sequence"]} == first
    assert not has_reserved(reserve(client, "a5", limit=1))
    assert accept(client, first).json()["product_ids"] == ["kettle"]
    watch.now += timedelta(minutes=16)
    assert not has_reserved(reserve(client, "a5"))


def test_cancelled_taken_by_another_and_reopened_never_exceeds_the_cap(client: TestClient) -> None:
    store(client, cap={"at_most": 1})
    first = reserve(client, "a5")
    accept(client, first)

    assert release(client, first).json()["product_ids"] == ["kettle"]
    second = reserve(client, "a0")
    accept(client, second)

    assert accept(client, first).json()["code"] == "unknown-reservation"
    assert not has_reserved(reserve(client, "a5"))
    release(client, second)
    assert has_reserved(reserve(client, "a5"))


def test_all_products_of_a_scope_may_share_a_cap(client: TestClient) -> None:
    client.post("/v1/products", json=[{"product_id": each, "category": "Hot"} for each in ("kettle", "filter")])
    store(client, scope={"categories": ["Hot"]}, cap={"at_most": 2, "per": "scope"})
    reserve(client, "n1", "kettle")
    reserve(client, "n2", "filter")

    assert not is_offered(client, "n3", "kettle")
    assert not is_offered(client, "n3", "filter")
    client.patch("/v1/policies/ten-kettles", json={"cap": {"at_most": 1, "per": "product"}})
    assert not is_offered(client, "n3", "kettle")
    client.patch("/v1/policies/ten-kettles", json={"cap": {"at_most": 2, "per": "product"}})
    assert is_offered(client, "n3", "kettle")
    client.post("/v1/products", json=[{"product_id": "kettle", "category": "Cold"}])
    release(client, reserve(client, "n1", "kettle"))
    assert is_offered(client, "n3", "kettle")


def test_a_decision_reserves_no_more_of_a_shared_cap_than_is_left(client: TestClient, watch: Watch) -> None:
    names = ["kettle", "filter", "mug"]
    store(client, scope={"products": names}, cap={"at_most": 2, "per": "scope"})

    made = reserve(client, "n1", *names)

    offered = [offer["product_id"] for offer in made["answer"]["offers"]]
    assert len(offered) == 3
    assert made["product_ids"] == offered[:2]
    assert len(client.get(URL).json()["items"]) == 2
    again = reserve(client, "n1", *names)
    assert (again["is_repeated"], again["product_ids"]) == (True, offered[:2])
    watch.now += timedelta(hours=1)
    reserve(client, "n2", "kettle")
    assert accept(client, made).json()["code"] == "cap-reached"
    assert {item["state"] for item in client.get(URL, params={"account_id": "n1"}).json()["items"]} == {"expired"}
    assert accept(client, made, product_ids=offered[:1]).status_code == 200


def test_what_was_accepted_before_a_cap_begins_does_not_count(client: TestClient, watch: Watch) -> None:
    accept(client, reserve(client, "a5"))
    watch.now += timedelta(days=1)

    store(client, cap={"at_most": 1}, valid_from="2024-03-02T00:00:00Z")

    assert is_offered(client, "a0")
    client.patch("/v1/policies/ten-kettles", json={"valid_from": None})
    assert not is_offered(client, "a0")


def test_a_limit_is_never_exceeded_by_reservations_on_two_workers(settings: Settings, key: str, watch: Watch) -> None:
    policy = {"name": "Twice", "type": "limit", "limit": {"at_most": 2, "window": {"days": 7}}}
    products = ["kettle", "filter", "mug", "milk", "syrup", "scale"]
    with running(settings, key, now=watch) as client, running(settings, key, now=watch) as other:
        client.post("/v1/policies", json=policy)
        wait_until(lambda: other.get("/v1/policies/twice").status_code == 200, seconds=1)

        def work(number: int) -> Any:
            return reserve((client, other)[number % 2], "n1", products[number % 6], limit=1 + number)

        with ThreadPoolExecutor(20) as pool:
            made = list(pool.map(work, range(20)))

        assert sum(each["expires_at"] is not None for each in made) == 2


def test_an_outcome_that_says_accept_takes_up_and_its_retraction_gives_back(client: TestClient) -> None:
    client.post("/v1/accounts", json=[{"account_id": account_id} for account_id in ("a5", "a0", "n1")])
    store(client, cap={"at_most": 2})
    made = reserve(client, "a5")

    def say(account_id: str, **fields: Any) -> str:
        outcome = {"account_id": account_id, "product_id": "kettle", "outcome": "accept", **fields}
        (result,) = client.post("/v1/outcomes", json=[outcome]).json()["results"]
        assert result["status"] == "stored"
        return str(result["outcome_id"])

    say("a5", decision_id=made["answer"]["decision_id"])
    first = say("a0", occurred_at="2024-02-29T00:00:00Z")
    late = say("n1", occurred_at="2024-02-28T00:00:00Z")

    states = sorted((item["account_id"], item["state"]) for item in client.get(URL).json()["items"])
    assert states == [("a0", "accepted"), ("a5", "accepted")]
    assert not is_offered(client, "n2")
    for outcome_id in (first, first, late):
        client.delete(f"/v1/outcomes/{outcome_id}")
    assert is_offered(client, "n2")
    assert len(client.get(URL).json()["items"]) == 1


def test_a_hundred_accepts_at_once_use_no_more_than_the_cap(client: TestClient) -> None:
    client.post("/v1/accounts", json=[{"account_id": account_id} for account_id in ACCOUNTS])
    store(client)

    def say(account_id: str) -> int:
        outcome = {"account_id": account_id, "product_id": "kettle", "outcome": "accept"}
        return int(client.post("/v1/outcomes", json=[outcome]).json()["stored"])

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(say, ACCOUNTS)) == 100

    assert len(client.get(URL, params={"limit": 100}).json()["items"]) == 10


def test_reservations_outlive_a_restart(settings: Settings, key: str, watch: Watch) -> None:
    with running(settings, key, now=watch) as client:
        store(client, cap={"at_most": 1})
        made = reserve(client, "a5")
    with running(settings, key, now=watch) as client:
        assert not is_offered(client, "a0")
        assert is_offered(client, "a5")
        assert accept(client, made).status_code == 200


def test_a_dry_run_reserves_nothing(client: TestClient) -> None:
    store(client, cap={"at_most": 1})

    made = reserve(client, "a5", dry_run=True)

    assert made["answer"]["offers"]
    assert made["expires_at"] is None
    assert client.get(URL).json()["items"] == []


def test_a_reserved_decision_is_in_the_decision_log(client: TestClient) -> None:
    made = reserve(client, "a5", "kettle", "filter")
    part_of(client, DecisionLog).write_queued()

    shown = client.get(f"/v1/decisions/{made['answer']['decision_id']}").json()

    assert shown["answer"] == made["answer"]
    assert shown["request"] == {"account_id": "a5", "among": ["kettle", "filter"]}
    listed = client.get(URL, params={"account_id": "a5", "product_id": "filter"}).json()["items"]
    assert [(item["product_id"], item["state"]) for item in listed] == [("filter", "held")]
    assert client.get(URL, params={"account_id": "a0"}).json()["items"] == []


def test_only_some_products_of_a_decision_may_be_accepted(client: TestClient) -> None:
    made = reserve(client, "a5", "kettle", "filter")

    assert accept(client, made, product_ids=["kettle", "kettle"]).json()["product_ids"] == ["kettle"]
    wrong = accept(client, made, product_ids=["mug"])

    assert (wrong.status_code, wrong.json()["code"]) == (404, "unknown-reservation")
    assert "'mug'" in wrong.json()["detail"]
    states = {item["product_id"]: item["state"] for item in client.get(URL).json()["items"]}
    assert states == {"kettle": "accepted", "filter": "held"}
    released = client.delete(f"{URL}/{made['answer']['decision_id']}", params={"product_id": "filter"})
    assert released.json()["product_ids"] == ["filter"]


def test_an_erased_account_gives_back_what_it_reserved_and_what_it_took_still_counts(client: TestClient) -> None:
    store(client, cap={"at_most": 2})
    accept(client, reserve(client, "a5"))
    reserve(client, "a0")
    assert not is_offered(client, "n1")

    client.delete("/v1/accounts/a0")
    assert is_offered(client, "n1")
    client.delete("/v1/accounts/a5")

    reserve(client, "n1")
    assert not is_offered(client, "n2")
    assert {item["account_id"] for item in client.get(URL).json()["items"]} == {None, "n1"}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"account_id": None}, "account_id"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": 10_081}, "minutes"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_bad_requests_are_refused(client: TestClient, fields: dict[str, Any], reason: str) -> None:
    answer = client.post(URL, json={"account_id": "a5", **fields})

    assert answer.status_code == 422
    assert reason in answer.text
    assert client.get(URL).json()["items"] == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"scope": None}, "needs a scope"), ({"cap": {"at_most": 0}}, "greater than"), ({"cap": None}, "needs cap")],
)
def test_a_cap_that_can_t_hold_is_refused(client: TestClient, fields: dict[str, Any], reason: str) -> None:
    answer = client.post("/v1/policies", json={**CAP, **fields})

    assert answer.status_code == 422
    assert reason in answer.text
