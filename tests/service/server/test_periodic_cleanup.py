"""Periodic cleanup deletes expired rows, and nothing that is still needed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, insert, select
from sqlalchemy.orm import Session

from service.accounts.tables import Account
from service.base.ids import new_decision_id
from service.base.settings import Settings
from service.decisions.queries import find_decision
from service.decisions.tables import DecisionBlock, DecisionOffer, DecisionRow
from service.decisions.writing import OFFER_COLUMNS, write_new_decisions
from service.offers.smoke import smoke_test
from service.readmodel.ownership import Ownership
from service.server.periodic_cleanup import BATCH_ROWS, PeriodicCleanup
from service.storage.tables import Change
from service.sync.artifact_holder import ArtifactHolder
from service.sync.artifact_store import ArtifactStore
from service.web.idempotency.tables import IdempotentAnswer
from tests.artifacts import World, write_world
from tests.service.conftest import NOON, make_key, make_settings, part_of, running
from tests.service.decisions.records import recorded

LONG_AGO = NOON - timedelta(days=365)


@pytest.fixture
def store(artifacts_dir: Path) -> ArtifactStore:
    """The registry of the test."""
    return ArtifactStore(artifacts_dir, smoke_test)


def delete_expired(engine: Engine, store: ArtifactStore, **settings: Any) -> None:
    PeriodicCleanup(engine, store, Settings().model_copy(update=settings), lambda: NOON).delete_expired()


def add_changes(engine: Engine, n: int, changed_at: datetime = LONG_AGO) -> None:
    with engine.begin() as connection:
        connection.execute(insert(Change), [{"kind": "orders", "ids": ["ann"], "changed_at": changed_at}] * n)


def sequences(engine: Engine) -> Sequence[int]:
    with engine.connect() as connection:
        return connection.scalars(select(Change.sequence).order_by(Change.sequence)).all()


def count(engine: Engine, table: Any) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def offer_row(decision_id: str) -> dict[str, Any]:
    return dict.fromkeys(OFFER_COLUMNS) | {
        "decision_id": decision_id, "rank": 1, "product_id": "beans", "source": "popular", "selection_probability": 1.0
    }  # fmt: skip


def test_old_decisions_and_answers_go_and_young_ones_stay(engine: Engine, store: ArtifactStore) -> None:
    decision_times = [NOON - timedelta(days=days) for days in [91] * 4500 + [89] * 3]
    decisions = [
        recorded(new_decision_id(decided_at), None, decided_at, answer=b"[%d]" % n)
        for n, decided_at in enumerate(decision_times)
    ]
    answers = [
        {"key_id": "k", "idempotency_key": str(hours), "fingerprint": "", "created_at": NOON - timedelta(hours=hours)}
        for hours in (1, 47, 49, 1000)
    ]
    with engine.begin() as connection:
        write_new_decisions(connection, decisions)
        connection.execute(insert(DecisionOffer), [offer_row(each.decision_id) for each in decisions])
        connection.execute(insert(IdempotentAnswer), answers)

    delete_expired(engine, store, decision_retention_days=90, idempotency_hours=48)

    assert (count(engine, DecisionRow), count(engine, DecisionOffer), count(engine, IdempotentAnswer)) == (3, 3, 2)
    # The last 100 of the decisions share a block or two.
    assert 1 <= count(engine, DecisionBlock) <= 2
    with Session(engine) as session:
        kept = [find_decision(session, decision.decision_id).answer for decision in decisions[-3:]]
    assert kept == [decision.answer for decision in decisions[-3:]]


def test_expired_answers_are_deleted_in_bounded_batches(engine: Engine, store: ArtifactStore) -> None:
    answers = [
        {"key_id": "k", "idempotency_key": str(n), "fingerprint": "", "created_at": LONG_AGO}
        for n in range(2 * BATCH_ROWS + 500)
    ]
    with engine.begin() as connection:
        connection.execute(insert(IdempotentAnswer), answers)
    deleted: list[int] = []

    def note(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("DELETE FROM idempotent_answers"):
            deleted.append(cursor.rowcount)

    event.listen(engine, "after_cursor_execute", note)
    delete_expired(engine, store)

    assert deleted == [BATCH_ROWS, BATCH_ROWS, 500]
    assert count(engine, IdempotentAnswer) == 0


def test_changes_that_an_artifact_in_reach_needs_are_kept(engine: Engine, store: ArtifactStore, world: World) -> None:
    add_changes(engine, 10)
    first = sequences(engine)[0]
    for day, sequence in ((27, first + 3), (28, first + 6)):
        store.activate(write_world(store.root, world, as_of=f"2024-02-{day}T00:00:00Z", sequence=sequence))

    delete_expired(engine, store)
    in_reach = sequences(engine)

    assert in_reach == list(range(first + 4, first + 10))


def test_young_changes_and_the_newest_one_are_kept(engine: Engine, store: ArtifactStore, world: World) -> None:
    add_changes(engine, 3)
    add_changes(engine, 2, NOON)
    newest = sequences(engine)[-1]
    store.activate(write_world(store.root, world, sequence=newest))

    delete_expired(engine, store)
    young = sequences(engine)
    delete_expired(engine, store, change_retention_days=-1)

    assert young == [newest - 1, newest]
    assert sequences(engine) == [newest]


def test_without_an_artifact_or_with_one_from_files_every_change_is_kept(
    engine: Engine, store: ArtifactStore, world: World
) -> None:
    add_changes(engine, 5)
    delete_expired(engine, store)
    without = len(sequences(engine))
    store.activate(write_world(store.root, world, sequence=None))

    delete_expired(engine, store)

    assert (without, len(sequences(engine))) == (5, 5)


def test_where_changes_are_missing_whoever_ordered_since_is_read(
    database_url: str, engine: Engine, store: ArtifactStore, world: World
) -> None:
    store.activate(write_world(store.root, world, as_of="2024-02-01T00:00:00Z", sequence=0))
    settings, key = make_settings(database_url, store.root), make_key(database_url, "admin")
    order = {"order_id": "o-1", "account_id": "ann", "ordered_at": "2024-03-01", "lines": [{"product_id": "filter"}]}
    with running(settings, key) as client:
        client.post("/v1/orders", json=[order])
        client.post("/v1/orders", json=[order | {"order_id": "o-2", "account_id": "bob"}])
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM changes WHERE ids NOT LIKE '%bob%'" if engine.dialect.name == "sqlite"
                                   else "DELETE FROM changes WHERE ids::text NOT LIKE '%%bob%%'")  # fmt: skip

    with running(settings, key) as client:
        live = part_of(client, ArtifactHolder).current
        assert live is not None
        known = set(live.state.part(Ownership).by_account)

    assert known == {"ann", "bob"}
    assert count(engine, Account) == 2
