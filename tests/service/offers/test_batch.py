"""Many accounts in one call; answers that must not be recorded; answers that wait for a write."""

import threading
import time

import pytest
from starlette.testclient import TestClient

from service.base.settings import Settings
from tests.service.conftest import make_key, part_of, running

URL = "/v1/recommendations"
VARYING_FIELDS = ("decision_id", "generated_at")


def lasting(answer: dict[str, object]) -> dict[str, object]:
    """The part of an answer that is the same for the same request."""
    return {name: value for name, value in answer.items() if name not in VARYING_FIELDS}


def test_a_batch_answers_each_account_as_a_single_call_does(client: TestClient) -> None:
    accounts = ["ann", "nobody", "bob", "ann", "dee"]
    single = [client.get(f"{URL}/{account}?limit=2").json() for account in accounts]

    answers = client.post(f"{URL}/batch", json={"account_ids": accounts, "limit": 2}).json()["items"]

    assert [lasting(answer) for answer in answers] == [lasting(answer) for answer in single]
    assert len({answer["decision_id"] for answer in answers}) == len(accounts)


def test_a_batch_excludes_products_for_every_account(client: TestClient) -> None:
    body = {"account_ids": ["ann", "bob"], "exclude": ["filter"], "limit": 50}

    answers = client.post(f"{URL}/batch", json=body).json()["items"]

    assert all("filter" not in {offer["product_id"] for offer in answer["offers"]} for answer in answers)
    assert all(answer["withheld"]["excluded"] == 1 for answer in answers)


def test_the_largest_batch_is_answered_and_a_larger_one_refused(client: TestClient) -> None:
    largest = client.post(f"{URL}/batch", json={"account_ids": ["ann"] * 1000})
    larger = client.post(f"{URL}/batch", json={"account_ids": ["ann"] * 1001})

    assert len(largest.json()["items"]) == 1000
    assert (larger.status_code, larger.json()["errors"][0]["loc"]) == (422, ["body", "account_ids"])


@pytest.mark.parametrize("body", [{}, {"account_ids": []}, {"account_ids": [""]}, {"account_ids": ["a"], "basket": []}])
def test_a_batch_that_makes_no_sense_is_refused(client: TestClient, body: dict[str, object]) -> None:
    answer = client.post(f"{URL}/batch", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")


def test_an_account_may_be_called_batch(client: TestClient) -> None:
    answer = client.get(f"{URL}/batch")

    assert (answer.status_code, answer.json()["account_id"]) == (200, "batch")


def test_a_dry_run_has_no_identifier_and_differs_in_nothing_else(client: TestClient) -> None:
    real = client.get(f"{URL}/ann").json()
    by_get = client.get(f"{URL}/ann?dry_run=true").json()
    by_post = client.post(URL, json={"account_id": "ann", "dry_run": True}).json()
    by_batch = client.post(f"{URL}/batch", json={"account_ids": ["ann"], "dry_run": True}).json()["items"][0]

    assert real["decision_id"] is not None
    for dry in (by_get, by_post, by_batch):
        assert dry["decision_id"] is None
        assert lasting(dry) == lasting(real)


@pytest.mark.parametrize("named", ["", "x", "-1", "1.5", "9223372036854775808"])
def test_what_is_no_sequence_number_is_refused(client: TestClient, named: str) -> None:
    answer = client.get(f"{URL}/ann", headers={"X-Min-Sequence": named})

    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["header", "X-Min-Sequence"])


def test_a_change_that_does_not_come_is_waited_for_only_so_long(client: TestClient) -> None:
    begun = time.monotonic()

    answer = client.get(f"{URL}/ann", headers={"X-Min-Sequence": "1000000"})

    assert (answer.status_code, answer.json()["code"]) == (503, "sequence-not-reached")
    assert answer.headers["Retry-After"]
    assert time.monotonic() - begun >= part_of(client, Settings).max_sequence_wait_seconds


def test_an_answer_waits_for_the_write_that_it_names(settings: Settings, version: str) -> None:
    settings = settings.model_copy(update={"max_sequence_wait_seconds": 10.0, "change_poll_seconds": 60.0})
    key = make_key(settings.database_url, "admin")
    order = {"order_id": "o-1", "account_id": "ann", "ordered_at": "2024-03-01", "lines": [{"product_id": "filter"}]}
    with running(settings, key) as reader, running(settings, key) as writer:
        before = [offer["product_id"] for offer in reader.get(f"{URL}/ann").json()["offers"]]
        sequence = int(reader.get(f"{URL}/ann").json()["sequence"])
        timer = threading.Timer(0.2, lambda: writer.post("/v1/orders", json=[order]))
        timer.start()

        answer = reader.get(f"{URL}/ann", headers={"X-Min-Sequence": str(sequence + 1)})

        timer.join()
    assert "filter" in before
    assert "filter" not in [offer["product_id"] for offer in answer.json()["offers"]]
    assert answer.json()["sequence"] >= sequence + 1
