"""Nothing that was acknowledged is missing after an artifact was swapped in, however long it took to load."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from models.artifact import Content
from service.accounts.queries import set_consent
from service.accounts.schemas import ConsentIn
from service.base.logging import Logs
from service.base.settings import Settings
from service.base.telemetry import Telemetry
from service.offers.smoke import smoke_test
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.server.live_sections import LIVE_SECTIONS
from service.storage.changes import ChangeLog
from service.sync.artifact_holder import ArtifactHolder
from service.sync.artifact_store import ArtifactStore
from service.sync.follower import ChangeFollower
from service.sync.sections import LiveSections
from tests.artifacts import World, content_of, write_world
from tests.service.conftest import NOON, make_settings, part_of, running, wait_until
from tests.service.sync.conftest import URL, offered, order, post


@pytest.fixture
def settings(database_url: str, artifacts_dir: Path) -> Settings:
    """Settings under which nobody follows the change log by itself while a test lasts."""
    settings = make_settings(database_url, artifacts_dir)
    return settings.model_copy(update={"tail_poll_seconds": 30.0, "artifact_poll_seconds": 0.05})


class HeldLoad:
    """Loads that have read all changes, and go on only when they are released."""

    def __init__(self) -> None:
        self.has_read = threading.Event()
        self._may_go_on = threading.Event()
        self._open = ChangeFollower.open

    def open(
        self, follower: ChangeFollower, content: Content, sequence: int | None, as_of: datetime | None
    ) -> LiveState:
        """Open a state as ever, then wait."""
        state = self._open(follower, content, sequence, as_of)
        self.has_read.set()
        assert self._may_go_on.wait(20)
        return state

    def release(self) -> None:
        """Let the load go on."""
        self._may_go_on.set()


@contextmanager
def held_load(monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldLoad]:
    """Hold the next load between its reading and its swap, until the block ends."""
    held = HeldLoad()
    with monkeypatch.context() as patched:
        patched.setattr(ChangeFollower, "open", lambda *arguments: held.open(*arguments))
        try:
            yield held
        finally:
            held.release()


def holder_of(client: TestClient) -> Any:
    """The holder of an application."""
    return part_of(client, ArtifactHolder)


def object_to_marketing(client: TestClient, account_id: str) -> int:
    """Have an account object, and return the sequence number of the change."""
    answer = client.put(f"/v1/accounts/{account_id}/consent", json={"marketing": "objected"})
    assert answer.status_code == 200, answer.text
    return int(answer.headers["X-Sequence"])


def test_what_is_written_while_an_artifact_loads_is_respected_by_it(
    client: TestClient, artifacts_dir: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held_load(monkeypatch) as held:
        newer = write_world(artifacts_dir, world, as_of="2024-03-01T00:00:00Z", sequence=0)
        ArtifactStore(artifacts_dir, smoke_test).activate(newer)
        assert held.has_read.wait(20)
        object_to_marketing(client, "ann")
        sequence = post(client, order("o-1", "bob", "filter"))
    wait_until(lambda: holder_of(client).current.version == newer)

    assert offered(client, "ann") == []
    assert "filter" not in offered(client, "bob")
    assert client.get(f"{URL}/bob").json()["sequence"] == sequence


def test_the_sequence_never_falls_while_artifacts_are_swapped(
    client: TestClient, artifacts_dir: Path, world: World
) -> None:
    store = ArtifactStore(artifacts_dir, smoke_test)
    versions = [write_world(artifacts_dir, world, as_of=f"2024-03-0{day}T00:00:00Z", sequence=0) for day in range(1, 4)]
    acknowledged, answered, is_over = [0], [], threading.Event()

    def read() -> None:
        while not is_over.is_set():
            at_least = acknowledged[-1]
            answered.append((at_least, client.get(f"{URL}/ann").json()["sequence"]))

    reader = threading.Thread(target=read)
    reader.start()
    for number, version in enumerate(versions):
        store.activate(version)
        while holder_of(client).current.version != version:
            acknowledged.append(post(client, order(f"o-{number}-{len(acknowledged)}", "ann", "filter")))
    is_over.set()
    reader.join()

    assert all(sequence >= at_least for at_least, sequence in answered)
    assert [sequence for _, sequence in answered] == sorted(sequence for _, sequence in answered)


def test_what_is_written_while_the_fallback_loads_is_respected_by_it(
    settings: Settings, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.sync.artifact_holder.MIN_FALLBACK_PAUSE_SECONDS", 0.05)
    with running(settings, key) as client:
        client.post("/v1/products", json=[{"product_id": "beans", "name": "Beans"}])
        wait_until(lambda: holder_of(client).current is not None)
        with held_load(monkeypatch) as held:
            assert held.has_read.wait(20)
            before = holder_of(client).current
            sequence = object_to_marketing(client, "ann")
        wait_until(lambda: holder_of(client).current is not before)
        answer = client.get(f"{URL}/ann").json()

    assert answer["offers"] == []
    assert answer["sequence"] == sequence


def test_whoever_writes_while_a_state_is_admitted_waits_until_it_is_in_use(engine: Engine, world: World) -> None:
    """The path by which a current artifact, a fallback and a shadow come into use."""
    follower = ChangeFollower(engine, LiveSections(LIVE_SECTIONS), 30, Telemetry(), Logs("error").log)
    state = follower.open(content_of(world), 0, None)
    write_objection(engine, "ann")
    finished: list[str] = []

    def write_as_a_request_does() -> None:
        write_objection(engine, "bob")
        follower.catch_up()
        finished.append("write")

    with follower.admit(state):
        assert state.part(Objections).accounts == {"ann"}
        writer = threading.Thread(target=write_as_a_request_does)
        writer.start()
        writer.join(0.3)
        finished.append("swap")
    writer.join()

    assert finished == ["swap", "write"]
    assert state.part(Objections).accounts == {"ann", "bob"}


def test_a_state_that_was_replaced_is_followed_no_longer(engine: Engine, world: World) -> None:
    follower = ChangeFollower(engine, LiveSections(LIVE_SECTIONS), 30, Telemetry(), Logs("error").log)
    first, second = (follower.open(content_of(world), 0, None) for _ in range(2))
    for state, before in ((first, None), (second, first)):
        with follower.admit(state, replacing=before):
            pass
    write_objection(engine, "ann")
    follower.catch_up()

    assert second.part(Objections).accounts == {"ann"}
    assert first.part(Objections).accounts == set()


def write_objection(engine: Engine, account_id: str) -> None:
    """Store an objection with its change, as a request does."""
    with engine.begin() as connection:
        changes = ChangeLog()
        set_consent(connection, account_id, ConsentIn(marketing="objected"), NOON, changes)
        changes.write(connection, NOON)
