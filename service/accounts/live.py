"""What is kept in memory of accounts: objections to marketing, the hierarchy, and records that were asked for."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, select

from service.accounts.hierarchy_queries import read_parents
from service.accounts.tables import Consent
from service.catalogue.live import PRODUCTS_CHANGED
from service.orders.live import ORDERS_CHANGED
from service.readmodel.account_cache import AccountCache
from service.readmodel.account_hierarchy import AccountHierarchy
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.storage.bulk import in_chunks
from service.storage.changes import ChangeKind
from service.sync.sections import ChangeSet, LiveSection
from service.tombstones.objections import CONSENT_CHANGED

ACCOUNTS_CHANGED: Final = ChangeKind("accounts")
"""Identifiers of accounts."""


NOTES_CHANGED: Final = ChangeKind("account notes")
"""Identifiers of accounts."""


def load_objections(state: LiveState, connection: Connection, _changes: ChangeSet) -> None:
    """Read who objects to marketing."""
    state.part(Objections).replace((), objecting_accounts(connection))


def refresh_objections(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Read which of some accounts object now."""
    account_ids = changes.ids(CONSENT_CHANGED)
    state.part(Objections).replace(account_ids, objecting_accounts(connection, account_ids))


def objecting_accounts(connection: Connection, account_ids: Sequence[str] | None = None) -> set[str]:
    """Return those of some accounts, or of all, that object to marketing."""
    query = select(Consent.account_id).where(Consent.is_objecting)
    if account_ids is None:
        return set(connection.scalars(query))
    return {
        account_id
        for chunk in in_chunks(account_ids)
        for account_id in connection.scalars(query.where(Consent.account_id.in_(chunk)))
    }


def load_hierarchy(state: LiveState, connection: Connection, _changes: ChangeSet) -> None:
    """Read all parents."""
    state.part(AccountHierarchy).replace((), read_parents(connection))


def refresh_hierarchy(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Read the parents that some accounts have now."""
    hierarchy, account_ids = state.part(AccountHierarchy), changes.ids(ACCOUNTS_CHANGED)
    before = hierarchy.now
    changed = hierarchy.replace(account_ids, read_parents(connection, account_ids))
    # Their records hold totals over their groups, as do those above them now: see forget_accounts.
    state.part(AccountCache).forget({above for account_id in changed for above in before.ancestors(account_id)})


ACCOUNT_KINDS: Final = (ACCOUNTS_CHANGED, ORDERS_CHANGED, CONSENT_CHANGED, NOTES_CHANGED)
"""Changes of what an account's record holds."""


def skip_loading(_state: LiveState, _connection: Connection, _changes: ChangeSet) -> None:
    """Read nothing: a cache fills as accounts are asked for."""


def forget_accounts(state: LiveState, _connection: Connection, changes: ChangeSet) -> None:
    """Forget the accounts whose facts changed; all of them where products did, whose names each record holds."""
    cache = state.part(AccountCache)
    if changes.ids(PRODUCTS_CHANGED):
        cache.forget_all()
    account_ids, hierarchy = changes.ids(*ACCOUNT_KINDS), state.part(AccountHierarchy)
    cache.forget(account_ids)
    # An account's record holds totals over its group.
    cache.forget({above for account_id in account_ids for above in hierarchy.now.ancestors(account_id)})


OBJECTIONS: Final = LiveSection("objections", frozenset({CONSENT_CHANGED}), load_objections, refresh_objections)
HIERARCHY: Final = LiveSection("account hierarchy", frozenset({ACCOUNTS_CHANGED}), load_hierarchy, refresh_hierarchy)
ACCOUNT_CACHE: Final = LiveSection(
    "account cache",
    frozenset({*ACCOUNT_KINDS, PRODUCTS_CHANGED}),
    skip_loading,
    forget_accounts,
    reads=frozenset({HIERARCHY.name}),
)
