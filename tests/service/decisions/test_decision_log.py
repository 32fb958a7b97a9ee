"""Every answer is in the decision log as it was sent; the request path neither waits for it nor fails with it."""

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, make_url, select, text
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from service.base.logging import Logs
from service.base.settings import Settings
from service.base.telemetry import Telemetry
from service.decisions.decision_log import DecisionLog
from service.decisions.queries import decisions_of, find_decision
from service.decisions.tables import DecisionOffer, DecisionRow
from service.storage.database import create_database_engine
from tests.artifacts import World
from tests.conftest import POSTGRES_URL
from tests.service.conftest import NOON, InstallWorld, make_key, make_settings, part_of, running, wait_until
from tests.service.decisions.records import recorded
from tests.service.processes import call, serving
from tests.service.sync.conftest import URL


@pytest.fixture
def settings(database_url: str, artifacts_dir: Path, world: World, install_world: InstallWorld) -> Settings:
    """Settings over each of the two databases in turn."""
    install_world(artifacts_dir, world, sequence=0)
    return make_settings(database_url, artifacts_dir)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """An admin's client."""
    with running(settings, make_key(settings.database_url, "admin")) as made:
        yield made


def flush(client: TestClient) -> None:
    part_of(client, DecisionLog).write_queued()


def make_decision_log(engine: Engine, **settings: Any) -> tuple[DecisionLog, Telemetry, io.BytesIO]:
    telemetry, log = Telemetry(), io.BytesIO()
    options = Settings(database_url=str(engine.url)).model_copy(update=settings)
    return DecisionLog(engine, options, telemetry, Logs("info", log).log), telemetry, log


def record(
    decision_log: DecisionLog,
    *numbers: int,
    account_id: str | None = "ann",
    request: bytes = b"{}",
    answer: bytes = b"{}",
) -> None:
    for number in numbers:
        decision_log.record(recorded(f"d-{number:04}", account_id, NOON, "key", request, answer))


def written(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(select(DecisionRow.decision_id).order_by(DecisionRow.decision_id)))


def value(telemetry: Telemetry, name: str) -> float:
    return telemetry.registry.get_sample_value(f"nextoffer_decision_log_{name}") or 0.0


def test_what_was_answered_is_what_is_stored(client: TestClient, engine: Engine) -> None:
    body = {"account_id": "ann", "basket": ["beans", "Müller"], "placement": "checkout", "context": {"stage": "cart"}}
    answer = client.post(URL, json=body)
    flush(client)

    with Session(engine) as session:
        stored = find_decision(session, answer.json()["decision_id"])

    shown = client.get(f"/v1/decisions/{answer.json()['decision_id']}").json()
    assert stored.answer == answer.content
    assert json.loads(stored.request) == body
    assert shown["answer"] == answer.json()
    assert shown["request"] == body
    assert (shown["account_id"], shown["decided_at"]) == ("ann", "2024-03-01T12:00:00Z")


def offers_of(engine: Engine, decision_id: str) -> list[Any]:
    query = select(DecisionOffer.__table__).where(DecisionOffer.decision_id == decision_id).order_by(DecisionOffer.rank)
    with engine.connect() as connection:
        return [row._asdict() for row in connection.execute(query)]


def test_the_offers_of_each_decision_stand_in_columns_too(client: TestClient, engine: Engine) -> None:
    body = {"account_id": "ann", "placement": "account page", "channel": "e-mail\0"}
    answer = client.post(URL, json=body).json()
    flush(client)

    stored = offers_of(engine, answer["decision_id"])

    assert [(row["rank"], row["product_id"], row["source"]) for row in stored] == [
        (offer["rank"], offer["product_id"], offer["source"]) for offer in answer["offers"]
    ]
    figures = [offer["arbitration"] or {} for offer in answer["offers"]]
    for name in ("propensity", "value_minor", "context", "lever", "priority"):
        assert [row[name] for row in stored] == [each.get(name) for each in figures]
    assert {row["selection_probability"] for row in stored} == {1.0}
    with engine.connect() as connection:
        named = select(DecisionRow.channel, DecisionRow.placement).where(
            DecisionRow.decision_id == answer["decision_id"]
        )
        assert connection.execute(named).one() == ("e-mail\ufffd", "account page")


