"""Weights over HTTP: their versions, and who changed them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from alembic import command
from sqlalchemy import text
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.storage.database import alembic_config, create_database_engine
from tests.service.conftest import make_key, running

WEIGHTS = "/v1/lever-weights"
COFFEE = f"{WEIGHTS}/lines/coffee"


def put(client: TestClient, percent: float, path: str = COFFEE, if_match: str | None = None) -> Any:
    headers = {} if if_match is None else {"If-Match": if_match}
    return client.put(path, json={"percent": percent}, headers=headers)


def history(client: TestClient, path: str = COFFEE, **parameters: Any) -> Any:
    answer = client.get(f"{path}/history", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_every_change_is_in_the_history(client: TestClient) -> None:
    put(client, 20)
    put(client, 30)
    put(client, 30)
    client.delete(COFFEE)
    put(client, -10)

    entries = history(client)["items"]

    assert [entry["version"] for entry in entries] == [4, 3, 2, 1]
    changes = [[part and part["percent"] for part in (entry["before"], entry["after"])] for entry in entries]
    assert changes == [[None, -10], [30, None], [20, 30], [None, 20]]
    shown = client.get(COFFEE).json()
    assert (shown["percent"], shown["version"]) == (-10, 4)
    assert {entry["changed_by"] for entry in entries} == {shown["updated_by"]}
    assert entries[0]["changed_at"] == shown["updated_at"]
    assert client.get(WEIGHTS).json()["items"] == [shown]


def test_the_history_is_read_page_by_page_the_newest_first(client: TestClient) -> None:
    for percent in (10, 20, 30):
        put(client, percent)

    first = history(client, limit=2)
    second = history(client, limit=2, cursor=first["next_cursor"])

    assert [entry["version"] for entry in first["items"] + second["items"]] == [3, 2, 1]
    assert second["next_cursor"] is None


def test_a_deleted_weight_has_its_history_and_one_that_never_was_has_none(client: TestClient) -> None:
    put(client, 10)
    client.delete(COFFEE)

    assert len(history(client)["items"]) == 2
    for path in (COFFEE, f"{WEIGHTS}/products/beans/history", f"{WEIGHTS}/products/beans"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-weight")


def test_weights_of_one_name_and_several_kinds_have_histories_of_their_own(client: TestClient) -> None:
    row = {"product_id": "a/b", "name": "Both", "line": "a/b"}
    assert client.post("/v1/products", json=[row]).json()["rejected"] == 0

    put(client, 10, f"{WEIGHTS}/lines/a/b")
    put(client, 20, f"{WEIGHTS}/products/a/b")

    for kind, percent in (("lines", 10), ("products", 20)):
        (entry,) = history(client, f"{WEIGHTS}/{kind}/a/b")["items"]
        assert entry["after"] == {"percent": percent}
        assert client.get(f"{WEIGHTS}/{kind}/a/b").json()["percent"] == percent


def test_a_history_can_not_be_written(client: TestClient) -> None:
    row = {"product_id": "beans", "name": "Beans", "line": "coffee/history"}
    assert client.post("/v1/products", json=[row]).json()["rejected"] == 0

    answer = put(client, 10, f"{COFFEE}/history")

    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    assert client.delete(f"{COFFEE}/history").status_code == 405


def test_two_writers_can_not_lose_each_others_change(client: TestClient) -> None:
    made = put(client, 20)
    read = client.get(COFFEE)
    assert made.headers["ETag"] == read.headers["ETag"] == '"1"'
    assert client.get(COFFEE, headers={"If-None-Match": '"1"'}).status_code == 304

    first, second = put(client, 30, if_match='"1"'), put(client, 40, if_match='"1"')
    deleted = client.delete(COFFEE, headers={"If-Match": '"1"'})

    assert (first.status_code, first.json()["version"], first.headers["ETag"]) == (200, 2, '"2"')
    for refused in (second, deleted):
        assert (refused.status_code, refused.json()["code"]) == (412, "weight-modified")
        assert "version 2" in refused.json()["detail"]
    assert client.get(COFFEE).json()["percent"] == 30
    assert client.delete(COFFEE, headers={"If-Match": '"2"'}).status_code == 200
    gone = put(client, 50, if_match='"2"')
    assert (gone.status_code, gone.json()["code"]) == (412, "weight-modified")
    assert "not set any more" in gone.json()["detail"]


def test_of_many_that_change_a_weight_at_once_no_change_is_lost(client: TestClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda number: put(client, number).status_code, range(1, 9)))

    entries = history(client)["items"]
    assert statuses == [200] * 8
    assert [entry["version"] for entry in entries] == list(range(8, 0, -1))
    befores = [entry["before"] for entry in entries]
    assert befores == [*(entry["after"] for entry in entries[1:]), None]


def test_a_weight_that_is_older_than_histories_is_kept_and_has_one_from_its_next_change_on(settings: Settings) -> None:
    config, engine = alembic_config(settings.database_url), create_database_engine(settings.database_url)
    command.downgrade(config, "0017")
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO lever_weights VALUES ('lines', 'coffee', 20, '2024-01-01 00:00:00+00:00', 'ak_1')")
        )
    command.upgrade(config, "head")
    engine.dispose()

    with running(settings, make_key(settings.database_url, "admin")) as client:
        client.post("/v1/products", json=[{"product_id": "beans", "name": "Beans", "line": "coffee"}])
        assert history(client)["items"] == []
        assert (client.get(COFFEE).headers["ETag"], client.get(COFFEE).json()["updated_by"]) == ('"1"', "ak_1")
        put(client, 30, if_match='"1"')

        (entry,) = history(client)["items"]
        assert (entry["version"], entry["before"], entry["after"]) == (2, {"percent": 20}, {"percent": 30})
