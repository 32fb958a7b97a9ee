"""Deletes what is kept only for a time: decisions, answers to idempotent writes, changes that every artifact holds."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, select, text

from service.base.ids import first_decision_id
from service.base.settings import Settings
from service.decisions.tables import DecisionBlock, DecisionRow
from service.storage.database import read_connection
from service.storage.tables import Change
from service.sync.artifact_store import ArtifactStore
from service.sync.errors import RegistryUnreadable
from service.web.idempotency.tables import IdempotentAnswer

ROWS_AT_ONCE: Final = 2000
"""Small enough that a writer who waits does not notice."""
_LOCK: Final = 0x6E786F686B


class PeriodicCleanup:
    """What one worker does at a time, every now and then."""

    def __init__(self, engine: Engine, store: ArtifactStore, settings: Settings, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._store = store
        self._settings = settings
        self._now = now

    def tidy(self) -> None:
        """Delete what has had its time. Blocks; raises SQLAlchemyError."""
        settings, now = self._settings, self._now()
        decided_before = now - timedelta(days=settings.decision_retention_days)
        answered_before = now - timedelta(hours=settings.idempotency_hours)
        oldest = first_decision_id(decided_before)
        self._delete(DecisionRow.decision_id, DecisionRow.decision_id < oldest)
        # A block's identifier is made after those of its decisions: none is left whose decisions stay without it.
        self._delete(DecisionBlock.block_id, DecisionBlock.block_id < oldest)
        self._delete_answers(answered_before)
        needed = self._oldest_needed()
        if needed is not None:
            changed_before = now - timedelta(days=settings.change_retention_days)
            self._delete(Change.sequence, Change.sequence <= needed, Change.changed_at < changed_before)

    def _delete(self, key: Any, *conditions: Any) -> None:
        some = select(key).where(*conditions).limit(ROWS_AT_ONCE)
        self._repeat(delete(key.class_).where(key.in_(some.scalar_subquery())))

    def _delete_answers(self, before: datetime) -> None:
        # By the moment, not by the key of two columns; those of one moment go together.
        self._repeat(delete(IdempotentAnswer).where(IdempotentAnswer.created_at < before))

    def _repeat(self, statement: Any) -> None:
        n_deleted = ROWS_AT_ONCE
        while n_deleted >= ROWS_AT_ONCE:
            with self._engine.begin() as connection:
                if not takes_its_turn(connection):
                    return
                n_deleted = connection.execute(statement).rowcount

    def _oldest_needed(self) -> int | None:
        """The newest change that no artifact in reach needs; None if one of them needs every change.

        In reach are the active artifact and those that a roll back leads to. The newest change of all stays: the next
        number must be greater, and a tail must see that nothing is missing.
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


def takes_its_turn(connection: Connection) -> bool:
    """Let one worker tidy at a time; the others leave it to that one."""
    if connection.dialect.name != "postgresql":
        return True
    return bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}))
