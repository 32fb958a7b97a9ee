"""Notes what a transaction changed, so that every worker and replica applies it."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NewType

from sqlalchemy import Connection, func, insert, select, text

from service.storage.tables import Change

IDS_PER_ROW: Final = 1000
CHANNEL: Final = "nextoffer_changes"
_COMMIT_LOCK: Final = 0x6E786F6C6F67

ChangeKind = NewType("ChangeKind", str)
"""Whose facts changed. Each kind is declared by its domain, in ``live.py`` beside the section that it touches."""


class ChangeLog:
    """What one transaction changed: collected until ``write``, the transaction's last statement."""

    def __init__(self) -> None:
        self._touched: dict[ChangeKind, set[str]] = defaultdict(set)

    def touch(self, kind: ChangeKind, ids: Iterable[str]) -> None:
        """Note that the facts behind these identifiers changed."""
        self._touched[kind].update(ids)

    def write(self, connection: Connection, now: datetime) -> int:
        """Write what was noted and return its sequence number; the newest number of all if nothing was.

        On PostgreSQL a number is given before the commit, so that a later number could be seen before an earlier
        one: writers take turns from here to their commit. SQLite has one writer at a time anyway.
        """
        rows = [
            {"kind": kind, "ids": batch, "changed_at": now}
            for kind, ids in sorted(self._touched.items())
            for batch in _in_batches(sorted(ids))
        ]
        if rows and connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _COMMIT_LOCK})
            connection.execute(text(f"NOTIFY {CHANNEL}"))
        if rows:
            connection.execute(insert(Change), rows)
        return newest_sequence(connection)


def newest_sequence(connection: Connection) -> int:
    """Return the newest sequence number that the transaction sees; 0 before the first change."""
    return connection.scalar(select(func.max(Change.sequence))) or 0


def _in_batches(ids: list[str]) -> Iterable[list[str]]:
    return (ids[start : start + IDS_PER_ROW] for start in range(0, len(ids), IDS_PER_ROW))
