"""Follows the change log: applies what was committed, by this worker or any other, to the states in memory."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from structlog.typing import FilteringBoundLogger

from models.artifact import Content
from service.base.telemetry import Telemetry
from service.base.windows import DEFAULT_WINDOWS, Windows
from service.readmodel.live_state import LiveState
from service.storage.changes import newest_sequence
from service.sync.queries import all_changes_after, changes_after, has_gap
from service.sync.sections import ChangeSet, LiveSections

CHANGES_PER_READ: Final = 5000
MAX_FALLBACK_CHANGES: Final = 1000
"""How far back the fallback looks: without an artifact everything is new, and the whole history is too much."""


class ChangeFollower:
    """Keeps every admitted state at the newest committed change.

    ``run`` is its thread; any thread may call ``catch_up``.
    """

    def __init__(
        self,
        engine: Engine,
        sections: LiveSections,
        poll_seconds: float,
        telemetry: Telemetry,
        log: FilteringBoundLogger,
        windows: Windows = DEFAULT_WINDOWS,
    ) -> None:
        self._engine = engine.execution_options(sqlite_begin="DEFERRED")
        self._sections = sections
        self._poll_seconds = poll_seconds
        self._telemetry = telemetry
        self._log = log
        self._windows = windows
        self._states: dict[LiveState, bool] = {}
        self._lock = threading.Lock()
        self._wake_up = threading.Event()
        self._stopping = threading.Event()
        self._current_at = time.monotonic()
        self._is_failing = False

    @property
    def seconds_behind(self) -> float:
        """Seconds since memory was known to hold all that is committed."""
        return time.monotonic() - self._current_at

    @property
    def is_database_up(self) -> bool:
        """Tell whether the database answered when it was last asked, and was asked recently."""
        return not self._is_failing and self.seconds_behind < 2 + 4 * self._poll_seconds

    def open(self, content: Content, sequence: int | None, as_of: datetime | None) -> LiveState:
        """Read all that happened since an artifact. Blocks; raises SQLAlchemyError.

        The state is not followed yet: see ``admit``.
        sequence: the newest change that the artifact was trained on; None where it can't tell (it was trained on
                  files, or on a part of the history): then every change counts, and whoever ordered since ``as_of``.
        """
        state = LiveState(
            content,
            sequence or 0,
            is_history_complete=sequence is not None,
            as_of=as_of,
            windows=self._windows,
        )
        with self._engine.connect() as connection:
            self._sections.load(state, connection, self._changes_since(connection, sequence, as_of))
        return state

    def open_fallback(self, content: Content) -> LiveState:
        """Read what happened recently, for a state without an artifact."""
        with self._engine.connect() as connection:
            newest = newest_sequence(connection)
        return self.open(content, max(0, newest - MAX_FALLBACK_CHANGES), None)

    @contextmanager
    def admit(
        self, state: LiveState, *, replacing: LiveState | None = None, is_essential: bool = True
    ) -> Iterator[None]:
        """Bring a state up to date and follow it from here on, in place of another; raises SQLAlchemyError.

        is_essential: whether answers rest on it. One that does not is dropped when it can't be followed.

        Put the state in use inside the block. Whoever writes meanwhile waits: a write that was acknowledged before is
        in the state, and one that is acknowledged later will be.
        """
        with self._lock:
            with self._engine.connect() as connection:
                self._follow(state, connection)
            yield
            self._states = {other: is_needed for other, is_needed in self._states.items() if other is not replacing}
            self._states[state] = is_essential

    def dismiss(self, state: LiveState) -> None:
        """Follow a state no longer."""
        with self._lock:
            self._states = {other: is_needed for other, is_needed in self._states.items() if other is not state}

    def catch_up(self) -> None:
        """Apply every change that is committed now. Blocks; raises SQLAlchemyError."""
        with self._lock:
            begun = time.monotonic()
            with self._engine.connect() as connection:
                # Those that answers rest on come first.
                for state in sorted(self._states, key=self._states.__getitem__, reverse=True):
                    self._try_to_follow(state, connection)
            self._current_at = begun
            self._is_failing = False

    def nudge(self) -> None:
        """Have the thread look now."""
        self._wake_up.set()

    def stop(self) -> None:
        """End the thread soon."""
        self._stopping.set()
        self._wake_up.set()

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
            self._wake_up.wait(self._poll_seconds)
            self._wake_up.clear()

    def _changes_since(self, connection: Connection, sequence: int | None, as_of: datetime | None) -> ChangeSet:
        is_gap = sequence is not None and has_gap(connection, sequence)
        if is_gap:
            self._log.warning("changes since the artifact were deleted: reading who ordered since", since=as_of)
        changes = all_changes_after(connection, sequence or 0)
        return replace(changes, unlogged_since=as_of) if sequence is None or is_gap else changes

    def _try_to_follow(self, state: LiveState, connection: Connection) -> None:
        try:
            self._follow(state, connection)
        except SQLAlchemyError:
            raise
        except Exception as error:
            if self._states[state]:
                raise
            self._telemetry.loop_failures.labels("changes").inc()
            self._log.warning("a state that no answer rests on is followed no longer", error=type(error).__name__)
            del self._states[state]

    def _follow(self, state: LiveState, connection: Connection) -> None:
        is_last = False
        while not is_last:
            changes = changes_after(connection, state.sequence, CHANGES_PER_READ)
            self._sections.refresh(state, connection, changes)
            is_last = changes.is_last
