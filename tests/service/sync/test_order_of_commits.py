"""Sequence numbers grow in the order of commits, however long a transaction stays open."""

import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select, text

from models.artifact import Content
from service.accounts.tables import Account
from service.base.logging import Logs
from service.base.telemetry import Telemetry
from service.orders.live import ORDERS_CHANGED, OWNERSHIP
from service.readmodel.ownership import Ownership
from service.storage.changes import ChangeLog
from service.storage.database import create_database_engine
from service.storage.tables import Change
from service.sync.follower import ChangeFollower
from service.sync.queries import changes_after
from service.sync.sections import LiveSections
from tests.artifacts import coffee_world, content_of
from tests.service.conftest import NOON

IDS = st.lists(st.sampled_from([f"account-{number}" for number in range(20)]), max_size=5)


def log_of(account_id: str) -> ChangeLog:
    changes = ChangeLog()
    changes.touch(ORDERS_CHANGED, [account_id])
    return changes


def ids_after(engine: Engine, sequence: int) -> tuple[list[str], int]:
    with engine.connect() as connection:
        touched = changes_after(connection, sequence, 1000)
    return touched.ids(ORDERS_CHANGED), touched.sequence


@pytest.mark.postgres
def test_a_transaction_that_is_held_open_is_not_overtaken(postgres_url: str) -> None:
    engine = create_database_engine(postgres_url)
    with engine.connect() as slow:
        transaction = slow.begin()
        first = log_of("slow").write(slow, NOON)
        numbers: list[int] = []

        def write_quickly() -> None:
            with engine.begin() as connection:
                numbers.append(log_of("quick").write(connection, NOON))

        quick = threading.Thread(target=write_quickly)
        quick.start()
        time.sleep(0.3)
        seen_meanwhile = ids_after(engine, 0)
        transaction.commit()
        quick.join()

    assert seen_meanwhile == ([], 0)
    assert numbers[0] > first
    assert ids_after(engine, 0) == (["slow", "quick"], numbers[0])
    engine.dispose()


@pytest.mark.postgres
def test_without_the_lock_a_change_follower_would_miss_a_change(postgres_url: str) -> None:
    """Show the failure that the lock prevents."""
    engine = create_database_engine(postgres_url)
    row = {"kind": "orders", "changed_at": NOON}
    with engine.connect() as slow:
        transaction = slow.begin()
        slow.execute(insert(Change), row | {"ids": ["slow"]})
        with engine.begin() as quick:
            quick.execute(insert(Change), row | {"ids": ["quick"]})
        seen, sequence = ids_after(engine, 0)
        transaction.commit()

    assert seen == ["quick"]
    assert ids_after(engine, sequence) == ([], sequence)
    engine.dispose()


def test_a_transaction_that_is_rolled_back_leaves_nothing_behind(engine: Engine) -> None:
    with engine.connect() as connection:
        transaction = connection.begin()
        log_of("gone").write(connection, NOON)
        transaction.rollback()
    with engine.begin() as connection:
        sequence = log_of("kept").write(connection, NOON)

    assert ids_after(engine, 0) == (["kept"], sequence)


def test_deleted_changes_do_not_give_their_numbers_to_later_ones(engine: Engine) -> None:
    with engine.begin() as connection:
        before = log_of("a").write(connection, NOON)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM changes"))
    with engine.begin() as connection:
        after = log_of("b").write(connection, NOON)

    assert after > before


def test_many_identifiers_take_several_rows_and_all_of_them_arrive(engine: Engine) -> None:
    many = [f"account-{number:05}" for number in range(2500)]
    changes = ChangeLog()
    changes.touch(ORDERS_CHANGED, many)
    with engine.begin() as connection:
        sequence = changes.write(connection, NOON)
        rows = connection.scalars(select(Change.sequence)).all()

    assert len(rows) == 3
    assert max(rows) == sequence
    assert ids_after(engine, 0) == (many, sequence)


def test_changes_of_a_newer_release_are_passed_over(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(insert(Change), {"kind": "weather", "ids": ["rain"], "changed_at": NOON})
        connection.execute(insert(Change), {"kind": "orders", "ids": ["ann"], "changed_at": NOON})

    assert ids_after(engine, 0)[0] == ["ann"]


@pytest.fixture(scope="module")
def content() -> Content:
    """The coffee shop's arrays."""
    return content_of(coffee_world())


@given(batches=st.lists(IDS, max_size=8), read=st.integers(1, 4))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_followed_in_pieces_or_at_once_the_state_is_the_same(
    batches: list[list[str]], read: int, sqlite_url: str, content: Content
) -> None:
    engine = create_database_engine(sqlite_url)
    follower = ChangeFollower(engine, LiveSections([OWNERSHIP]), 1.0, Telemetry(), Logs("error").log)
    state = follower.open(content, 0, None)
    with follower.admit(state):
        pass
    for number, batch in enumerate(batches):
        with engine.begin() as connection:
            rows = [
                {"account_id": account_id, "attributes": {}, "is_stub": True, "updated_at": NOON}
                for account_id in set(batch)
            ]
            if rows:
                connection.execute(insert(Account).prefix_with("OR IGNORE"), rows)
            changes = ChangeLog()
            changes.touch(ORDERS_CHANGED, batch)
            changes.write(connection, NOON)
        if number % read == 0:
            follower.catch_up()
    follower.catch_up()

    fresh = follower.open(content, 0, None)
    engine.dispose()
    assert state.sequence == fresh.sequence
    accounts = set(state.part(Ownership).by_account)
    assert (
        accounts == set(fresh.part(Ownership).by_account) >= {account_id for batch in batches for account_id in batch}
    )
