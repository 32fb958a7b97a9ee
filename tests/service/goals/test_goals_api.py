"""Goals over HTTP: set, changed, refused, and their history."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.goals.queries import MAX_GOALS
from tests.service.conftest import make_key, running, wait_until
from tests.service.goals.conftest import COFFEE, MARCH, URL, line, progress, sell, set_goal


def test_a_goal_is_shown_as_it_was_set(client: TestClient) -> None:
    made = client.post(URL, json={**COFFEE, "measure": "revenue", "target": 50_000})

    assert made.status_code == 201, made.text
    assert made.headers["ETag"] == '"v1"'
    shown = client.get(f"{URL}/coffee").json()
    assert (shown["goal_id"], shown["target"], shown["currency"]) == ("coffee", 50_000, "EUR")
    assert (shown["period"], shown["begins_on"], shown["ends_on"]) == (MARCH, "2024-03-01", "2024-03-31")
    assert (shown["timezone"], shown["max_lever"], shown["version"]) == ("UTC", 2.0, 1)
    assert all(answer["created_at"].endswith("Z") for answer in (made.json(), shown))
    assert {**made.json(), "progress": None} == {**shown, "progress": None, "sequence": made.json()["sequence"]}
    assert [goal["goal_id"] for goal in client.get(URL).json()["items"]] == ["coffee"]


@pytest.mark.parametrize(
    ("period", "begins_on", "ends_on"),
    [
        ({"month": "2024-02"}, "2024-02-01", "2024-02-29"),
        ({"month": "2024-12"}, "2024-12-01", "2024-12-31"),
        ({"quarter": "2024-Q4"}, "2024-10-01", "2024-12-31"),
        ({"year": "2024"}, "2024-01-01", "2024-12-31"),
        ({"from": "2024-03-05", "until": "2024-03-05"}, "2024-03-05", "2024-03-05"),
    ],
)
def test_a_period_is_a_month_a_quarter_a_year_or_days(
    client: TestClient, period: dict[str, str], begins_on: str, ends_on: str
) -> None:
    made = client.post(URL, json={**COFFEE, "period": period}).json()

    assert (made["begins_on"], made["ends_on"]) == (begins_on, ends_on)


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"target": 0}, "target"),
        ({"target": 10.5, "measure": "margin"}, ""),
        ({"scope": {}}, "scope"),
        ({"scope": {"lines": ["coffee"], "products": ["beans"]}}, "scope"),
        ({"scope": {"lines": []}}, "scope"),
        ({"period": {"month": "2024-13"}}, "period"),
        ({"period": {"month": "2024-03", "year": "2024"}}, "period"),
        ({"period": {"from": "2024-03-02", "until": "2024-03-01"}}, "period"),
        ({"period": {"from": "2024-03-02"}}, "period"),
        ({"period": {"from": "2024-01-01", "until": "2026-03-01"}}, "period"),
        ({"period": {"year": "0001"}}, "period"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"max_lever": 5.5}, "max_lever"),
        ({"measure": "clicks"}, "measure"),
        ({"goal_id": "Not A Slug"}, "goal_id"),
    ],
)
def test_a_goal_that_is_not_valid_is_refused_by_its_field(
    client: TestClient, wrong: dict[str, Any], place: str
) -> None:
    answer = client.post(URL, json={**COFFEE, **wrong})

    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
    assert not place or place in answer.json()["errors"][0]["loc"]
    assert client.get(URL).json()["items"] == []


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"scope": {"lines": ["coffee", "tea"]}}, 409, "scope-matches-nothing"),
        ({"scope": {"categories": ["coffee"]}}, 409, "scope-matches-nothing"),
        ({"scope": {"products": ["tea"]}}, 409, "scope-matches-nothing"),
        ({"segment_id": "custom.none"}, 404, "unknown-segment"),
    ],
)
def test_a_goal_that_can_never_be_reached_by_its_scope_is_refused(
    client: TestClient, wrong: dict[str, Any], status: int, code: str
) -> None:
    answer = client.post(URL, json={**COFFEE, **wrong})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert client.get(URL).json()["items"] == []


def test_an_id_in_use_is_refused(client: TestClient) -> None:
    set_goal(client)

    answer = client.post(URL, json=COFFEE)

    assert (answer.status_code, answer.json()["code"]) == (409, "goal-exists")
    assert set_goal(client, goal_id="coffee-2") == "coffee-2"


def test_two_writers_can_not_lose_each_others_change(client: TestClient) -> None:
    set_goal(client)
    read = client.get(f"{URL}/coffee").headers["ETag"]

    first = client.patch(f"{URL}/coffee", json={"target": 120}, headers={"If-Match": read})
    second = client.patch(f"{URL}/coffee", json={"name": "Beans"}, headers={"If-Match": read})

    assert first.status_code == 200, first.text
    assert (second.status_code, second.json()["code"]) == (412, "goal-modified")
    shown = client.get(f"{URL}/coffee").json()
    assert (shown["target"], shown["name"], shown["version"]) == (120, "Coffee", 2)
    assert client.delete(f"{URL}/coffee", headers={"If-Match": read}).status_code == 412
    assert client.patch(f"{URL}/coffee", json={"name": "Beans"}, headers={"If-Match": '"v2"'}).status_code == 200


def test_a_change_is_validated_with_what_it_leaves(client: TestClient) -> None:
    set_goal(client, target=10.5)

    refused = client.patch(f"{URL}/coffee", json={"measure": "revenue"})
    moved = client.patch(f"{URL}/coffee", json={"period": {"quarter": "2024-Q2"}, "timezone": "Europe/Berlin"})

    assert (refused.status_code, refused.json()["code"]) == (422, "request-invalid")
    assert (moved.json()["ends_on"], moved.json()["timezone"]) == ("2024-06-30", "Europe/Berlin")
    assert client.patch(f"{URL}/coffee", json={"timezone": None}).json()["timezone"] == "UTC"
    assert client.patch(f"{URL}/tea", json={"target": 1}).json()["code"] == "unknown-goal"


def test_a_change_that_changes_nothing_is_no_version(client: TestClient) -> None:
    set_goal(client)

    answer = client.patch(f"{URL}/coffee", json={"target": COFFEE["target"], "scope": COFFEE["scope"]})

    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    assert len(client.get(f"{URL}/coffee/history").json()["items"]) == 1


def test_every_change_is_in_the_history(client: TestClient) -> None:
    set_goal(client)
    client.patch(f"{URL}/coffee", json={"target": 120})
    client.delete(f"{URL}/coffee")

    entries = client.get(f"{URL}/coffee/history").json()["items"]

    assert [entry["version"] for entry in entries] == [3, 2, 1]
    targets = [(entry["before"] or {}).get("target") for entry in entries]
    assert targets == [120, 100, None]
    assert [(entry["after"] or {}).get("target") for entry in entries] == [None, 120, 100]
    assert {entry["changed_by"] for entry in entries} != {""}
    assert client.get(f"{URL}/coffee").status_code == 404
    set_goal(client)
    assert client.get(f"{URL}/coffee").json()["version"] == 4
    assert client.get(f"{URL}/tea/history").json()["code"] == "unknown-goal"


def test_a_poller_that_has_the_answer_gets_304(client: TestClient) -> None:
    set_goal(client)

    for path in (URL, f"{URL}/coffee"):
        etag = client.get(path).headers["ETag"]
        assert client.get(path, headers={"If-None-Match": etag}).status_code == 304


def test_there_are_at_most_a_hundred_goals(client: TestClient) -> None:
    for number in range(MAX_GOALS):
        set_goal(client, goal_id=f"g-{number}")

    answer = client.post(URL, json={**COFFEE, "goal_id": "one-more"})

    assert (answer.status_code, answer.json()["code"]) == (409, "too-many-goals")
    client.delete(f"{URL}/g-0")
    set_goal(client, goal_id="one-more")


def test_a_goal_that_is_set_before_the_first_training_counts_once_there_is_one(
    settings: Settings, artifacts_dir: Path, sold_registry: Path
) -> None:
    shutil.rmtree(artifacts_dir)
    artifacts_dir.mkdir()
    with running(settings, make_key(settings.database_url, "admin")) as client:
        client.post("/v1/products", json=[{"product_id": "beans", "name": "Beans", "line": "coffee"}])
        set_goal(client, measure="revenue", target=9_000)
        sell(client, "o-1", "2024-03-01", line("beans", 1, 500), currency="EUR")
        assert client.get(f"{URL}/coffee").json()["code"] == "nothing-learned"
        shutil.copytree(sold_registry, artifacts_dir, dirs_exist_ok=True)

        wait_until(lambda: client.get(f"{URL}/coffee").json().get("currency") == "EUR")

        assert progress(client)["booked"] == 500


def test_of_many_that_make_the_same_goal_at_once_the_first_makes_it(client: TestClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post(URL, json=COFFEE), range(8)))

    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 7]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"goal-exists"}


def test_of_many_that_change_a_goal_at_once_no_change_is_lost(client: TestClient) -> None:
    set_goal(client)

    def change(number: int) -> int:
        return client.patch(f"{URL}/coffee", json={"target": 200 + number}).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(change, range(8)))

    versions = client.get(f"{URL}/coffee/history").json()["items"]
    assert statuses == [200] * 8
    assert [version["version"] for version in versions] == list(range(9, 0, -1))
    assert {version["after"]["target"] for version in versions[:-1]} == set(range(200, 208))
