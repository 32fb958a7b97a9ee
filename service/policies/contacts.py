"""What is kept in memory of contacts: how often limits let each account be offered something again."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, select

from service.base.ids import first_decision_id
from service.decisions.tables import DecisionOffer, DecisionRow
from service.decisions.writing import DECISIONS_CHANGED
from service.policies.live import POLICIES, POLICIES_CHANGED
from service.readmodel.active_policies import ActivePolicies
from service.readmodel.contact_policies import Contact, ContactLimit, ContactProduct
from service.readmodel.contacts import Contacts
from service.readmodel.live_state import LiveState
from service.storage.bulk import in_chunks
from service.sync.sections import ChangeSet, LiveSection

ROWS_AT_ONCE: Final = 10_000


def load(state: LiveState, connection: Connection, _changes: ChangeSet) -> None:
    """Count what each account was offered."""
    state.replace_part(count_contacts(connection, state.part(ActivePolicies).limits))


def refresh(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Count what some accounts were offered since; for all of them anew if a limit changed."""
    contacts, limits = state.part(Contacts), state.part(ActivePolicies).limits
    if list(contacts.limits.values()) != list(limits):
        load(state, connection, changes)
    elif limits and (account_ids := changes.ids(DECISIONS_CHANGED)):
        _count(contacts, connection, account_ids)


def count_contacts(
    connection: Connection, limits: Sequence[ContactLimit], account_ids: Sequence[str] | None = None
) -> Contacts:
    """Return what some accounts, or all, were offered as far as it may still count."""
    contacts = Contacts(limits)
    if limits:
        _count(contacts, connection, account_ids)
    return contacts


def _count(contacts: Contacts, connection: Connection, account_ids: Sequence[str] | None) -> None:
    newest = connection.scalar(select(DecisionRow.decided_at).order_by(DecisionRow.decision_id.desc()).limit(1))
    if newest is None:
        return
    # What did not count any more at the newest decision does not count now.
    query = _contacts_since(contacts.earliest(newest))
    parts = [None] if account_ids is None else in_chunks(account_ids)
    for part in parts:
        named = query if part is None else query.where(DecisionRow.account_id.in_(part))
        for account_id, contact in _read(connection, named):
            contacts.note(account_id, contact)


def _contacts_since(begin: datetime) -> Any:
    columns = (
        DecisionRow.decision_id, DecisionRow.account_id, DecisionRow.decided_at, DecisionRow.channel,
        DecisionOffer.product_id, DecisionOffer.line, DecisionOffer.category,
    )  # fmt: skip
    is_same = DecisionOffer.decision_id == DecisionRow.decision_id
    is_counted = (DecisionRow.decision_id >= first_decision_id(begin), DecisionRow.account_id.is_not(None))
    return select(*columns).join(DecisionOffer, is_same).where(*is_counted).order_by(DecisionRow.decision_id)


def _read(connection: Connection, query: Any) -> Iterator[tuple[str, Contact]]:
    rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query)
    for decision_id, offers in groupby(rows, key=lambda row: row.decision_id):
        of_decision = list(offers)
        first = of_decision[0]
        products = [ContactProduct(row.product_id, row.line or "", row.category or "") for row in of_decision]
        yield first.account_id, Contact(first.decided_at, decision_id, first.channel, products)


CONTACTS: Final = LiveSection(
    "contacts",
    frozenset({DECISIONS_CHANGED, POLICIES_CHANGED}),
    load,
    refresh,
    reads=frozenset({POLICIES.name}),
)
