"""Periodic cleanup: deletes expired decisions, answers to idempotent writes, and changes that every artifact holds."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Delete, Engine, delete, func, select, text, tuple_

from service.base.ids import first_decision_id
from service.base.settings import Settings
from service.decisions.tables import DecisionBlock, DecisionOffer, DecisionRow
from service.erasure.cleanup import delete_unneeded_tombstones, sweep_late_decisions
from service.policies.tables import Reservation
from service.reservations.queries import KEPT_EXPIRED
from service.storage.database import empty_write_ahead_log, read_connection
from service.storage.tables import Change
from service.sync.artifact_store import ArtifactStore
from service.sync.errors import RegistryUnreadable
from service.web.idempotency.tables import IdempotentAnswer

BATCH_ROWS: Final = 2000
"""Small enough that a writer who waits does not notice."""
_LOCK: Final = 0x6E786F686B


class PeriodicCleanup:
    """Run by one worker at a time."""

    def __init__(self, engine: Engine, store: ArtifactStore, settings: Settings, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._store = store
        self._settings = settings
        self._now = now
        self._is_log_to_empty = False

    def delete_expired(self) -> None:
        """Delete what has expired, in batches. Blocks; raises SQLAlchemyError."""
        settings, now = self._settings, self._now()
        self._follow_erasures(now)
        oldest = first_decision_id(now - timedelta(days=settings.decision_retention_days))
        self._delete(DecisionRow, (DecisionRow.decision_id,), DecisionRow.decision_id < oldest)
        offer_key = (DecisionOffer.decision_id, DecisionOffer.rank)
        self._delete(DecisionOffer, offer_key, DecisionOffer.decision_id < oldest)
        # A block's identifier is made after those of its decisions: none is left whose decisions stay without it.
        self._delete(DecisionBlock, (DecisionBlock.block_id,), DecisionBlock.block_id < oldest)
        is_over = Reservation.expires_at < now - KEPT_EXPIRED
        self._delete(Reservation, (Reservation.reservation_id,), is_over)
        answered_before = now - timedelta(hours=settings.idempotency_hours)
        key = (IdempotentAnswer.key_id, IdempotentAnswer.idempotency_key)
        self._delete(IdempotentAnswer, key, IdempotentAnswer.created_at < answered_before)
        newest = self._newest_unneeded_change()
        if newest is not None:
            changed_before = now - timedelta(days=settings.change_retention_days)
            self._delete(Change, (Change.sequence,), Change.sequence <= newest, Change.changed_at < changed_before)

    def _follow_erasures(self, now: datetime) -> None:
        sequences = [listed.manifest.sequence for listed in self._store.listed() if listed.manifest]
        with self._engine.begin() as connection:
            if is_turn_taken(connection):
                self._is_log_to_empty |= sweep_late_decisions(connection, now) > 0
                delete_unneeded_tombstones(connection, sequences, now)
        if self._is_log_to_empty:
            self._is_log_to_empty = not empty_write_ahead_log(self._engine)

    def _delete(self, table: Any, key: tuple[Any, ...], *conditions: Any) -> None:
        """Delete the rows that meet the conditions, one batch per transaction. key: the primary key's columns."""
        batch = select(*key).where(*conditions).limit(BATCH_ROWS)
        statement: Delete = delete(table).where(tuple_(*key).in_(batch))
        n_deleted = BATCH_ROWS
        while n_deleted >= BATCH_ROWS:
            with self._engine.begin() as connection:
                if not is_turn_taken(connection):
                    return
                n_deleted = connection.execute(statement).rowcount

    def _newest_unneeded_change(self) -> int | None:
        """Return the newest change that no artifact in reach needs; None if one of them needs every change.

        In reach are the active artifact and those that a rollback leads to. The newest change of all stays: the next
        number must be greater, and a follower must see that nothing is missing.
        """
        try:
            versions = self._store.standing()
        except RegistryUnreadable:
            return None
        manifests = {listed.version: listed.manifest for listed in self._store.listed()}
        sequences = [manifest.sequence for version in versions if (manifest := manifests.get(version))]
        if not sequences or None in sequences:
            return None
        with read_connection(self._engine) as connection:
            newest = connection.scalar(select(func.max(Change.sequence))) or 0
        return min(newest - 1, *(sequence for sequence in sequences if sequence is not None))


def is_turn_taken(connection: Connection) -> bool:
    """Let one worker clean up at a time: tell whether it is this one, until its transaction ends."""
    if connection.dialect.name != "postgresql":
        return True
    return bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}))
