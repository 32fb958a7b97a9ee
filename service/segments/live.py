"""What is kept in memory of segments: who is in those that users define, and who is strategic."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from sqlalchemy import Connection, select

from service.accounts.live import ACCOUNTS_CHANGED
from service.accounts.tables import Account
from service.orders.live import ORDERS_CHANGED, OWNERSHIP
from service.readmodel.live_state import LiveState
from service.readmodel.ownership import Ownership
from service.readmodel.ranked_accounts import Definition
from service.readmodel.segment_membership import (
    STRATEGIC_DEFINITION,
    Attributes,
    SegmentMembership,
    any_reads_attributes,
)
from service.segments.queries import read_attributes, read_definitions
from service.storage.bulk import in_chunks
from service.storage.changes import ChangeKind
from service.sync.sections import ChangeSet, LiveSection

SEGMENTS_CHANGED: Final = ChangeKind("segments")
"""Identifiers of segments."""


def load(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Place all accounts in all segments. Attributes are read once, and only if a rule asks for them."""
    membership = state.part(SegmentMembership)
    membership.set_strategic((), strategic_accounts(connection))
    membership.add_newcomers([*changes.ids(ACCOUNTS_CHANGED, ORDERS_CHANGED), *state.part(Ownership).by_account])
    definitions = [STRATEGIC_DEFINITION, *read_definitions(connection)]
    membership.define(definitions, _attributes_for(definitions, connection))


def refresh(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Place those accounts anew whose facts changed, and all accounts in a segment that did."""
    membership = state.part(SegmentMembership)
    if described := changes.ids(ACCOUNTS_CHANGED):
        membership.set_strategic(described, strategic_accounts(connection, described))
    if account_ids := changes.ids(ACCOUNTS_CHANGED, ORDERS_CHANGED):
        attributes = read_attributes(connection, account_ids) if membership.has_attributes else {}
        membership.refresh(account_ids, attributes)
    if segment_ids := changes.ids(SEGMENTS_CHANGED):
        _redefine(membership, connection, segment_ids)


def _redefine(membership: SegmentMembership, connection: Connection, segment_ids: Sequence[str]) -> None:
    definitions = read_definitions(connection, segment_ids)
    for segment_id in set(segment_ids) - {definition.id for definition in definitions}:
        membership.forget(segment_id)
    read = partial(read_attributes, connection)
    undrafted = [definition for definition in definitions if not membership.accept_draft(definition, read)]
    membership.define(undrafted, _attributes_for(undrafted, connection))


def _attributes_for(definitions: Sequence[Definition], connection: Connection) -> Attributes:
    return read_attributes(connection) if any_reads_attributes(definitions) else {}


def strategic_accounts(connection: Connection, account_ids: Sequence[str] | None = None) -> set[str]:
    """Return those of some accounts, or of all, that are declared strategic."""
    query = select(Account.account_id).where(Account.is_strategic)
    if account_ids is None:
        return set(connection.scalars(query))
    return {
        account_id
        for chunk in in_chunks(account_ids)
        for account_id in connection.scalars(query.where(Account.account_id.in_(chunk)))
    }


SEGMENTS: Final = LiveSection(
    "segments",
    frozenset({ACCOUNTS_CHANGED, ORDERS_CHANGED, SEGMENTS_CHANGED}),
    load,
    refresh,
    reads=frozenset({OWNERSHIP.name}),
)
