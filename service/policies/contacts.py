"""What is kept in memory of contacts: how often each account was offered something, and what it said to it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, and_, or_, select

from service.accounts.live import ACCOUNTS_CHANGED, HIERARCHY
from service.base.ids import first_decision_id
from service.decisions.tables import DecisionOffer, DecisionRow
from service.decisions.writing import DECISIONS_CHANGED
from service.outcomes.queries import OUTCOMES_CHANGED
from service.outcomes.tables import OutcomeRow
from service.policies.live import POLICIES, POLICIES_CHANGED
from service.readmodel.account_hierarchy import AccountHierarchy, Hierarchy
from service.readmodel.active_policies import ActivePolicies, CountingPolicies
from service.readmodel.contact_policies import Contact, ContactProduct
from service.readmodel.contacts import Contacts
from service.readmodel.live_state import LiveState
from service.readmodel.outcome_kinds import OutcomeKind
from service.readmodel.suppressions import Reported
from service.storage.bulk import in_chunks
from service.sync.sections import ChangeSet, LiveSection

ROWS_AT_ONCE: Final = 10_000


def load(state: LiveState, connection: Connection, _changes: ChangeSet) -> None:
    """Count what each account was offered, and what it said."""
    by_count = state.part(ActivePolicies).by_count
    state.replace_part(count_contacts(connection, by_count, state.part(AccountHierarchy).now))


def refresh(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Count what some accounts were offered, or said, since; for all of them anew if a policy changed, or a group did
    that is counted.
    """
    contacts, by_count = state.part(Contacts), state.part(ActivePolicies).by_count
    is_same = list(contacts.limits.values()) == list(by_count.limits)
    if contacts.counts_groups:
        is_same &= contacts.hierarchy is state.part(AccountHierarchy).now
    if not is_same or contacts.suppressions != tuple(by_count.suppressions):
        load(state, connection, changes)
        return
    if account_ids := changes.ids(DECISIONS_CHANGED):
        _count_decisions(contacts, connection, account_ids)
    if account_ids := changes.ids(OUTCOMES_CHANGED):
        _count_reports(contacts, connection, account_ids)


def count_contacts(
    connection: Connection,
    policies: CountingPolicies,
    hierarchy: Hierarchy,
    account_ids: Sequence[str] | None = None,
) -> Contacts:
    """Return what some accounts, or all, were offered and said as far as it may still count."""
    contacts = Contacts(policies.limits, policies.suppressions, hierarchy)
    named = account_ids
    if account_ids is not None and contacts.counts_groups:
        tops = {contacts.top_of(account_id) for account_id in account_ids}
        named = sorted({member for top in tops for member in hierarchy.group(top)})
    _count_decisions(contacts, connection, named)
    _count_reports(contacts, connection, account_ids)
    return contacts


def _count_decisions(contacts: Contacts, connection: Connection, account_ids: Sequence[str] | None) -> None:
    if not contacts.counts_decisions:
        return
    newest = connection.scalar(select(DecisionRow.decided_at).order_by(DecisionRow.decision_id.desc()).limit(1))
    if newest is None:
        return
    # What did not count any more at the newest decision does not count now.
    query = _decisions_since(contacts.earliest_decision(newest))
    for part in [None] if account_ids is None else in_chunks(account_ids):
        named = query if part is None else query.where(DecisionRow.account_id.in_(part))
        for account_id, contact in _read_decisions(connection, named):
            contacts.note(account_id, contact)


def _decisions_since(begin: datetime) -> Any:
    columns = (
        DecisionRow.decision_id, DecisionRow.account_id, DecisionRow.decided_at, DecisionRow.channel,
        DecisionOffer.product_id, DecisionOffer.line, DecisionOffer.category,
    )  # fmt: skip
    is_same = DecisionOffer.decision_id == DecisionRow.decision_id
    is_counted = (DecisionRow.decision_id >= first_decision_id(begin), DecisionRow.account_id.is_not(None))
    return select(*columns).join(DecisionOffer, is_same).where(*is_counted).order_by(DecisionRow.decision_id)


def _read_decisions(connection: Connection, query: Any) -> Iterator[tuple[str, Contact]]:
    rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query)
    for decision_id, offers in groupby(rows, key=lambda row: row.decision_id):
        of_decision = list(offers)
        first = of_decision[0]
        products = [_product(row) for row in of_decision]
        yield first.account_id, Contact(first.decided_at, decision_id, first.channel, products)


def _count_reports(contacts: Contacts, connection: Connection, account_ids: Sequence[str] | None) -> None:
    if not contacts.counts_reports:
        return
    newest = connection.scalar(select(OutcomeRow.occurred_at).order_by(OutcomeRow.occurred_at.desc()).limit(1))
    if newest is None:
        return
    query = _outcomes_that_count(contacts, newest)
    for part in [None] if account_ids is None else in_chunks(account_ids):
        named = query if part is None else query.where(OutcomeRow.account_id.in_(part))
        reported: dict[str, list[Reported]] = {account_id: [] for account_id in part or ()}
        reported |= {account_id: list(each) for account_id, each in _read_outcomes(connection, named)}
        for account_id, of_account in reported.items():
            contacts.report(account_id, of_account)


def _outcomes_that_count(contacts: Contacts, now: datetime) -> Any:
    limited = and_(OutcomeRow.kind.in_(contacts.limited_kinds), OutcomeRow.occurred_at >= contacts.earliest_report(now))
    is_meant = or_(limited, OutcomeRow.kind.in_(contacts.suppressing_kinds))
    is_valid = (OutcomeRow.is_placed, ~OutcomeRow.is_automated, OutcomeRow.retracted_at.is_(None))
    is_theirs = OutcomeRow.account_id.is_not(None)
    return select(OutcomeRow.__table__).where(is_theirs, is_meant, *is_valid).order_by(OutcomeRow.account_id)


def _read_outcomes(connection: Connection, query: Any) -> Iterator[tuple[str, Iterator[Reported]]]:
    rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query)
    for account_id, of_account in groupby(rows, key=lambda row: row.account_id):
        yield (
            account_id,
            (
                Reported(row.occurred_at, row.outcome_id, OutcomeKind(row.kind), row.channel, _product(row), row.reason)
                for row in of_account
            ),
        )


def _product(row: Any) -> ContactProduct:
    return ContactProduct(row.product_id, row.line or "", row.category or "")


CONTACTS: Final = LiveSection(
    "contacts",
    frozenset({DECISIONS_CHANGED, OUTCOMES_CHANGED, POLICIES_CHANGED, ACCOUNTS_CHANGED}),
    load,
    refresh,
    reads=frozenset({POLICIES.name, HIERARCHY.name}),
)
