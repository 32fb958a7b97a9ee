"""Reads the change log."""

from collections import defaultdict
from typing import Final

from sqlalchemy import Connection, func, select

from service.storage.tables import Change
from service.sync.sections import ChangeSet

CHANGES_PER_SCAN: Final = 50_000


def changes_after(connection: Connection, sequence: int, limit: int) -> ChangeSet:
    """Read at most ``limit`` changes with a greater sequence number."""
    query = select(Change.sequence, Change.kind, Change.ids).where(Change.sequence > sequence)
    ids_by_kind: dict[str, dict[str, None]] = defaultdict(dict)
    n_rows, newest = 0, sequence
    for newest, kind, ids in connection.execute(query.order_by(Change.sequence).limit(limit)):  # noqa: B007
        n_rows += 1
        ids_by_kind[kind].update(dict.fromkeys(ids))
    return ChangeSet({kind: list(ids) for kind, ids in ids_by_kind.items()}, newest, is_last=n_rows < limit)


def all_changes_after(connection: Connection, sequence: int) -> ChangeSet:
    """Read every change with a greater sequence number: each identifier once, however often it changed."""
    ids_by_kind: dict[str, dict[str, None]] = defaultdict(dict)
    is_last = False
    while not is_last:
        changes = changes_after(connection, sequence, CHANGES_PER_SCAN)
        sequence, is_last = changes.sequence, changes.is_last
        for kind, ids in changes.ids_by_kind.items():
            ids_by_kind[kind].update(dict.fromkeys(ids))
    return ChangeSet({kind: list(ids) for kind, ids in ids_by_kind.items()}, sequence)


def has_gap(connection: Connection, sequence: int) -> bool:
    """Tell whether changes that came after a sequence number may have been deleted already.

    The oldest that is kept then comes after the next one. A transaction that was rolled back leaves such a gap, too.
    """
    oldest = connection.scalar(select(func.min(Change.sequence)))
    return oldest is not None and oldest > sequence + 1