def test_offers_keep_the_category_that_their_product_had(client: TestClient, engine: Engine) -> None:
    client.post("/v1/products", json=[{"product_id": "filter", "name": "Filters", "category": "Paper", "line": "Brew"}])
    decision_id = client.post(URL, json={"account_id": "ann", "among": ["filter"]}).json()["decision_id"]
    client.post("/v1/products", json=[{"product_id": "filter", "category": "Supplies", "line": None}])
    later_id = client.post(URL, json={"account_id": "ann", "among": ["filter"]}).json()["decision_id"]
    flush(client)

    described = [(row["category"], row["line"]) for each in (decision_id, later_id) for row in offers_of(engine, each)]

    assert described == [("Paper", "Brew"), ("Supplies", None)]


def test_an_erased_account_s_offers_go_with_its_decisions(client: TestClient, engine: Engine) -> None:
    kept, erased = (client.get(f"{URL}/{account_id}").json()["decision_id"] for account_id in ("ann", "bob"))
    flush(client)

    client.delete("/v1/accounts/bob")

    assert offers_of(engine, kept)
    assert not offers_of(engine, erased)


def test_a_decision_is_shown_before_it_is_written_and_after(client: TestClient) -> None:
    decision_id = client.get(f"{URL}/ann?limit=1").json()["decision_id"]

    before = client.get(f"/v1/decisions/{decision_id}").json()
    flush(client)
    after = client.get(f"/v1/decisions/{decision_id}").json()

    assert before == after
    assert before["request"] == {"limit": 1}


