"""Writes decisions down beside the requests: a bounded queue, and a thread that writes batches."""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Final

from sqlalchemy import Connection, Engine
from structlog.typing import FilteringBoundLogger

from service.base.settings import Settings
from service.base.telemetry import Telemetry
from service.decisions.writing import DECISIONS_CHANGED, Decided, write_missing_decisions, write_new_decisions
from service.offers.respond import Recorded
from service.storage.changes import ChangeLog
from service.storage.turns import POLICY_TURNS, hold_off

MAX_PAUSE_SECONDS: Final = 2.0
MAX_QUEUED_BYTES: Final = 256 * 1024 * 1024
"""Beside the bound on rows: a request may be two megabytes long."""
MAX_BATCH_BYTES: Final = 8 * 1024 * 1024
REFUSALS: Final = frozenset({"DataError", "IntegrityError", "OverflowError", "TypeError", "ValueError"})


class DecisionLog:
    """The decisions of one worker on their way to the database.

    While the database is away they wait; what exceeds the queue is lost, counted and logged once per outage.

    is_followed: tells whether other workers are to hear of whom decisions offered something: a policy counts them.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        telemetry: Telemetry,
        log: FilteringBoundLogger,
        is_followed: Callable[[Connection], bool] = lambda _: False,
    ) -> None:
        self._engine = engine
        self._longest = settings.decision_log_queue_rows
        self._batch_rows = settings.decision_log_batch_rows
        self._flush_seconds = settings.decision_log_flush_seconds
        self._drain_seconds = settings.decision_log_drain_seconds
        self._telemetry = telemetry
        self._log = log
        self._is_followed = is_followed
        self._queue: deque[Recorded] = deque()
        # Two counters that only grow: each has one writer, so that neither needs a lock.
        self._recorded_bytes = self._written_bytes = 0
        self._writing = threading.Lock()
        self._stopping = threading.Event()
        self._is_failing = self._is_losing = False

    def record(self, decision: Recorded) -> None:
        """Queue one decision. Neither blocks nor fails: where the queue is full, the decision is lost and counted."""
        queue = self._queue
        if len(queue) < self._longest and self._recorded_bytes - self._written_bytes < MAX_QUEUED_BYTES:
            self._recorded_bytes += _size_of(decision)
            queue.append(decision)
        else:
            self._lose(1)

    def find(self, decision_id: str) -> Decided | None:
        """Return a decision of this worker that is not written yet. What is not found here may be in the database."""
        waiting = (each for each in self._queue.copy() if each.decision_id == decision_id)
        return next((Decided(*each[:4], each.request, each.answer) for each in waiting), None)

    def write_named(self, decision_ids: Collection[str]) -> None:
        """Write what is queued now if any of some decisions waits; raises what the database raises."""
        if any(each.decision_id in decision_ids for each in self._queue.copy()):
            self.write_queued()

    @property
    def depth(self) -> int:
        """How many decisions wait."""
        return len(self._queue)

    @property
    def is_behind(self) -> bool:
        """Tell whether whoever can wait should: half of the queue is full, and the database takes what is in it."""
        return len(self._queue) > self._longest // 2 and not (self._is_failing or self._stopping.is_set())

    def run(self) -> None:
        """Write what is queued, again and again, until ``stop``; then write the rest."""
        pause = self._flush_seconds
        while not self._stopping.wait(pause):
            if not self._try(self.write_queued):
                pause = min(2 * max(pause, self._flush_seconds), MAX_PAUSE_SECONDS)
            else:
                pause = 0.0 if self.depth >= self._batch_rows else self._flush_seconds
            self._telemetry.decision_log_depth.set(self.depth)
        self._drain()

    def stop(self) -> None:
        """Have the thread write the rest and end."""
        self._stopping.set()

    def write_queued(self) -> None:
        """Write what is queued now; raises what the database raises. What could not be written stays queued."""
        # What comes meanwhile waits for the next round, or under load each few decisions would cost a transaction.
        n_rows = len(self._queue)
        while n_rows > 0 and self._queue:
            n_rows -= self._write_batch()

    def _write_batch(self) -> int:
        """Write the oldest decisions and return how many left the queue. Until they are written they stay there."""
        with self._writing:
            batch = self._next_batch()
            n_refused = self._write(batch)
            for _ in batch:
                self._queue.popleft()
            self._written_bytes += sum(map(_size_of, batch))
        self._telemetry.decision_log_written.inc(len(batch) - n_refused)
        if n_refused:
            self._lose(n_refused)
        elif self.depth < self._longest:
            self._is_losing = False
        return len(batch)

    def _next_batch(self) -> list[Recorded]:
        batch: list[Recorded] = []
        n_bytes = 0
        for place in range(min(self._batch_rows, len(self._queue))):
            # By place: an iterator would fail when a decision is recorded meanwhile.
            batch.append(self._queue[place])
            n_bytes += _size_of(batch[-1])
            if n_bytes > MAX_BATCH_BYTES:
                break
        return batch

    def _write(self, batch: Sequence[Recorded]) -> int:
        """Write a batch in one transaction and return how many the database refused: of one that it refuses, each."""
        try:
            self._transact(write_new_decisions, batch)
        except Exception as error:
            if not is_refusal(error):
                raise
            # One is there already, from a transaction whose commit was not acknowledged; or one can't be stored.
            return self._write_missing(batch)
        return 0

    def _write_missing(self, batch: Sequence[Recorded]) -> int:
        try:
            self._transact(write_missing_decisions, batch)
        except Exception as error:
            if not is_refusal(error):
                raise
            if len(batch) == 1:
                return 1
            middle = len(batch) // 2
            return self._write_missing(batch[:middle]) + self._write_missing(batch[middle:])
        return 0

    def _transact(self, write: Callable[[Connection, Sequence[Recorded]], None], batch: Sequence[Recorded]) -> None:
        with self._engine.begin() as connection:
            # A policy that is stored now is stored before this, and this is followed; or after it, and this is counted.
            hold_off(connection, POLICY_TURNS)
            write(connection, batch)
            if self._is_followed(connection):
                changes = ChangeLog()
                changes.touch(DECISIONS_CHANGED, {each.account_id for each in batch if each.account_id and each.offers})
                changes.write(connection, batch[-1].decided_at)

    def _drain(self) -> None:
        deadline = time.monotonic() + self._drain_seconds
        while self._queue:
            is_written = self._try(self._write_batch)
            if time.monotonic() >= deadline:
                break
            if not is_written:
                time.sleep(0.1)
        if self._queue:
            self._is_losing = False
            self._lose(self.depth)
        self._telemetry.decision_log_depth.set(0)

    def _try(self, write: Callable[[], object]) -> bool:
        try:
            write()
        except Exception as error:  # The edge of a background loop: nothing may end it.
            self._telemetry.loop_failures.labels("decision-log").inc()
            if not self._is_failing:
                self._log.warning("background loop failing", loop="decision-log", error=type(error).__name__)
            self._is_failing = True
            return False
        self._is_failing = False
        return True

    def _lose(self, n: int) -> None:
        self._telemetry.decision_log_lost.inc(n)
        if not self._is_losing:
            self._is_losing = True
            self._log.error("decisions are lost", n=n, queued=self.depth, longest=self._longest)


def _size_of(decision: Recorded) -> int:
    return len(decision.request) + len(decision.answer)


def is_refusal(error: Exception) -> bool:
    """Tell a decision that can't be stored from a database that is away, read-only or full: those pass.

    By the names that every driver gives its errors.
    """
    return not REFUSALS.isdisjoint(kind.__name__ for kind in type(error).__mro__)
