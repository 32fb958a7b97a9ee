"""An erased account is gone: from the database, memory, every answer, and what artifacts show."""

import io
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from starlette.testclient import TestClient
from typer.testing import CliRunner

from service.base.settings import Settings
from service.cli import app as cli
from service.offers.smoke import smoke_test
from service.server.periodic_cleanup import PeriodicCleanup
from service.sync.artifact_store import ArtifactStore
from tests.artifacts import World, write_world
from tests.service.conftest import NOON, make_key, part_of, running, wait_until
from tests.service.erasure.conftest import PATH, PERSON, deal, order, settle, texts_in, write

Start = Callable[[], AbstractContextManager[TestClient]]
RECOMMEND = "/v1/recommendations/person%2F%C3%A9%20quillfeather"


def offers(client: TestClient, **body: Any) -> list[str]:
    answer = client.post("/v1/recommendations", json={"dry_run": True, "limit": 20, **body}).json()
    return [offer["product_id"] for offer in answer["offers"]]


def is_unknown(client: TestClient) -> bool:
    """Tell whether the person gets what anybody gets whom nobody knows."""
    answer = client.post("/v1/recommendations", json={"account_id": PERSON, "dry_run": True}).json()
    return answer["account_known"] is False and offers(client, account_id=PERSON) == offers(client, account_id="nobody")


def test_nothing_in_the_database_names_an_erased_account(client: TestClient, settings: Settings) -> None:
    settle(client)

    erased = write(client, "DELETE", PATH, None, **{"Idempotency-Key": "erase-1"})

    stored = texts_in(settings.database_url)
    assert PERSON not in stored
    assert "quillfeather" not in stored
    assert "Bonn" not in stored
    assert (erased["orders"], erased["deals"], erased["decisions"]) == (3, 3, 1)
    assert erased["sequence"] > 0


def test_an_erased_account_is_an_unknown_one_for_every_route(client: TestClient) -> None:
    decision = settle(client)
    assert client.get(PATH).status_code == 200

    write(client, "DELETE", PATH, None)

    assert is_unknown(client)
    assert client.get(PATH).json()["code"] == "unknown-account"
    assert client.get(f"/v1/decisions/{decision['decision_id']}").json()["code"] == "unknown-decision"
    assert client.get(f"{PATH}/decisions").json()["items"] == []
    assert client.get(f"{PATH}/consent").json()["marketing"] == "not-asked"
    assert client.get(f"/v1/deals?account_id={PATH.rpartition('/')[2]}").json()["items"] == []
    assert client.get("/v1/accounts/child").json()["parent_account_id"] is None
    segments = [item["segment_id"] for item in client.get("/v1/segments").json()["items"]]
    named = [client.get(f"/v1/segments/{segment_id}/accounts").text for segment_id in segments]
    named.append(client.get("/v1/accounts/do-not-pitch").text)
    assert not [answer for answer in named if "quillfeather" in answer]


@pytest.mark.parametrize("ending", ["consent", "decisions", "whitespace"])
def test_an_account_that_is_called_like_a_path_is_erased_by_the_body_of_a_request(
    client: TestClient, ending: str
) -> None:
    for account_id in ("x", f"x/{ending}"):
        write(client, "POST", "/v1/accounts", [{"account_id": account_id}])

    by_path = client.delete(f"/v1/accounts/x/{ending}")
    write(client, "POST", "/v1/erasures", {"account_id": f"x/{ending}"})

    assert by_path.status_code == 405
    assert [item["account_id"] for item in client.get("/v1/accounts?search=x").json()["items"]] == ["x"]
    assert client.post("/v1/erasures", json={"account_id": f"x/{ending}"}).json()["code"] == "unknown-account"


def test_the_body_of_a_request_says_what_becomes_of_the_orders(client: TestClient, settings: Settings) -> None:
    settle(client)

    erased = write(client, "POST", "/v1/erasures", {"account_id": PERSON, "orders": "delete"})

    assert erased["orders"] == 3
    assert owners(settings) == {"o2": "bob"}


