"""Recommendations over HTTP."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from service.accounts.tables import Account
from service.auth.key_ring import KeyRing
from service.base.settings import Settings
from service.catalogue.tables import Product
from service.offers.schemas import RecommendationAnswer
from service.offers.smoke import smoke_test
from service.orders.tables import Order, OrderLine
from service.storage.database import create_database_engine
from service.storage.sessions import ReadSessions
from service.sync.artifact_store import ArtifactStore
from tests.artifacts import coffee_world, write_world
from tests.service.conftest import NOON, make_key, make_settings, part_of, running, wait_until

URL = "/v1/recommendations"


@pytest.fixture(scope="module")
def client(shared_client: TestClient) -> TestClient:
    """One application for all that only ask."""
    return shared_client


def product_ids(answer: Any) -> list[str]:
    """The offered products in order."""
    return [offer["product_id"] for offer in answer["offers"]]


def test_an_account_gets_a_complete_answer(client: TestClient, version: str) -> None:
    answer = client.get(f"{URL}/ann?limit=2")

    body = answer.json()
    assert answer.status_code == 200
    assert {name: body[name] for name in body if name not in ("decision_id", "offers")} == {
        "account_id": "ann",
        "account_known": True,
        "generated_at": "2024-03-01T12:00:00Z",
        "artifact_version": version,
        "sequence": 0,
        "source": "personalized",
        "strategy": "relevance",
        "is_control": False,
        "degraded": False,
        "no_offer": None,
        "considered": None,
        "withheld": {},
        "withheld_by_policy": {},
        "unknown_products": [],
        "unknown_filters": {},
    }
    assert body["offers"][1] == {
        "rank": 2,
        "product_id": "grinder-pro",
        "name": "Electric grinder",
        "source": "personalized",
        "relation": None,
        "source_product_id": "grinder",
        "score": 0.75,
        "price_minor": 19900,
        "currency": "EUR",
        "reasons": [
            {
                "code": "bought-with-owned",
                "text": "Bought by 8 customers who have Hand grinder.",
                "product_ids": ["grinder"],
            }
        ],
        "attributes": {},
        "valid_until": "2024-03-08T12:00:00Z",
        "arbitration": None,
    }
    RecommendationAnswer.model_validate_json(answer.content, strict=True)


def test_three_offers_unless_asked_otherwise(client: TestClient) -> None:
    assert len(client.get(f"{URL}/ann").json()["offers"]) == 3
    assert len(client.post(URL, json={"account_id": "ann"}).json()["offers"]) == 3


def test_both_ways_of_asking_for_an_account_agree(client: TestClient) -> None:
    by_path = client.get(f"{URL}/ann?limit=7").json()
    by_body = client.post(URL, json={"account_id": "ann", "limit": 7}).json()

    assert by_path.pop("decision_id") != by_body.pop("decision_id")
    assert by_path == by_body


def test_a_decision_id_is_a_time_ordered_uuid(client: TestClient) -> None:
    identifier = UUID(client.get(f"{URL}/ann").json()["decision_id"])

    assert identifier.version == 7
    assert identifier.variant == "specified in RFC 4122"
    assert identifier.int >> 80 == int(NOON.timestamp() * 1000)


def test_an_unknown_account_gets_a_labelled_fallback(client: TestClient) -> None:
    body = client.get(f"{URL}/stranger").json()

    assert (body["account_known"], body["source"], body["degraded"]) == (False, "popular", False)
    assert product_ids(body) == ["milk", "beans", "filter"]


@pytest.mark.parametrize("basket", [[], ["unheard-of"]])
def test_a_basket_that_says_nothing_gets_a_labelled_fallback(client: TestClient, basket: list[str]) -> None:
    body = client.post(URL, json={"basket": basket}).json()

    assert (body["account_id"], body["account_known"], body["source"]) == (None, None, "popular")
    assert len(body["offers"]) == 3


def test_a_basket_needs_no_account(client: TestClient) -> None:
    body = client.post(URL, json={"basket": ["beans", "unheard-of"], "placement": "checkout"}).json()

    assert body["source"] == "basket"
    assert product_ids(body) == ["filter", "grinder", "milk"]
    assert {reason["code"] for offer in body["offers"] for reason in offer["reasons"]} == {"goes-with-basket"}


def test_exclusions_do_not_shorten_the_list(client: TestClient) -> None:
    first = product_ids(client.post(URL, json={"account_id": "ann", "limit": 3}).json())

    second = product_ids(client.post(URL, json={"account_id": "ann", "limit": 3, "exclude": first}).json())

    assert len(second) == 3
    assert not set(first) & set(second)


def test_when_everything_is_excluded_the_list_is_empty_but_the_answer_stands(client: TestClient) -> None:
    everything = [product.product_id for product in coffee_world().products]

    answer = client.post(URL, json={"account_id": "ann", "exclude": everything})

    assert answer.status_code == 200
    assert answer.json()["offers"] == []


def test_account_ids_of_any_script_are_echoed(client: TestClient) -> None:
    body = client.get(f"{URL}/Größe 3 % é 💎").json()

    assert body["account_id"] == "Größe 3 % é 💎"


def deep(depth: int) -> bytes:
    return b'{"context":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "no object": b"[]",
    "not JSON": b"{",
    "invalid UTF-8": b'{"account_id":"\xff\xfe"}',
    "a lone surrogate": b'{"account_id":"\\ud800"}',
    "a lone surrogate as a key": b'{"\\udfff":1}',
    "an unknown key": b'{"acount_id":"ann"}',
    "an unknown key with a NUL": b'{"a\\u0000b":1}',
    "NaN": b'{"limit":NaN}',
    "NaN in the context": b'{"context":{"a":NaN}}',
    "infinity in the context": b'{"context":{"a":1e999}}',
    "a huge integer": b'{"context":{"a":' + b"9" * 5000 + b"}}",
    "a huge limit": b'{"limit":99999999999999999999}',
    "a limit of zero": b'{"limit":0}',
    "a limit above fifty": b'{"limit":51}',
    "a fraction": b'{"limit":2.5}',
    "a limit as text": b'{"limit":"3"}',
    "true as a limit": b'{"limit":true}',
    "a nested context": b'{"context":{"a":{"b":1}}}',
    "deep JSON": deep(100_000),
    "deep arrays": b"[" * 500_000,
    "a list of ten thousand": json.dumps({"basket": ["x"] * 10_000}).encode(),
    "too many exclusions": json.dumps({"exclude": ["x"] * 1001}).encode(),
    "a basket of 201": json.dumps({"basket": ["x"] * 201}).encode(),
    "an empty identifier": b'{"basket":[""]}',
    "an identifier of 201": json.dumps({"account_id": "x" * 201}).encode(),
    "a number as an identifier": b'{"account_id":1}',
    "null in a basket": b'{"basket":[null]}',
    "a context of 33": json.dumps({"context": {str(i): i for i in range(33)}}).encode(),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bodies_are_refused_with_their_mistakes(client: TestClient, body: bytes) -> None:
    answer = client.post(URL, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "request-invalid"
    assert 1 <= len(answer.json()["errors"]) <= 50
    assert answer.json()["errors"][0]["loc"][0] == "body"


@pytest.mark.parametrize(
    "body",
    [
        {"account_id": "a\x00b"},
        {"account_id": "ann", "basket": ["x" * 200] * 200, "exclude": ["y" * 200] * 1000},
        {"basket": ["\U0010ffff" * 200], "context": {"stage": "cart", "n": 2**53, "x": -0.0, "ok": True, "no": None}},
    ],
)
def test_odd_but_valid_bodies_are_answered(client: TestClient, body: dict[str, object]) -> None:
    assert client.post(URL, json=body).status_code == 200


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=51", "limit=x", "limit=", "limit=1e1", "limit=9" + "9" * 5000, "limit=%00", "limit=nan"]
)
def test_a_bad_limit_is_refused(client: TestClient, query: str) -> None:
    answer = client.get(f"{URL}/ann?{query}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["query", "limit"]


def test_a_thousand_parameters_do_no_harm(client: TestClient) -> None:
    query = "&".join(f"p{n}={n}" for n in range(1000))

    answer = client.get(f"{URL}/ann?{query}&limit=1")

    assert answer.status_code == 422
    assert len(answer.content) < 20_000, "errors are bounded"


def test_an_account_in_the_path_is_never_taken_from_the_query(client: TestClient) -> None:
    answer = client.get(f"{URL}/ann?account_id=bob")

    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["query", "account_id"])


def test_an_endless_account_id_is_refused(client: TestClient) -> None:
    answer = client.get(f"{URL}/{'x' * 201}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["path", "account_id"]


def test_another_media_type_is_refused(client: TestClient) -> None:
    answer = client.post(URL, content=b"limit=3", headers={"Content-Type": "application/x-www-form-urlencoded"})

    assert (answer.status_code, answer.json()["code"]) == (415, "media-type-unsupported")


def test_a_body_of_more_than_two_megabytes_is_refused(client: TestClient) -> None:
    answer = client.post(URL, content=b" " * (2 * 1024 * 1024 + 1))

    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


def test_telemetry_tells_sources_and_what_was_withheld(settings: Settings, version: str) -> None:
    with running(settings, make_key(settings.database_url, "admin")) as client:
        client.post(URL, json={"account_id": "ann", "exclude": ["filter"]})
        client.get(f"{URL}/stranger")

        metrics = client.get("/metrics").text

    assert 'nextoffer_answers_total{source="personalized"} 1.0' in metrics
    assert 'nextoffer_answers_total{source="popular"} 1.0' in metrics
    assert 'nextoffer_withheld_candidates_total{reason="excluded"} 1.0' in metrics
    assert 'nextoffer_withheld_candidates_total{reason="inactive"} 1.0' in metrics


@pytest.fixture
def bare_client(database_url: str, artifacts_dir: Path) -> Iterator[TestClient]:
    """An application without an artifact, on each database."""
    with running(make_settings(database_url, artifacts_dir), make_key(database_url, "admin")) as client:
        yield client


def sell(
    database_url: str, sales: dict[str, int], *, sold_at: datetime, prefix: str = "o", quantity: float = 1
) -> None:
    """Store so many orders of each product; ``gone`` is no longer sold."""
    engine = create_database_engine(database_url)
    with Session(engine) as session, session.begin():
        session.merge(Account(account_id="a", attributes={}, is_stub=True, updated_at=sold_at))
        for product_id in sales:
            session.merge(
                Product(
                    product_id=product_id,
                    name=product_id.title(),
                    is_active=product_id != "gone",
                    attributes={},
                    is_stub=False,
                    updated_at=sold_at,
                )
            )
        session.flush()
        for product_id, n_orders in sales.items():
            for n in range(n_orders):
                order_id = f"{prefix}-{product_id}-{n}"
                session.add(Order(order_id=order_id, account_id="a", ordered_at=sold_at, is_cancelled=False))
                session.flush()
                session.add(OrderLine(order_id=order_id, product_id=product_id, ordinal=0, quantity=quantity))
    engine.dispose()


def test_without_an_artifact_popular_products_are_offered_and_said_to_be_degraded(
    database_url: str, artifacts_dir: Path
) -> None:
    sell(database_url, {"cup": 2, "pot": 3, "gone": 5, "jar": 1}, sold_at=datetime(2024, 2, 1, tzinfo=UTC))
    sell(database_url, {"jar": 9}, sold_at=datetime(2023, 2, 1, tzinfo=UTC), prefix="too-long-ago")
    sell(database_url, {"jar": 9}, sold_at=datetime(2024, 2, 1, tzinfo=UTC), prefix="returned", quantity=-1)

    with running(make_settings(database_url, artifacts_dir), make_key(database_url, "admin")) as client:
        body = client.post(URL, json={"account_id": "a", "basket": ["cup"]}).json()
        # A database that answers slowly, as on a busy machine, is failing until it is asked again.
        wait_until(lambda: client.get("/readyz").json()["checks"][0]["state"] == "ok")
        ready = client.get("/readyz")

    assert (body["degraded"], body["source"], body["artifact_version"]) == (True, "popular", None)
    assert (body["account_known"], product_ids(body)) == (False, ["pot", "jar"])
    assert body["offers"][0]["score"] == 3
    assert ready.status_code == 503
    assert [check["state"] for check in ready.json()["checks"]] == ["ok", "failing", "degraded"]


def test_a_catalogue_without_sales_is_offered_rather_than_nothing(database_url: str, artifacts_dir: Path) -> None:
    sell(database_url, {"cup": 0}, sold_at=NOON)

    with running(make_settings(database_url, artifacts_dir), make_key(database_url, "admin")) as client:
        body = client.get(f"{URL}/a").json()

    assert (product_ids(body), body["degraded"]) == (["cup"], True)


def test_an_empty_installation_says_what_to_do(bare_client: TestClient) -> None:
    answer = bare_client.get(f"{URL}/ann")

    assert answer.status_code == 503
    assert answer.json()["code"] == "nothing-to-offer"
    assert "import products and orders" in answer.json()["detail"]
    assert answer.headers["retry-after"] == "5"


def test_with_the_database_gone_recommendations_go_on_and_say_degraded(
    settings: Settings, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(settings.database_url, "admin")
    with running(settings, key) as client:
        monkeypatch.setattr(part_of(client, KeyRing), "_stale_after_seconds", 0.3)
        part_of(client, ReadSessions).factory.kw["bind"].dispose()
        Path(settings.database_url.removeprefix("sqlite:///")).write_bytes(b"no database any more")

        wait_until(lambda: client.get("/readyz").json()["status"] == "degraded")
        account = client.get(f"{URL}/ann").json()
        basket = client.post(URL, json={"basket": ["beans"]}).json()

    assert (account["degraded"], account["source"], account["artifact_version"]) == (True, "personalized", version)
    assert (basket["degraded"], basket["source"]) == (True, "basket")


def test_no_request_touches_the_database(settings: Settings, version: str) -> None:
    patient = settings.model_copy(update={"key_refresh_seconds": 600.0, "artifact_poll_seconds": 600.0})
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        # The follower of changes and the decision log ask in threads of their own.
        if not threading.current_thread().name.startswith("nextoffer-"):
            statements.append(arguments[2])

    with running(patient, make_key(settings.database_url, "admin")) as client:
        client.get(f"{URL}/ann")
        event.listen(part_of(client, ReadSessions).factory.kw["bind"], "before_cursor_execute", note)
        answers = [client.get(f"{URL}/ann"), client.post(URL, json={"basket": ["beans"]})]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert statements == []


def test_data_that_arrives_before_the_first_training_is_soon_offered(
    sqlite_url: str, artifacts_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.sync.artifact_holder.MIN_FALLBACK_PAUSE_SECONDS", 0.05)
    with running(make_settings(sqlite_url, artifacts_dir), make_key(sqlite_url, "admin")) as client:
        sell(sqlite_url, {"cup": 1}, sold_at=NOON)

        wait_until(lambda: client.get(f"{URL}/a").status_code == 200)
        version = write_world(artifacts_dir, coffee_world())
        ArtifactStore(artifacts_dir, smoke_test).activate(version)
        wait_until(lambda: client.get(f"{URL}/ann").json()["artifact_version"] == version)

        assert client.get(f"{URL}/ann").json()["degraded"] is False
