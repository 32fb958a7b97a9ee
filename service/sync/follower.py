"""Follows the log of changes: applies what was committed, by this worker or any other, to the state in memory."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import Connection, Engine
from structlog.typing import FilteringBoundLogger

from service.base.telemetry import Telemetry
from service.readmodel.live_state import LiveState
from service.readmodel.product_index import ProductIndex
from service.readmodel.segment_membership import STRATEGIC_DEFINITION
from service.segments.queries import attributes_of, definitions, strategic_accounts
from service.storage.changes import ChangeKind, newest_sequence
from service.sync import queries
from service.sync.queries import Touched

CHANGES_PER_READ: Final = 5000
FALLBACK_CHANGES: Final = 1000
"""How far back the fallback looks: without an artifact everything is new, and the whole history is too much."""


class ChangeFollower:
    """Keeps every state in use at the newest committed change. ``run`` is its thread; ``catch_up`` anyone may call."""

    def __init__(
        self,
        engine: Engine,
        states: Callable[[], Sequence[LiveState]],
        poll_seconds: float,
        telemetry: Telemetry,
        log: FilteringBoundLogger,
    ) -> None:
        self._engine = engine.execution_options(sqlite_begin="DEFERRED")
        self._states = states
        self._poll_seconds = poll_seconds
        self._telemetry = telemetry
        self._log = log
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._current_at = time.monotonic()
        self._is_failing = False

    @property
    def seconds_behind(self) -> float:
        """Seconds since memory was known to hold all that is committed."""
        return time.monotonic() - self._current_at

    @property
    def is_database_up(self) -> bool:
        """Tell whether the database answered when it was last asked, and was asked of late."""
        return not self._is_failing and self.seconds_behind < 2 + 4 * self._poll_seconds

    def open(self, shelf: ProductIndex, sequence: int | None, as_of: datetime | None) -> LiveState:
        """Read all that happened since an artifact. Blocks; raises SQLAlchemyError.

        sequence: the newest change that the artifact was trained on; None where it can't tell (it was trained on
                  files, or on a part of the history): then every change counts, and whoever ordered since ``as_of``.
        """
        with self._engine.connect() as connection:
            state = LiveState(shelf, sequence or 0, is_history_whole=sequence is not None)
            is_gap = sequence is not None and queries.has_gap(connection, sequence)
            if is_gap:
                self._log.warning("changes since the artifact were deleted: reading who ordered since", since=as_of)
            touched = queries.all_changes_after(connection, state.sequence)
            if (sequence is None or is_gap) and as_of is not None:
                set_orders(state, connection, queries.accounts_with_orders_since(connection, as_of))
            state.set_objecting((), queries.objecting_accounts(connection))
            state.set_pipeline((), queries.open_deals(connection))
            state.set_declined((), queries.last_declines(connection))
            state.membership.set_strategic((), strategic_accounts(connection))
            state.set_relationships(queries.curated_relationships(connection))
            apply(state, connection, touched)
            open_membership(state, connection)
        return state

    def open_fallback(self, shelf: ProductIndex) -> LiveState:
        """Read what happened of late, for a state without an artifact."""
        with self._engine.connect() as connection:
            newest = newest_sequence(connection)
        return self.open(shelf, max(0, newest - FALLBACK_CHANGES), None)

    def catch_up(self) -> None:
        """Apply every change that is committed now. Blocks; raises SQLAlchemyError."""
        with self._lock:
            begun = time.monotonic()
            with self._engine.connect() as connection:
                for state in self._states():
                    while not follow(state, connection):
                        pass
            self._current_at = begun
            self._is_failing = False

    def nudge(self) -> None:
        """Have the thread look now."""
        self._news.set()

    def stop(self) -> None:
        """End the thread soon."""
        self._stopping.set()
        self._news.set()

    def run(self) -> None:
        """Follow until ``stop``. A failure is logged and counted, and the next round tries again."""
        while not self._stopping.is_set():
            try:
                self.catch_up()
            except Exception as error:  # The edge of a background loop: nothing may end it.
                self._telemetry.loop_failures.labels("changes").inc()
                if not self._is_failing:
                    self._log.warning("background loop failing", loop="changes", error=type(error).__name__)
                self._is_failing = True
            self._news.wait(self._poll_seconds)
            self._news.clear()


def follow(state: LiveState, connection: Connection) -> bool:
    """Apply the next changes, and tell whether these were the last."""
    touched = queries.changes_after(connection, state.sequence, CHANGES_PER_READ)
    apply(state, connection, touched)
    return touched.is_last


def apply(state: LiveState, connection: Connection, touched: Touched) -> None:
    """Read what the facts that changed are now. They are at least as new as the changes, which were read before."""
    set_orders(state, connection, touched.ids.get(ChangeKind.ORDERS, ()))
    if account_ids := touched.ids.get(ChangeKind.CONSENT):
        state.set_objecting(account_ids, queries.objecting_accounts(connection, account_ids))
    if account_ids := touched.ids.get(ChangeKind.DEALS):
        state.set_pipeline(account_ids, queries.open_deals(connection, account_ids))
        state.set_declined(account_ids, queries.last_declines(connection, account_ids))
    if product_ids := touched.ids.get(ChangeKind.PRODUCTS):
        state.set_products(queries.product_infos(connection, product_ids))
    if source_ids := touched.ids.get(ChangeKind.RELATIONSHIPS):
        state.set_relationships(queries.curated_relationships(connection, source_ids))
    refresh_membership(state, connection, touched)
    forget_stored(state, touched)
    state.sequence = touched.sequence


def forget_stored(state: LiveState, touched: Touched) -> None:
    """Have accounts read anew whose facts changed; and all where names of products did, which each tells."""
    if ChangeKind.PRODUCTS in touched.ids:
        state.stored.forget_all()
    kinds = (ChangeKind.ACCOUNTS, ChangeKind.ORDERS, ChangeKind.CONSENT)
    state.stored.forget(account_id for kind in kinds for account_id in touched.ids.get(kind, ()))


def open_membership(state: LiveState, connection: Connection) -> None:
    """Place everyone in the segments that people defined. What was declared strategic is one of them."""
    for definition in (STRATEGIC_DEFINITION, *definitions(connection)):
        state.membership.define(definition, partial(attributes_of, connection))


def refresh_membership(state: LiveState, connection: Connection, touched: Touched) -> None:
    """Place those accounts anew whose facts changed, and everyone where a segment did."""
    described = touched.ids.get(ChangeKind.ACCOUNTS, [])
    read = partial(attributes_of, connection)
    if described:
        state.membership.set_strategic(described, strategic_accounts(connection, described))
    state.membership.refresh([*dict.fromkeys([*described, *touched.ids.get(ChangeKind.ORDERS, ())])], read)
    if changed := touched.ids.get(ChangeKind.SEGMENTS):
        found = {definition.id: definition for definition in definitions(connection, changed)}
        for segment_id in changed:
            if segment_id in found:
                state.membership.define(found[segment_id], read)
            else:
                state.membership.forget(segment_id)


def set_orders(state: LiveState, connection: Connection, account_ids: Sequence[str]) -> None:
    """Read what some accounts own now into the state."""
    for account_id, (owned, returned) in queries.purchases(connection, account_ids):
        state.set_owned(account_id, owned, returned)
