"""The database really goes away under running requests, and comes back."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import create_engine, make_url, text
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.decisions.decision_log import DecisionLog
from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore
from tests.artifacts import World, write_world
from tests.conftest import POSTGRES_URL
from tests.service.conftest import InstallWorld, make_key, make_settings, part_of, running, wait_until
from tests.service.sync.conftest import URL, offered, order, post

TAKEN = ("changes", "orders", "decisions", "consents", "accounts")
"""Renamed, they make every question to SQLite fail. Its file can't be taken from those who have it open."""


@contextmanager
def postgres_stopped(url: str) -> Iterator[None]:
    """End every connection to the database, and let no new one in."""
    database = make_url(url).database
    server = create_engine(POSTGRES_URL, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false"))
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": database}
        )
    try:
        yield
    finally:
        with server.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true"))
        server.dispose()


@contextmanager
def sqlite_broken(url: str) -> Iterator[None]:
    """Have the file's tables vanish, and come back as they were."""
    path = url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
        # Without this, the views that name a table would be rewritten, or refuse its new name.
        connection.execute("PRAGMA legacy_alter_table = ON")
        for name in TAKEN:
            connection.execute(f"ALTER TABLE {name} RENAME TO taken_{name}")
        try:
            yield
        finally:
            for name in TAKEN:
                connection.execute(f"ALTER TABLE taken_{name} RENAME TO {name}")


def database_away(url: str) -> AbstractContextManager[None]:
    """Take away either database."""
    return postgres_stopped(url) if url.startswith("postgresql") else sqlite_broken(url)


@pytest.fixture
def settings(database_url: str, artifacts_dir: Path, world: World, install_world: InstallWorld) -> Settings:
    """Settings over each database, with an artifact; a lock is waited for only briefly."""
    install_world(artifacts_dir, world, sequence=0)
    return make_settings(database_url, artifacts_dir)


def is_degraded(client: TestClient) -> bool:
    answer = client.get(f"{URL}/bob")
    assert answer.status_code == 200, answer.text
    degraded: bool = answer.json()["degraded"]
    return degraded


def post_when_free(client: TestClient, *orders: dict[str, Any]) -> int:
    """Post orders as a caller does who was asked to come back: again, while another writer holds the database."""
    answers: list[Response] = []

    def is_taken() -> bool:
        answers.append(client.post("/v1/orders", json=list(orders)))
        return answers[-1].status_code == 200

    wait_until(is_taken)
    return int(answers[-1].headers["X-Sequence"])


def test_reads_go_on_writes_are_asked_to_come_back_and_it_catches_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.server.app.BUSY_SECONDS", 0)
    key = make_key(settings.database_url, "admin")
    with running(settings, key) as client, running(settings, key) as other:
        post(client, order("o-1", "ann", "filter"))
        assert not is_degraded(client)

        with database_away(settings.database_url):
            wait_until(lambda: is_degraded(client) and is_degraded(other))
            begun = time.monotonic()
            refused = client.post("/v1/orders", json=[order("o-2", "ann", "milk", "scale")])
            consent = client.put("/v1/accounts/bob/consent", json={"marketing": "objected"})
            account = client.get("/v1/accounts/ann")
            waited = time.monotonic() - begun
            meanwhile = offered(client, "ann")
            checkout = client.post(URL, json={"basket": ["kettle"], "placement": "checkout"})
            readiness = client.get("/readyz")

        wait_until(lambda: not is_degraded(client) and not is_degraded(other))
        stored = client.get("/v1/accounts/ann").json()
        sequence = post_when_free(client, order("o-2", "ann", "milk", "scale"))
        wait_for_min_sequence = other.get(f"{URL}/ann?limit=20", headers={"X-Min-Sequence": str(sequence)})

    for answer in (refused, consent, account):
        assert (answer.status_code, answer.json()["code"]) == (503, "database-unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    assert waited < 5
    assert "filter" not in meanwhile
    assert (checkout.status_code, checkout.json()["degraded"]) == (200, False)
    assert (readiness.status_code, readiness.json()["status"]) == (200, "degraded")
    assert stored["order_count"] == 1
    assert not {"filter", "milk", "scale"} & {offer["product_id"] for offer in wait_for_min_sequence.json()["offers"]}


def test_no_answer_fails_while_the_database_goes_and_comes(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.server.app.BUSY_SECONDS", 0)
    key = make_key(settings.database_url, "admin")
    statuses: list[int] = []
    is_over = threading.Event()
    with running(settings, key) as client:

        def ask() -> None:
            while not is_over.is_set():
                statuses.append(client.post(URL, json={"account_id": "ann", "basket": ["kettle"]}).status_code)

        caller = threading.Thread(target=ask)
        caller.start()
        for _ in range(2):
            with database_away(settings.database_url):
                wait_until(lambda: is_degraded(client))
            wait_until(lambda: not is_degraded(client))
        is_over.set()
        caller.join()

    assert len(statuses) > 2
    assert set(statuses) == {200}


def test_decisions_made_meanwhile_are_in_the_decision_log_afterwards(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.server.app.BUSY_SECONDS", 0)
    with running(settings, make_key(settings.database_url, "admin")) as client:
        with database_away(settings.database_url):
            wait_until(lambda: is_degraded(client))
            made = [client.get(f"{URL}/dee").json()["decision_id"] for _ in range(20)]
        wait_until(lambda: not is_degraded(client))
        wait_until(lambda: part_of(client, DecisionLog).depth == 0)
        page = client.get("/v1/accounts/dee/decisions?limit=200").json()

    assert sorted(made, reverse=True) == [item["decision_id"] for item in page["items"]]
    assert all(item["answer"]["degraded"] for item in page["items"])


def test_while_another_process_writes_to_sqlite_for_long_callers_are_asked_to_come_back(
    sqlite_url: str, artifacts_dir: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.server.app.BUSY_SECONDS", 0)
    ArtifactStore(artifacts_dir, smoke_test).activate(write_world(artifacts_dir, world, sequence=0))
    with running(make_settings(sqlite_url, artifacts_dir), make_key(sqlite_url, "admin")) as client:
        with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            refused = client.post("/v1/orders", json=[order("o-1", "ann", "filter")])
            read = client.get("/v1/products")
            connection.execute("ROLLBACK")
        accepted = client.post("/v1/orders", json=[order("o-1", "ann", "filter")])

    assert (refused.status_code, refused.json()["code"]) == (503, "database-unavailable")
    assert read.status_code == 200
    assert accepted.json()["results"][0]["status"] == "created"
