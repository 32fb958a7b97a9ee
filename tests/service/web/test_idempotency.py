"""A write that is retried with its key is done once, and answered as it was."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.offers.smoke import smoke_test
from service.orders.tables import Order
from service.sync.artifact_store import ArtifactStore
from service.web.idempotency.tables import IdempotentAnswer
from tests.artifacts import World, write_world
from tests.service.conftest import make_key, make_settings, running
from tests.service.sync.conftest import order


@pytest.fixture
def settings(database_url: str, artifacts_dir: Path, world: World) -> Settings:
    """Settings over each of the two databases in turn."""
    ArtifactStore(artifacts_dir, smoke_test).activate(write_world(artifacts_dir, world, sequence=0))
    return make_settings(database_url, artifacts_dir)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """A client that may write."""
    with running(settings, make_key(settings.database_url, "write,read")) as made:
        yield made


def post(client: TestClient, key: str, *orders: dict[str, Any]) -> Any:
    return client.post("/v1/orders", json=list(orders), headers={"Idempotency-Key": key})


def count(engine: Engine, table: Any) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def test_a_retry_gets_the_same_answer_and_changes_nothing(client: TestClient) -> None:
    first = post(client, "k-1", order("o-1", "ann", "beans"))
    client.post("/v1/orders", json=[order("o-1", "bob", "milk")])

    again = post(client, "k-1", order("o-1", "ann", "beans"))

    assert again.content == first.content
    assert (again.status_code, again.headers["X-Sequence"]) == (200, first.headers["X-Sequence"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert client.get("/v1/accounts/bob").json()["order_count"] == 1


def test_without_a_key_a_retry_is_a_write_of_its_own(client: TestClient) -> None:
    first, again = (client.post("/v1/orders", json=[order("o-1", "ann", "beans")]).json() for _ in range(2))

    assert [answer["results"][0]["status"] for answer in (first, again)] == ["created", "unchanged"]


@pytest.mark.parametrize("path", ["/v1/orders?unknown_products=add", "/v1/accounts"])
def test_a_key_is_for_one_request_only(client: TestClient, path: str) -> None:
    post(client, "k-1", order("o-1", "ann", "beans"))

    other_body = post(client, "k-1", order("o-1", "ann", "milk"))
    other_path = client.post(path, json=[order("o-1", "ann", "beans")], headers={"Idempotency-Key": "k-1"})

    for answer in (other_body, other_path):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert client.get("/v1/accounts/ann").json()["owned"][0]["product_id"] == "beans"


def test_callers_do_not_get_into_each_other_s_way(client: TestClient, settings: Settings) -> None:
    other = {"X-API-Key": make_key(settings.database_url, "write"), "Idempotency-Key": "k-1"}

    post(client, "k-1", order("o-1", "ann", "beans"))
    answer = client.post("/v1/orders", json=[order("o-2", "bob", "milk")], headers=other | {"Authorization": ""})

    assert answer.json()["results"][0] == {"index": 0, "status": "created", "id": "o-2", "errors": []}


def test_requests_at_once_with_one_key_are_done_once(client: TestClient, engine: Engine) -> None:
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(post(client, "k-1", order("o-1", "ann", "beans", "milk"))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert count(engine, Order) == count(engine, IdempotentAnswer) == 1


def test_a_write_that_failed_leaves_its_key_free(client: TestClient, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE order_lines RENAME COLUMN amount_minor TO taken"))
    failed = post(client, "k-1", order("o-1", "ann", "beans"))
    kept = count(engine, IdempotentAnswer)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE order_lines RENAME COLUMN taken TO amount_minor"))

    again = post(client, "k-1", order("o-1", "ann", "beans"))

    assert failed.status_code >= 500
    assert kept == 0
    assert again.json()["results"][0]["status"] == "created"


def test_a_key_is_known_after_a_restart(settings: Settings) -> None:
    key = make_key(settings.database_url, "write")
    with running(settings, key) as client:
        first = post(client, "k-1", order("o-1", "ann", "beans"))
    with running(settings, key) as client:
        again = post(client, "k-1", order("o-1", "ann", "beans"))

    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"


def test_consent_takes_a_key_too(client: TestClient) -> None:
    def say(marketing: str, key: str) -> Any:
        return client.put("/v1/accounts/ann/consent", json={"marketing": marketing}, headers={"Idempotency-Key": key})

    objected = say("objected", "k-1")
    say("granted", "k-2")
    again = say("objected", "k-1")

    assert again.content == objected.content
    assert client.get("/v1/accounts/ann/consent").json()["marketing"] == "granted"


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 256, "\t"])
def test_what_is_no_key_is_refused(client: TestClient, key: str) -> None:
    answer = client.post("/v1/orders", json=[], headers=[(b"Idempotency-Key", key.encode())])

    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
    assert answer.json()["errors"][0]["loc"] == ["header", "Idempotency-Key"]