def test_an_account_s_decisions_are_listed_newest_first_a_page_at_a_time(client: TestClient) -> None:
    made = [client.get(f"{URL}/ann").json()["decision_id"] for _ in range(5)]
    client.get(f"{URL}/bob")
    client.get(f"{URL}/ann?dry_run=true")
    flush(client)

    listed: list[str] = []
    cursor = ""
    while True:
        page = client.get(f"/v1/accounts/ann/decisions?limit=2{cursor}").json()
        listed += [item["decision_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert listed == sorted(made, reverse=True)


def test_pages_hold_each_decision_once_although_new_ones_come(client: TestClient) -> None:
    made = [client.get(f"{URL}/ann").json()["decision_id"] for _ in range(4)]
    flush(client)
    first = client.get("/v1/accounts/ann/decisions?limit=2").json()
    part_of(client, DecisionLog).record(recorded("ffffffff", "ann", NOON))
    flush(client)

    second = client.get(f"/v1/accounts/ann/decisions?limit=2&cursor={first['next_cursor']}").json()

    items = first["items"] + second["items"]
    assert [item["decision_id"] for item in items] == sorted(made, reverse=True)
    assert second["next_cursor"] is None


def test_a_batch_is_as_many_decisions_as_it_has_accounts(client: TestClient) -> None:
    answers = client.post(f"{URL}/batch", json={"account_ids": ["ann", "bob", "ann"]}).json()["items"]
    flush(client)

    shown = [client.get(f"/v1/decisions/{answer['decision_id']}").json()["answer"] for answer in answers]
    assert shown == answers


def test_a_batch_waits_for_the_decision_log_and_loses_no_decision(settings: Settings, engine: Engine) -> None:
    settings = settings.model_copy(update={"decision_log_queue_rows": 200, "decision_log_flush_seconds": 0.01})
    with running(settings, make_key(settings.database_url, "admin")) as client:
        answers = client.post(f"{URL}/batch", json={"account_ids": ["ann"] * 1000}).json()["items"]

    assert {answer["decision_id"] for answer in answers} == set(written(engine))


def test_nobody_waits_for_a_decision_log_that_can_t_write(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    decision_log, _, _ = make_decision_log(engine, decision_log_queue_rows=10)
    record(decision_log, *range(5))
    half_full = decision_log.is_behind
    record(decision_log, 5)
    fuller = decision_log.is_behind
    monkeypatch.setattr(decision_log, "_transact", lambda *_: 1 / 0)

    decision_log._try(decision_log.write_queued)

    assert (half_full, fuller, decision_log.is_behind) == (False, True, False)


def test_an_unknown_decision_is_not_found(client: TestClient) -> None:
    answer = client.get("/v1/decisions/nothing")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-decision")


@pytest.mark.parametrize(
    "account_id", ["a\0b", "\ud800".encode("utf-16", "surrogatepass").decode("utf-16", "replace"), "ä"]
)
def test_odd_identifiers_are_written_too(engine: Engine, account_id: str) -> None:
    decision_log, telemetry, _ = make_decision_log(engine)
    record(decision_log, 1, account_id=account_id)

    decision_log.write_queued()

    assert written(engine) == ["d-0001"]
    assert value(telemetry, "written_decisions_total") == 1


def test_one_that_the_database_refuses_does_not_keep_back_the_others(engine: Engine) -> None:
    refuse = {
        "sqlite": "CREATE TRIGGER refuse BEFORE INSERT ON decisions WHEN new.account_id = 'bad' "
        "BEGIN SELECT RAISE(ABORT, 'refused'); END",
        "postgresql": "ALTER TABLE decisions ADD CHECK (account_id <> 'bad')",
    }
    with engine.begin() as connection:
        connection.execute(text(refuse[engine.dialect.name]))
    decision_log, telemetry, _ = make_decision_log(engine)
    record(decision_log, 1, 2)
    record(decision_log, 3, account_id="bad")
    record(decision_log, 4)

    decision_log.write_queued()

    assert written(engine) == ["d-0001", "d-0002", "d-0004"]
    assert (value(telemetry, "written_decisions_total"), value(telemetry, "lost_decisions_total")) == (3, 1)
    with Session(engine) as session:
        assert find_decision(session, "d-0004").answer == b"{}"


def test_what_exceeds_the_queue_is_counted_and_said_once(engine: Engine) -> None:
    decision_log, telemetry, log = make_decision_log(engine, decision_log_queue_rows=10)

    record(decision_log, *range(25))
    decision_log.write_queued()

    assert len(written(engine)) == 10
    assert value(telemetry, "lost_decisions_total") == 15
    assert log.getvalue().count(b"decisions are lost") == 1


def test_a_batch_that_was_written_but_not_acknowledged_is_not_written_twice(engine: Engine) -> None:
    decision_log, _, _ = make_decision_log(engine, decision_log_batch_rows=3)
    record(decision_log, 1, 2)
    decision_log.write_queued()

    record(decision_log, 1, 2, 3, 4)
    decision_log.write_queued()

    assert written(engine) == ["d-0001", "d-0002", "d-0003", "d-0004"]


def test_every_byte_is_stored_as_it_is_and_what_is_missing_stays_missing(engine: Engine) -> None:
    decision_log, _, _ = make_decision_log(engine)
    request = '{"ä\\u0000":\r\n\t"\\\\N \\"€\U0001f600, \'%s ?"}'.encode()
    decided_at = NOON.replace(year=1999, microsecond=123_456)
    decision_log.record(recorded("d-1", None, decided_at, None, request, b'{"a": "\\\\."}'))

    decision_log.write_queued()

    with Session(engine) as session:
        decision = find_decision(session, "d-1")
    assert (decision.account_id, decision.key_id, decision.decided_at) == (None, None, decided_at)
    assert (decision.request, decision.answer) == (request, b'{"a": "\\\\."}')


def test_what_comes_while_a_batch_is_written_waits_for_the_next_round(engine: Engine) -> None:
    decision_log, _, _ = make_decision_log(engine, decision_log_batch_rows=2)
    numbers = iter(range(100, 200))
    event.listen(engine, "commit", lambda _: record(decision_log, next(numbers)))
    record(decision_log, 1, 2, 3)

    decision_log.write_queued()

    assert written(engine) == ["d-0001", "d-0002", "d-0003", "d-0100"]
    assert decision_log.depth == 1


def test_a_decision_is_found_while_it_is_being_written(engine: Engine) -> None:
    decision_log, _, _ = make_decision_log(engine)
    seen: list[Any] = []
    event.listen(engine, "commit", lambda _: seen.append(decision_log.find("d-0002")))
    record(decision_log, 1, 2)

    decision_log.write_queued()

    assert seen[0].decision_id == "d-0002"
    assert decision_log.find("d-0002") is None


def test_many_batches_and_pieces_lose_nothing(engine: Engine) -> None:
    decision_log, telemetry, _ = make_decision_log(engine, decision_log_batch_rows=330)
    for number in range(1001):
        record(decision_log, number, request=b"%d" % number, answer=b"{}" * (number % 7))

    decision_log.write_queued()

    assert written(engine) == [f"d-{number:04}" for number in range(1001)]
    assert value(telemetry, "written_decisions_total") == 1001
    with Session(engine) as session:
        decisions = decisions_of(session, "ann", None, 2000)
    assert [(decision.request, decision.answer) for decision in decisions] == [
        (b"%d" % number, b"{}" * (number % 7)) for number in reversed(range(1001))
    ]


def test_large_requests_are_bounded_by_their_bytes(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.decisions.decision_log.MAX_QUEUED_BYTES", 10_000)
    monkeypatch.setattr("service.decisions.decision_log.MAX_BATCH_BYTES", 2_000)
    decision_log, telemetry, _ = make_decision_log(engine)
    large = b'{"a": "' + b"x" * 991 + b'"}'

    record(decision_log, *range(15), request=large, answer=b"")
    full = decision_log.depth
    decision_log.write_queued()
    record(decision_log, 99, request=large, answer=b"")

    assert full == 10
    assert value(telemetry, "lost_decisions_total") == 5
    assert decision_log.depth == 1


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """Keep everyone else from writing decisions."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE decisions IN ACCESS EXCLUSIVE MODE"))
        yield


def test_recording_waits_for_nobody_and_what_fits_is_written_afterwards(engine: Engine) -> None:
    decision_log, telemetry, _ = make_decision_log(engine, decision_log_queue_rows=20, decision_log_flush_seconds=0.01)
    thread = threading.Thread(target=decision_log.run)
    with locked(engine):
        thread.start()
        record(decision_log, *range(30))
        lost = value(telemetry, "lost_decisions_total")
    decision_log.stop()
    thread.join()

    assert lost == 10
    assert written(engine) == [f"d-{number:04}" for number in range(20)]


@contextmanager
def read_only(url: str) -> Iterator[None]:
    """Make the database refuse every write, as a standby does after a failover."""
    database = make_url(url).database
    server = create_engine(POSTGRES_URL, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {database} SET default_transaction_read_only = on"))
        try:
            yield
        finally:
            connection.execute(text(f"ALTER DATABASE {database} RESET default_transaction_read_only"))
    server.dispose()


@pytest.mark.postgres
def test_a_database_that_takes_no_writes_is_waited_for(postgres_url: str) -> None:
    engine = create_database_engine(postgres_url)
    decision_log, telemetry, _ = make_decision_log(engine)
    record(decision_log, 1, 2, 3)

    with read_only(postgres_url), pytest.raises(Exception, match="read-only"):
        decision_log.write_queued()
    waiting = decision_log.depth
    engine.dispose()
    decision_log.write_queued()

    assert waiting == 3
    assert written(engine) == ["d-0001", "d-0002", "d-0003"]
    assert value(telemetry, "lost_decisions_total") == 0
    engine.dispose()


def test_stopping_writes_the_rest(engine: Engine) -> None:
    decision_log, _, _ = make_decision_log(engine, decision_log_flush_seconds=60.0)
    thread = threading.Thread(target=decision_log.run)
    thread.start()
    record(decision_log, *range(50))

    decision_log.stop()
    thread.join()

    assert len(written(engine)) == 50


@pytest.mark.slow
def test_sigterm_under_load_keeps_every_decision_that_was_answered(settings: Settings, engine: Engine) -> None:
    key = make_key(settings.database_url, "recommend")
    answered: list[str] = []
    with serving(settings.database_url, settings.artifacts_dir, workers=2) as server:

        def ask() -> None:
            while True:
                try:
                    status, _, body = call(server, "GET", f"{URL}/ann", authorization=f"Bearer {key}")
                except OSError:
                    return
                if status == 200:
                    answered.append(json.loads(body)["decision_id"])

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answered) > 200, seconds=30)
        code = server.terminate()
        for thread in threads:
            thread.join()

    assert code == 0
    assert set(answered) == set(written(engine))


def test_a_clock_that_goes_back_loses_nothing(settings: Settings) -> None:
    clock = [NOON]
    with running(settings, make_key(settings.database_url, "admin"), now=lambda: clock[0]) as client:
        made = [client.get(f"{URL}/ann").json()["decision_id"]]
        first = client.put("/v1/accounts/bob/consent", json={"marketing": "objected"}).headers["X-Sequence"]
        clock[0] = NOON - timedelta(days=400)
        made.append(client.get(f"{URL}/ann").json()["decision_id"])
        second = client.put("/v1/accounts/dee/consent", json={"marketing": "objected"}).headers["X-Sequence"]
        flush(client)
        page = client.get("/v1/accounts/ann/decisions").json()
        offers = [client.get(f"{URL}/{account}").json()["offers"] for account in ("bob", "dee")]
    with running(settings, make_key(settings.database_url, "admin")) as restarted:
        offers += [restarted.get(f"{URL}/{account}").json()["offers"] for account in ("bob", "dee")]

    assert int(second) > int(first)
    assert [item["decision_id"] for item in page["items"]] == made
    assert offers == [[]] * 4
