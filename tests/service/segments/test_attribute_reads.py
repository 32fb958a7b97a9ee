"""All accounts' attributes are read once for all segments, once per definition, and outside the write transaction."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event
from starlette.testclient import TestClient

from service.base.settings import Settings
from tests.service.conftest import make_key, make_settings, running

URL = "/v1/segments"


def by_sector(*sectors: str) -> dict[str, Any]:
    """A rule that asks for an attribute."""
    return {"attribute": "sector", "op": "in", "values": list(sectors)}


class Statements:
    """Notes each read of all accounts' attributes, and each write of a segment, with its connection."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, Any]] = []

    def note(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        """Listen to ``before_cursor_execute``."""
        text = " ".join(statement.split())
        if "accounts.attributes" in text and "FROM accounts" in text and "WHERE" not in text:
            self.noted.append(("read", connection))
        elif text.startswith(("INSERT INTO segments", "UPDATE segments")):
            self.noted.append(("write", connection))

    def take(self) -> list[str]:
        """Return what was noted in order, and begin anew; fails if anything was read inside a write transaction."""
        writers = {id(connection) for kind, connection in self.noted if kind == "write"}
        assert not any(kind == "read" and id(connection) in writers for kind, connection in self.noted)
        kinds, self.noted = [kind for kind, _ in self.noted], []
        return kinds


@pytest.fixture
def statements() -> Iterator[Statements]:
    """The statements of every engine."""
    made = Statements()
    event.listen(Engine, "before_cursor_execute", made.note)
    yield made
    event.remove(Engine, "before_cursor_execute", made.note)


@pytest.fixture
def settings(database_url: str, artifacts_dir: Path) -> Settings:
    """Settings over each database in turn."""
    return make_settings(database_url, artifacts_dir)


@pytest.fixture
def client(settings: Settings, version: str) -> Iterator[TestClient]:
    """An admin's client, over an artifact whose accounts have a history."""
    with running(settings, make_key(settings.database_url, "admin")) as made:
        made.post("/v1/accounts", json=[{"account_id": "a1", "attributes": {"sector": "public"}}])
        yield made


def test_a_definition_reads_attributes_once_and_outside_its_transaction(
    client: TestClient, statements: Statements
) -> None:
    created = client.post(URL, json={"name": "Mine", "rule": by_sector("public")})
    on_create = statements.take()
    replaced = client.put(f"{URL}/custom.mine", json={"name": "Mine", "rule": by_sector("public", "private")})
    on_replace = statements.take()
    previewed = client.post(f"{URL}/preview", json={"rule": by_sector("public")})
    on_preview = statements.take()

    assert (on_create, on_replace, on_preview) == (["read", "write"], ["read", "write"], ["read"])
    assert [created.json()["size"], replaced.json()["size"], previewed.json()["accounts"]] == [1, 1, 1]
    assert client.get(f"{URL}/custom.mine").json().items() <= replaced.json().items()


def test_a_rule_that_asks_for_no_attributes_reads_none(client: TestClient, statements: Statements) -> None:
    rule = {"field": "revenue_tier", "op": "eq", "value": "A"}

    assert client.post(URL, json={"name": "Mine", "rule": rule}).status_code == 201

    assert statements.take() == ["write"]


def test_a_start_reads_attributes_once_for_all_segments(
    client: TestClient, settings: Settings, statements: Statements
) -> None:
    for name in ("One", "Two", "Three"):
        assert client.post(URL, json={"name": name, "rule": by_sector("public")}).status_code == 201
    statements.take()

    with running(settings, make_key(settings.database_url, "admin")) as restarted:
        sizes = [restarted.get(f"{URL}/custom.{name}").json()["size"] for name in ("one", "two", "three")]

    assert statements.take() == ["read"]
    assert sizes == [1, 1, 1]


def test_a_definition_that_is_refused_leaves_the_stored_one(client: TestClient, statements: Statements) -> None:
    first = client.post(URL, json={"name": "Mine", "rule": by_sector("public")}).json()

    again = client.post(URL, json={"name": "Mine", "rule": by_sector("private")})
    client.post("/v1/accounts", json=[{"account_id": "a2", "attributes": {"sector": "public"}}])

    assert again.json()["code"] == "segment-exists"
    stored = client.get(f"{URL}/custom.mine").json()
    assert (stored["definition"], stored["size"]) == (first["definition"], 2)
