"""Goals and pain points of accounts: stored with where they are known from, and shown in the profile."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.accounts.notes import MAX_NOTES
from tests.service.conftest import NOON, make_key, make_settings, running
from tests.service.imports.support import results

URL = "/v1/accounts/A/notes"
NOTE = {
    "kind": "pain_point",
    "text": "Deliveries come late.",
    "source": "call",
    "noted_at": "2024-02-28T10:30:00+01:00",
    "noted_by": "K. Meier",
    "valid_until": "2024-03-01",
}


@pytest.fixture
def stored(api: TestClient) -> TestClient:
    """A client of an application that knows the account A."""
    results(api, "/v1/accounts", [{"account_id": "A"}, {"account_id": "B"}])
    return api


def add(client: TestClient, url: str = URL, **fields: Any) -> Any:
    answer = client.post(url, json={**NOTE, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def shown(client: TestClient, account_id: str = "A") -> list[str]:
    return [note["text"] for note in client.get(f"/v1/accounts/{account_id}").json()["notes"]]


def test_a_note_is_in_the_profile_with_its_provenance_until_it_is_deleted(stored: TestClient) -> None:
    assert shown(stored) == []

    made = add(stored)
    listed, profile = stored.get(URL).json(), stored.get("/v1/accounts/A").json()
    deleted = stored.delete(f"{URL}/{made['note_id']}")

    assert set(made) == {"account_id", "note_id", "sequence"}
    expected = {**NOTE, "note_id": made["note_id"], "noted_at": "2024-02-28T09:30:00Z"}
    assert (listed["items"], listed["next_cursor"], profile["notes"]) == ([expected], None, [expected])
    assert deleted.status_code == 200
    assert shown(stored) == stored.get(URL).json()["items"] == []


def test_only_kind_and_text_are_needed_and_the_newest_comes_first(stored: TestClient) -> None:
    add(stored)
    answer = stored.post(URL, json={"kind": "goal", "text": "  Open a second plant. ", "noted_by": " ", "source": None})

    newest, _ = stored.get(URL).json()["items"]

    assert answer.status_code == 201
    assert (newest["kind"], newest["text"]) == ("goal", "Open a second plant.")
    assert datetime.fromisoformat(newest["noted_at"]) == NOON
    assert [newest[name] for name in ("source", "noted_by", "valid_until")] == [None, None, None]


def test_what_is_valid_no_more_leaves_the_profile_but_not_the_list(database_url: str, artifacts_dir: Path) -> None:
    settings, key, now = make_settings(database_url, artifacts_dir), make_key(database_url, "read,write"), [NOON]

    with running(settings, key, now=lambda: now[0]) as client:
        results(client, "/v1/accounts", [{"account_id": "A"}])
        add(client)
        today = shown(client)
        now[0] += timedelta(days=1)
        tomorrow = shown(client)
        listed = client.get(URL).json()["items"]

    assert (today, tomorrow, len(listed)) == (["Deliveries come late."], [], 1)


@pytest.mark.parametrize(
    ("fields", "name", "part"),
    [
        ({"kind": "wish"}, "kind", "'goal' or 'pain_point'"),
        ({"text": " "}, "text", "is empty"),
        ({"text": None}, "text", "empty"),
        ({"text": "x" * 1001}, "text", "longer than 1000"),
        ({"text": "a\0b"}, "text", "NUL"),
        ({"source": "x" * 201}, "source", "longer than 200"),
        ({"noted_by": "x" * 201}, "noted_by", "longer than 200"),
        ({"noted_at": "soon"}, "noted_at", ""),
        ({"noted_at": "2024-03-03T00:00:00Z"}, "noted_at", "in the future"),
        ({"valid_until": "2024-13-01"}, "valid_until", ""),
        ({"author": "me"}, "author", "Extra"),
    ],
)
def test_what_is_no_note_is_refused_with_field_and_reason(
    stored: TestClient, fields: dict[str, Any], name: str, part: str
) -> None:
    answer = stored.post(URL, json={**NOTE, **fields})

    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
    assert name in answer.json()["errors"][0]["loc"]
    assert part in answer.text
    assert stored.get(URL).json()["items"] == []


def test_unknown_accounts_and_notes_are_not_found(stored: TestClient) -> None:
    made = add(stored)

    unknown = stored.post("/v1/accounts/nobody/notes", json=NOTE)
    of_another = stored.delete(f"/v1/accounts/B/notes/{made['note_id']}")

    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-account")
    assert (of_another.status_code, of_another.json()["code"]) == (404, "unknown-note")
    assert len(stored.get(URL).json()["items"]) == 1
    assert stored.get("/v1/accounts/nobody/notes").json()["items"] == []


def test_an_identifier_with_slashes_has_notes_and_no_path_of_a_note_is_an_account(stored: TestClient) -> None:
    results(stored, "/v1/accounts", [{"account_id": "A/b"}, {"account_id": "A/notes"}])
    made = add(stored, "/v1/accounts/A%2Fb/notes")

    paths = ["/v1/accounts/A%2Fnotes", f"/v1/accounts/A/notes/{made['note_id']}"]

    assert shown(stored, "A%2Fb") == ["Deliveries come late."]
    assert [stored.delete(path).status_code for path in paths] == [405, 404]


def test_the_number_of_notes_is_bounded_also_for_writers_at_once(stored: TestClient) -> None:
    for _ in range(MAX_NOTES - 3):
        add(stored)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: stored.post(URL, json=NOTE), range(8)))

    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"too-many-notes"}
    assert len(stored.get(URL).json()["items"]) == MAX_NOTES


def test_a_repeated_request_notes_once_and_its_answer_keeps_no_text(stored: TestClient) -> None:
    headers = {"Idempotency-Key": "once"}

    first, second = (stored.post(URL, json=NOTE, headers=headers) for _ in range(2))

    assert first.json()["note_id"] == second.json()["note_id"]
    assert len(stored.get(URL).json()["items"]) == 1
    assert "Deliveries" not in second.text
