"""An objection to marketing empties offers at once, and holds whatever else changes."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from service.base.settings import Settings
from service.offers.smoke import smoke_test
from service.sync.artifact_store import ArtifactStore
from tests.artifacts import World, write_world
from tests.service.conftest import make_key, running, wait_until
from tests.service.sync.conftest import URL, offered, order, post
from tests.service.sync.test_live import Another


def say(client: TestClient, account_id: str, marketing: str) -> int:
    answer = client.put(f"/v1/accounts/{account_id}/consent", json={"marketing": marketing, "origin": "phone"})
    assert answer.status_code == 200, answer.text
    return int(answer.headers["X-Sequence"])


def test_after_an_objection_there_are_no_offers_by_any_route(client: TestClient) -> None:
    assert offered(client, "ann")

    say(client, "ann", "objected")

    by_get = client.get(f"{URL}/ann?limit=4").json()
    by_basket = client.post(URL, json={"account_id": "ann", "basket": ["beans"]}).json()
    by_batch = client.post(f"{URL}/batch", json={"account_ids": ["ann", "bob"]}).json()["items"]
    assert (by_get["offers"], by_get["source"]) == ([], "none")
    assert by_get["withheld"] == {"objected-to-marketing": 4}
    assert by_basket["offers"] == by_batch[0]["offers"] == []
    assert by_batch[1]["offers"]
    assert client.post(URL, json={"basket": ["beans"]}).json()["offers"]


def test_granting_again_brings_the_offers_back(client: TestClient) -> None:
    before = offered(client, "ann")

    say(client, "ann", "objected")
    say(client, "ann", "granted")

    assert offered(client, "ann") == before


def test_an_objection_reaches_other_applications_and_survives_restarts_and_new_artifacts(
    client: TestClient, another: Another, artifacts_dir: Path, world: World
) -> None:
    with another() as other:
        sequence = say(client, "ann", "objected")
        wait_until(lambda: offered(other, "ann") == [])
    newer = write_world(artifacts_dir, world, as_of="2024-03-01T00:00:00Z", sequence=sequence)
    ArtifactStore(artifacts_dir, smoke_test).activate(newer)
    wait_until(lambda: client.get(f"{URL}/ann").json()["artifact_version"] == newer)

    assert offered(client, "ann") == []
    with another() as restarted:
        assert offered(restarted, "ann") == []


def test_an_account_that_nobody_has_named_may_object(client: TestClient) -> None:
    before = client.get("/v1/accounts/stranger/consent").json()

    say(client, "stranger", "objected")
    post(client, order("o-1", "stranger", "beans"))

    after = client.get("/v1/accounts/stranger/consent").json()
    assert (before["marketing"], before["updated_at"]) == ("not-asked", None)
    assert (after["marketing"], after["origin"]) == ("objected", "phone")
    assert client.get("/v1/accounts/stranger").json()["marketing"] == "objected"
    assert offered(client, "stranger") == []


def test_an_identifier_with_a_slash_or_an_umlaut_may_object(client: TestClient) -> None:
    for account_id in ("a/b", "Müller & Söhne", "consent"):
        say(client, account_id, "objected")
        assert client.get(f"/v1/accounts/{account_id}/consent").json()["account_id"] == account_id


@pytest.mark.parametrize(
    "body", [{}, {"marketing": "maybe"}, {"marketing": None}, {"marketing": "granted", "x": 1}, [], "objected"]
)
def test_what_is_no_consent_is_refused_and_changes_nothing(client: TestClient, body: object) -> None:
    answer = client.put("/v1/accounts/ann/consent", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
    assert client.get("/v1/accounts/ann/consent").json()["marketing"] == "not-asked"


def test_only_a_key_that_writes_may_note_it(settings: Settings, version: str) -> None:
    with running(settings, make_key(settings.database_url, "read,recommend")) as client:
        answer = client.put("/v1/accounts/ann/consent", json={"marketing": "objected"})

    assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")