def test_its_orders_stay_as_those_of_a_guest(client: TestClient, settings: Settings) -> None:
    settle(client)
    before = sales(settings)

    write(client, "DELETE", PATH, None)

    assert sales(settings) == before
    assert owners(settings) == {"deal:d2": None, "o1": None, "o2": "bob", "o3": None}


def test_its_orders_are_deleted_where_that_is_asked_for(client: TestClient, settings: Settings) -> None:
    settle(client)

    write(client, "DELETE", f"{PATH}?orders=delete", None)

    assert owners(settings) == {"o2": "bob"}
    assert sales(settings) == 500


def sales(settings: Settings) -> int:
    return int(query(settings, "SELECT SUM(amount_minor) FROM order_lines")[0][0])


def owners(settings: Settings) -> dict[str, str | None]:
    return dict(query(settings, "SELECT order_id, account_id FROM orders"))


def query(settings: Settings, statement: str) -> list[tuple[Any, ...]]:
    engine = create_engine(settings.database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        rows = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return rows


def test_the_second_erasure_finds_nothing_and_a_retried_one_is_answered_as_it_was(
    client: TestClient, artifacts_dir: Path, version: str
) -> None:
    settle(client)

    first = write(client, "DELETE", PATH, None, **{"Idempotency-Key": "k"})
    retried = write(client, "DELETE", PATH, None, **{"Idempotency-Key": "k"})
    second = write(client, "DELETE", PATH, None)
    unknown = client.delete("/v1/accounts/nobody")

    assert retried == first
    assert (second["orders"], second["artifacts"]) == (0, [version]), "the files of an artifact still name it"
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-account")


def test_only_an_admin_erases(client: TestClient, settings: Settings) -> None:
    write_key = make_key(settings.database_url, "write")

    answer = client.delete(PATH, headers={"Authorization": f"Bearer {write_key}"})

    assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")


def test_other_workers_and_a_restart_know_of_an_erasure(client: TestClient, start: Start) -> None:
    with start() as other:
        settle(client)
        wait_until(lambda: offers(client, account_id=PERSON) == offers(other, account_id=PERSON))
        assert not is_unknown(other)

        sequence = write(client, "DELETE", PATH, None)["sequence"]

        wait_until(lambda: is_unknown(other), 2)
        current = other.get(RECOMMEND, headers={"X-Min-Sequence": str(sequence)}).json()
        assert current["account_known"] is False
        assert other.get(PATH).status_code == 404
    with start() as restarted:
        assert is_unknown(restarted)
        assert restarted.get(PATH).status_code == 404


@pytest.mark.parametrize("sequence", [0, None])
def test_artifacts_from_before_hide_it_and_those_from_after_do_not(
    client: TestClient, artifacts_dir: Path, world: World, sequence: int | None
) -> None:
    settle(client)
    erased = write(client, "DELETE", PATH, None)
    store = ArtifactStore(artifacts_dir, smoke_test)
    before = write_world(artifacts_dir, world, as_of="2024-03-01T00:00:00Z", seed=2, sequence=sequence)
    after = write_world(artifacts_dir, world, as_of="2024-03-02T00:00:00Z", seed=3, sequence=erased["sequence"])

    client.post(f"/v1/artifacts/{before}/activate")
    hidden = is_unknown(client)
    client.post(f"/v1/artifacts/{after}/activate")
    shown = not is_unknown(client)
    client.post("/v1/artifacts/rollback")

    assert (hidden, shown) == (True, True)
    assert store.active_version() == before
    assert is_unknown(client)


def test_what_is_stored_again_is_a_new_account(client: TestClient, start: Start) -> None:
    settle(client)
    write(client, "DELETE", PATH, None)

    write(client, "POST", "/v1/orders", [order("o9", PERSON, "beans")])

    for app in (client, None):
        with start() as restarted:
            asked = app or restarted
            profile = asked.get(PATH).json()
            answer = asked.post("/v1/recommendations", json={"account_id": PERSON, "limit": 20, "dry_run": True}).json()
            offered = [offer["product_id"] for offer in answer["offers"]]
        assert [product["product_id"] for product in profile["owned"]] == ["beans"]
        assert profile["attributes"] == {}
        assert answer["account_known"] is True
        assert "beans" not in offered
        assert {"grinder", "kettle"} <= set(offered), "what the erased account owned is not owned by the new one"


WAYS_BACK: dict[str, Callable[[TestClient], Any]] = {
    "described": lambda client: write(client, "POST", "/v1/accounts", [{"account_id": PERSON}]),
    "order": lambda client: write(client, "POST", "/v1/orders", [order("o9", PERSON)]),
    "deal": lambda client: write(client, "POST", "/v1/deals", [deal("d9", PERSON)]),
}


@pytest.mark.parametrize("way", WAYS_BACK)
def test_an_objection_outlasts_the_erasure_until_the_account_grants(client: TestClient, start: Start, way: str) -> None:
    settle(client)
    write(client, "PUT", f"{PATH}/consent", {"marketing": "objected"})
    erased = write(client, "DELETE", PATH, None)

    WAYS_BACK[way](client)
    came_back = client.get(f"{PATH}/consent").json()["marketing"], offers(client, account_id=PERSON)
    with start() as restarted:
        after_restart = offers(restarted, account_id=PERSON)
    write(client, "PUT", f"{PATH}/consent", {"marketing": "granted"})

    assert erased["is_objection_kept"] is True
    assert came_back == ("objected", [])
    assert after_restart == []
    assert offers(client, account_id=PERSON)


def test_an_objection_outlasts_two_erasures_and_an_import_from_a_file(
    client: TestClient, settings: Settings, tmp_path: Path
) -> None:
    settle(client)
    write(client, "PUT", f"{PATH}/consent", {"marketing": "objected"})
    again = [write(client, "DELETE", PATH, None)["is_objection_kept"] for _ in range(2)]
    file = tmp_path / "orders.csv"
    file.write_text(f"order_id,account_id,product_id,ordered_at\no9,{PERSON},beans,2024-03-01\n")

    run(settings, "import", "orders", str(file))

    assert again == [True, True]
    wait_until(lambda: client.get(f"{PATH}/consent").json()["marketing"] == "objected")
    wait_until(lambda: offers(client, account_id=PERSON) == [])


def test_who_granted_before_an_erasure_does_not_object_after_it(client: TestClient) -> None:
    settle(client)

    erased = write(client, "DELETE", PATH, None)
    write(client, "POST", "/v1/orders", [order("o9", PERSON)])

    assert erased["is_objection_kept"] is False
    assert client.get(f"{PATH}/consent").json()["marketing"] == "not-asked"


def run(settings: Settings, *arguments: str) -> str:
    environment = {
        "NEXTOFFER_DATABASE_URL": settings.database_url,
        "NEXTOFFER_ARTIFACTS_DIR": str(settings.artifacts_dir),
        "COLUMNS": "200",
    }
    result = CliRunner().invoke(cli, arguments, env=environment, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_erases_while_a_service_runs(client: TestClient, settings: Settings, version: str) -> None:
    settle(client)

    said = run(settings, "erase", PERSON, "--delete-orders")

    assert "deals deleted: 3" in said
    assert version in said
    assert "quillfeather" not in said
    assert set(owners(settings)) == {"o2"}
    wait_until(lambda: is_unknown(client), 2)


def test_the_command_says_that_an_account_is_unknown(settings: Settings) -> None:
    with pytest.raises(Exception, match="nobody"):
        run(settings, "erase", "nobody")


def test_a_retried_write_from_before_does_not_bring_the_account_back(client: TestClient) -> None:
    body = [{"account_id": PERSON, "name": "P"}]
    write(client, "POST", "/v1/accounts", body, **{"Idempotency-Key": "k"})
    write(client, "DELETE", PATH, None)

    retried = client.post("/v1/accounts", json=body, headers={"Idempotency-Key": "k"})

    assert (retried.status_code, retried.headers["Idempotency-Replayed"]) == (200, "true")
    assert retried.json()["results"][0]["id"] == "erased"
    assert client.get(PATH).status_code == 404


def test_other_decisions_of_the_same_block_stay_as_they_were(client: TestClient) -> None:
    answers = [client.post("/v1/recommendations", json={"account_id": key}) for key in ("bob", PERSON, "dee")]
    bob, person, dee = (answer.json() for answer in answers)

    write(client, "DELETE", PATH, None)

    kept = [client.get(f"/v1/decisions/{decision['decision_id']}").json() for decision in (bob, dee)]
    assert [decision["answer"] for decision in kept] == [bob, dee]
    assert [decision["request"] for decision in kept] == [{"account_id": "bob"}, {"account_id": "dee"}]
    assert client.get(f"/v1/decisions/{person['decision_id']}").status_code == 404


def test_a_decision_that_another_worker_writes_too_late_is_swept(
    client: TestClient, settings: Settings, start: Start
) -> None:
    settle(client)
    with start() as other:
        slow = other.get(RECOMMEND).json()
        write(client, "DELETE", PATH, None)
    # Both happened at the same moment of the tests' clock, and the other worker wrote when it stopped.
    cleanup = part_of(client, PeriodicCleanup)
    cleanup._now = lambda: NOON + timedelta(hours=1)

    cleanup.delete_expired()

    assert slow["decision_id"]
    assert "quillfeather" not in texts_in(settings.database_url)


@pytest.mark.parametrize("is_command", [False, True])
def test_no_file_of_sqlite_names_an_erased_account(client: TestClient, settings: Settings, *, is_command: bool) -> None:
    if not settings.database_url.startswith("sqlite"):
        pytest.skip("PostgreSQL cleans up by VACUUM")
    settle(client)

    if is_command:
        run(settings, "erase", PERSON)
    else:
        write(client, "DELETE", PATH, None)
        cleanup = part_of(client, PeriodicCleanup)
        cleanup._now = lambda: NOON + timedelta(hours=1)
        cleanup.delete_expired()

    database = Path(settings.database_url.removeprefix("sqlite:///"))
    files = list(database.parent.glob(f"{database.name}*"))
    assert database in files
    assert [file.name for file in files if b"quillfeather" in file.read_bytes()] == []


def test_no_log_names_an_erased_account(settings: Settings) -> None:
    stream = io.BytesIO()
    with running(settings, make_key(settings.database_url, "admin"), log_stream=stream) as client:
        settle(client)
        write(client, "DELETE", PATH, None)
        client.get(PATH)

    assert b"/v1/accounts/{account_id}" in stream.getvalue()
    assert b"quillfeather" not in stream.getvalue()


def test_writes_and_erasures_at_the_same_time_leave_a_whole_account_or_none(
    client: TestClient, settings: Settings
) -> None:
    settle(client)
    statuses: list[int] = []

    def write_on(name: str) -> None:
        for number in range(12):
            rows = [order(f"{name}-{number}", PERSON)] if name != "d" else [deal(f"{name}-{number}", PERSON)]
            url = "/v1/deals" if name == "d" else "/v1/orders"
            statuses.append(client.post(url, json=rows).status_code)

    threads = [threading.Thread(target=write_on, args=(name,)) for name in ("x", "y", "d")]
    for thread in threads:
        thread.start()
    erasures = [client.delete(PATH).status_code for _ in range(6)]
    for thread in threads:
        thread.join()
    last = client.delete(PATH)

    assert set(statuses) == {200}
    assert set(erasures) | {last.status_code} == {200}
    assert (
        query(settings, "SELECT COUNT(*) FROM orders WHERE account_id IS NOT NULL AND account_id <> 'bob'")[0][0] == 0
    )
    assert "quillfeather" not in texts_in(settings.database_url)
    assert is_unknown(client)
