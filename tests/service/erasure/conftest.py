"""A coffee shop one of whose accounts is to be erased, on both databases."""

import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, create_engine, select
from starlette.testclient import TestClient

from service.base.settings import Settings
from tests.artifacts import World, coffee_world
from tests.service.conftest import InstallWorld, make_key, make_settings, running

PERSON = "person/é quillfeather"
"""Not found by chance in any other text, and spelt differently in JSON and in URLs."""
PATH = "/v1/accounts/person%2F%C3%A9%20quillfeather"


@pytest.fixture
def world() -> World:
    """The coffee shop, in which the person has Ann's history."""
    shop = coffee_world()
    return replace(shop, owned={PERSON if name == "ann" else name: owned for name, owned in shop.owned.items()})


@pytest.fixture
def version(artifacts_dir: Path, world: World, install_world: InstallWorld) -> str:
    """The world's artifact, trained before the first change of the database."""
    return install_world(artifacts_dir, world, sequence=0)


@pytest.fixture
def settings(database_url: str, artifacts_dir: Path, version: str) -> Settings:
    """Settings over each of the two databases."""
    return make_settings(database_url, artifacts_dir)


@pytest.fixture
def start(settings: Settings) -> Callable[[], AbstractContextManager[TestClient]]:
    """Starts an application, one more on the same database and artifacts each time."""
    key = make_key(settings.database_url, "admin")
    return lambda: running(settings, key)


@pytest.fixture
def client(start: Callable[[], AbstractContextManager[TestClient]]) -> Iterator[TestClient]:
    """An admin's client of an application."""
    with start() as made:
        yield made


def write(client: TestClient, method: str, url: str, body: Any, **headers: str) -> Any:
    """Write, and return the body of a good answer."""
    answer = client.request(method, url, json=body, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    assert not answer.json().get("rejected"), answer.text
    return json.loads(answer.content, object_pairs_hook=without_doubles)


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Read an object; strict readers refuse one in which a name stands twice."""
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


def order(order_id: str, account_id: str | None, product_id: str = "kettle") -> dict[str, Any]:
    """One order as it is posted."""
    lines = [{"product_id": product_id, "quantity": 2, "amount_minor": 500}]
    return {"order_id": order_id, "account_id": account_id, "ordered_at": "2024-03-01", "lines": lines}


def deal(deal_id: str, account_id: str, **fields: Any) -> dict[str, Any]:
    """One deal as it is posted."""
    return {"deal_id": deal_id, "account_id": account_id, "product_id": "scale", "stage": "Engaging", **fields}


def settle(client: TestClient) -> dict[str, Any]:
    """Store all kinds of facts of the person, and have it named wherever an account can be named."""
    accounts = [
        {"account_id": PERSON, "name": "P", "is_strategic": True, "attributes": {"city": "Bonn"}},
        {"account_id": "child", "parent_account_id": PERSON},
    ]
    write(client, "POST", "/v1/accounts", accounts, **{"Idempotency-Key": "accounts-1"})
    write(client, "POST", "/v1/orders", [order("o1", PERSON), order("o2", "bob"), order("o3", PERSON, "syrup")])
    write(client, "POST", "/v1/deals", [
        deal("d1", PERSON),
        deal("d2", PERSON, status="won", closed_at="2024-02-01", value_minor=700, currency="EUR"),
        deal("d3", PERSON, status="lost", closed_at="2024-02-20"),
    ])  # fmt: skip
    consent = f"{PATH}/consent"
    write(client, "PUT", consent, {"marketing": "granted", "origin": "shop"}, **{"Idempotency-Key": "consent-1"})
    note = {"kind": "pain_point", "text": f"{PERSON} waits for deliveries", "noted_by": PERSON}
    write(client, "POST", f"{PATH}/notes", note, **{"Idempotency-Key": "note-1"})
    rule = {"field": "is_strategic", "op": "eq", "value": True}
    client.post("/v1/segments", json={"name": "Wanted", "rule": rule})
    answers: dict[str, Any] = write(client, "POST", "/v1/recommendations", {"account_id": PERSON, "basket": ["mug"]})
    return answers


def texts_in(database_url: str) -> str:
    """Return everything that a database holds, with what is compressed in it."""
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    metadata = MetaData()
    metadata.reflect(engine)
    with engine.connect() as connection:
        rows = [row for table in metadata.sorted_tables for row in connection.execute(select(table))]
    engine.dispose()
    return "\n".join(_readable(value) for row in rows for value in row)


def _readable(value: object) -> str:
    if isinstance(value, bytes | memoryview):
        data = bytes(value)
        return (zlib.decompress(data) if data[:1] == b"\x78" else data).decode()
    return str(value)
