"""Segments that callers define: their current members and their figures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore
from tests.service.conftest import make_key, make_settings, running
from tests.service.sync.conftest import order, post
from tests.sold import AS_OF_DAY, sold_content, write_sold

URL = "/v1/segments"
TIER_A = {"field": "revenue_tier", "op": "eq", "value": "A"}
PUBLIC = {"attribute": "sector", "op": "eq", "value": "public"}
KETTLE = {"owns": {"products": ["kettle"]}}


@pytest.fixture
def client(database_url: str, artifacts_dir: Path, version: str) -> Iterator[TestClient]:
    """An admin's client, over each database."""
    with running(make_settings(database_url, artifacts_dir), make_key(database_url, "admin")) as made:
        yield made


def define(client: TestClient, rule: Any, name: str = "Mine") -> Any:
    answer = client.post(URL, json={"name": name, "rule": rule})
    assert answer.status_code == 201, answer.text
    return answer.json()


def accounts_of(client: TestClient, segment_id: str) -> list[str]:
    items = client.get(f"{URL}/{segment_id}/accounts", params={"limit": 500}).json()["items"]
    return [item["account_id"] for item in items]


def test_a_segment_of_a_rule_is_measured_as_any_other(client: TestClient) -> None:
    made = define(client, TIER_A, "Our largest")

    assert made["segment_id"] == "custom.our-largest"
    assert made["definition"]["rule"] == TIER_A
    detail = client.get(f"{URL}/custom.our-largest").json()
    built_in = client.get(f"{URL}/revenue-tier.a").json()
    assert made.pop("sequence") >= 1
    assert {**made, "definition": None} == {**detail, "definition": None}
    same = ("size", "revenue_minor", "orders", "retention", "churn_risk", "value_ahead", "penetration")
    assert {name: detail[name] for name in same} == {name: built_in[name] for name in same}
    series = [
        client.get(f"{URL}/{segment_id}/metrics").json()["periods"]
        for segment_id in ("custom.our-largest", "revenue-tier.a")
    ]
    assert series[0] == series[1]
    assert accounts_of(client, "custom.our-largest") == accounts_of(client, "revenue-tier.a")
    assert "custom.our-largest" in [item["segment_id"] for item in client.get(URL).json()["items"]]


def test_an_account_is_placed_anew_when_its_facts_change(client: TestClient) -> None:
    client.post("/v1/accounts", json=[{"account_id": "a2", "attributes": {"sector": "private"}}])
    define(client, PUBLIC)
    before = client.get(f"{URL}/custom.mine")

    client.post("/v1/accounts", json=[{"account_id": "a1", "attributes": {"sector": "public"}}])
    client.post("/v1/accounts", json=[{"account_id": "new", "attributes": {"sector": "public"}}])

    assert accounts_of(client, "custom.mine") == ["a1", "new"]
    after = client.get(f"{URL}/custom.mine", headers={"If-None-Match": before.headers["etag"]})
    assert after.json()["size"] == 2
    assert {"segment_id": "custom.mine", "name": "Mine", "since": None} in client.get("/v1/accounts/new").json()[
        "segments"
    ]
    client.post("/v1/accounts", json=[{"account_id": account_id, "attributes": {}} for account_id in ("a1", "new")])
    assert accounts_of(client, "custom.mine") == []


def test_an_account_is_placed_anew_when_it_buys(client: TestClient) -> None:
    define(client, KETTLE)
    before = accounts_of(client, "custom.mine")

    post(client, order("o1", "a0", "kettle"), order("o2", "newcomer", "kettle"))

    assert "a0" not in before
    assert set(accounts_of(client, "custom.mine")) == {*before, "a0", "newcomer"}


def test_what_is_declared_strategic_is_a_segment_at_once(client: TestClient) -> None:
    client.post("/v1/accounts", json=[{"account_id": "a7", "is_strategic": True}])

    assert accounts_of(client, "strategic.accounts") == ["a7"]
    assert client.get("/v1/accounts/a7").json()["is_strategic"] is True
    assert "strategic.accounts" in [
        segment["segment_id"] for segment in client.get("/v1/accounts/a7").json()["segments"]
    ]


def test_a_rule_can_be_tried_out(client: TestClient) -> None:
    client.post("/v1/accounts", json=[{"account_id": "a3", "attributes": {"sector": "public"}}])

    seen = client.post(f"{URL}/preview", json={"rule": {"any": [PUBLIC, TIER_A]}}).json()

    tier = set(accounts_of(client, "revenue-tier.a")) | {"a3"}
    assert seen["accounts"] == len(tier)
    assert set(seen["examples"]) <= tier
    assert client.get(f"{URL}/custom.preview").status_code == 404


def test_a_segment_can_be_defined_anew_and_deleted(client: TestClient) -> None:
    define(client, TIER_A)

    changed = client.put(f"{URL}/custom.mine", json={"name": "Yours", "rule": {"not": TIER_A}}).json()

    assert changed["name"] == "Yours"
    assert changed["size"] == 60 - client.get(f"{URL}/revenue-tier.a").json()["size"]
    assert {**client.get(f"{URL}/custom.mine").json(), "sequence": changed["sequence"]} == changed
    assert client.delete(f"{URL}/custom.mine").status_code == 200
    assert client.get(f"{URL}/custom.mine").status_code == 404
    assert client.delete(f"{URL}/custom.mine").status_code == 404


def test_a_segment_outlives_the_service_and_the_artifact(
    client: TestClient, database_url: str, artifacts_dir: Path
) -> None:
    client.post("/v1/accounts", json=[{"account_id": "late", "attributes": {"sector": "private"}}])
    define(client, {"any": [PUBLIC, KETTLE]})
    client.post("/v1/accounts", json=[{"account_id": "late", "attributes": {"sector": "public"}}])
    expected = accounts_of(client, "custom.mine")
    ArtifactStore(artifacts_dir, smoke_test).activate(write_sold(artifacts_dir, AS_OF_DAY - 90))

    with running(make_settings(database_url, artifacts_dir), make_key(database_url, "admin")) as another:
        assert set(accounts_of(another, "custom.mine")) == set(expected)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "", {"name": "Mine", "rule": TIER_A}, 409, "segment-exists"),
        ("POST", "", {"name": "x", "slug": "Not One", "rule": TIER_A}, 422, "request-invalid"),
        ("POST", "", {"name": "x", "rule": {"field": "x", "op": "eq", "value": 1}}, 422, "request-invalid"),
        ("PUT", "/custom.nobody", {"name": "x", "rule": TIER_A}, 404, "unknown-segment"),
        ("PUT", "/nobody", {"name": "x", "rule": TIER_A}, 404, "unknown-segment"),
        ("DELETE", "/nobody", None, 404, "unknown-segment"),
        ("PUT", "/rfm.lost", {"name": "x", "rule": TIER_A}, 409, "built-in-segment"),
        ("DELETE", "/rfm.lost", None, 409, "built-in-segment"),
        ("POST", "/preview", {"rule": {"all": []}}, 422, "request-invalid"),
    ],
)
def test_an_invalid_definition_is_refused(
    client: TestClient, method: str, path: str, body: Any, status: int, code: str
) -> None:
    define(client, TIER_A)

    answer = client.request(method, URL + path, json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_one_definition_counts_once_under_a_key(client: TestClient) -> None:
    body = {"name": "Once", "rule": TIER_A}

    answers = [client.post(URL, json=body, headers={"Idempotency-Key": "k1"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


def test_the_test_data_has_accounts_in_the_top_revenue_tier() -> None:
    assert (sold_content().segments.codes[:, 2] == 0).any()
