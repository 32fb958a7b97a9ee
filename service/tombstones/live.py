"""Keeps erased accounts out of memory, and hides them in artifacts that were trained before they were erased."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, select

from service.readmodel.live_state import LiveState
from service.storage.changes import ChangeKind
from service.sync.sections import ChangeSet, LiveSection
from service.tombstones.digests import read_digests
from service.tombstones.tables import Tombstone

ACCOUNTS_ERASED: Final = ChangeKind("erasures")
"""Digests of accounts."""


def load(state: LiveState, connection: Connection, _changes: ChangeSet) -> None:
    """Hide who was erased since the artifact. One that can't tell what it was trained on may hold any of them."""
    query = select(Tombstone.digest).where(Tombstone.sequence > state.sequence)
    _erase(state, connection, connection.scalars(query).all())


def refresh(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Hide and forget who was erased."""
    _erase(state, connection, changes.ids(ACCOUNTS_ERASED))


def _erase(state: LiveState, connection: Connection, digests: Collection[str]) -> None:
    if not digests:
        return
    reader = read_digests(connection)
    rows = reader.matching_rows(state.accounts, digests)
    # Hidden first: whatever is derived from here on is without them.
    state.accounts.hide(rows)
    parts = state.account_parts()
    named = {account_id for part in parts for account_id in part.account_ids()}
    account_ids = reader.matching(named, digests)
    for part in parts:
        part.erase(account_ids, rows)


ERASURES: Final = LiveSection("erasures", frozenset({ACCOUNTS_ERASED}), load, refresh)
