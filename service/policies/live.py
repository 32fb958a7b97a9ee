"""What is kept in memory of policies: the enabled ones, and what of accounts and products they ask for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from service.accounts.live import ACCOUNTS_CHANGED, HIERARCHY
from service.accounts.tables import Account
from service.catalogue.live import CATALOGUE, PRODUCTS_CHANGED
from service.orders.live import ORDERS_CHANGED, OWNERSHIP
from service.policies.built_in import BUILT_IN
from service.policies.queries import Stored, all_policies
from service.policies.schemas import PolicyIn
from service.readmodel.account_hierarchy import AccountHierarchy
from service.readmodel.active_policies import ActivePolicies, CountingPolicies
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.factors import FactorColumn
from service.readmodel.live_state import LiveState
from service.readmodel.parent_attributes import NO_PARENTS, ParentAttributes
from service.readmodel.policies import PolicySet, PolicyType, leaves_of
from service.readmodel.policy_accounts import (
    AccountColumns,
    AccountTerms,
    attribute_columns,
    attribute_names,
    parent_attribute_names,
    relations_of,
)
from service.readmodel.policy_grammar import InSegmentRule
from service.readmodel.policy_products import ProductPolicies
from service.readmodel.product_columns import ProductColumns
from service.readmodel.related_owners import accounts_concerned, nodes_above
from service.readmodel.repurchases import RepurchasePolicies, RepurchasePolicy
from service.readmodel.segment_membership import SegmentMembership
from service.segments.live import SEGMENTS, SEGMENTS_CHANGED
from service.segments.queries import read_attributes
from service.storage.changes import ChangeKind
from service.sync.sections import ChangeSet, LiveSection
from service.tombstones.live import ACCOUNTS_ERASED

POLICIES_CHANGED: Final = ChangeKind("policies")
"""Identifiers of policies."""
MAX_STRANGERS: Final = 100_000
"""Accounts with attributes that the artifact does not know, and nobody has ordered for or changed since: of more than
these nothing is known, so that policies withhold from them."""


def load(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Read all policies, and work out what they ask of every account."""
    enabled = enabled_policies(all_policies(connection))
    terms = enabled.rules.terms["account"]
    names = attribute_names(terms)
    columns, others = _stored_attributes(state, connection, names)
    parents = read_parent_attributes(state, connection, terms)
    accounts = AccountTerms(state, terms, _artifact_values(state, terms, columns, parents))
    membership = state.part(SegmentMembership)
    known = [*changes.ids(ACCOUNTS_CHANGED, ORDERS_CHANGED), *membership.newcomers, *membership.strategic]
    known += _linked_strangers(state, terms)
    state.part(AccountHierarchy).take_left()  # Everything is worked out anew.
    strangers = {account_id for account_id in known if state.content.account_ids.row_of(account_id) is None}
    account_ids = sorted(strangers | others.keys())
    accounts.place(state, account_ids, attribute_columns(names, account_ids, others), parents)
    state.replace_part(activate_policies(state, enabled, accounts))


def refresh(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Work out what changed: policies, the catalogue, segments, or single accounts."""
    active = state.part(ActivePolicies)
    if changes.ids(POLICIES_CHANGED):
        active = _with_policies(state, connection, active)
    elif changes.ids(PRODUCTS_CHANGED) and (active.policy_ids or active.repurchases is not None):
        repurchases = () if active.repurchases is None else active.repurchases.policies
        active = active.with_products(*over_catalogue(state, active.policies, repurchases))
    if segment_ids := changes.ids(SEGMENTS_CHANGED):
        active = _with_segments(state, connection, active, segment_ids)
    if account_ids := _accounts_to_place(state, active.accounts.terms, changes):
        place_accounts(state, connection, active.accounts, account_ids)
    if active is not state.part(ActivePolicies):
        state.replace_part(active)


def _accounts_to_place(state: LiveState, terms: Sequence[Any], changes: ChangeSet) -> list[str]:
    """Return the accounts that changed, and those of which terms ask what these own."""
    account_ids, left = changes.ids(ACCOUNTS_CHANGED, ORDERS_CHANGED), state.part(AccountHierarchy).take_left()
    if not (relations := relations_of(terms)):
        return account_ids
    return sorted({*account_ids, *left, *accounts_concerned(state, account_ids, relations)})


class EnabledPolicies(NamedTuple):
    """Policies that are switched on, by what they do.

    switched_off: reason codes of the built-in rules that are switched off.
    """

    rules: PolicySet
    switched_off: frozenset[str]
    by_count: CountingPolicies
    repurchases: list[RepurchasePolicy]


def enabled_policies(stored: Sequence[Stored]) -> EnabledPolicies:
    """Return those of some policies that are enabled."""
    switched_off = {str(BUILT_IN[each.policy_id][0]) for each in stored if each.is_built_in and not each.is_enabled}
    enabled = list(_enabled(stored))
    rules = PolicySet([policy.policy(policy_id) for policy_id, policy in enabled if policy.type.is_engagement])
    limits = [policy.contact_limit(policy_id) for policy_id, policy in enabled if policy.type is PolicyType.LIMIT]
    suppressions = [
        policy.suppression_policy(policy_id) for policy_id, policy in enabled if policy.type is PolicyType.SUPPRESSION
    ]
    caps = [policy.product_cap(policy_id) for policy_id, policy in enabled if policy.type is PolicyType.CAP]
    repurchases = [
        policy.repurchase_policy(policy_id) for policy_id, policy in enabled if policy.type is PolicyType.REPURCHASE
    ]
    by_count = CountingPolicies(limits, suppressions, caps)
    return EnabledPolicies(rules, frozenset(switched_off), by_count, repurchases)


def _enabled(stored: Iterable[Stored]) -> Iterator[tuple[str, PolicyIn]]:
    for each in stored:
        if each.is_enabled and not each.is_built_in:
            yield each.policy_id, PolicyIn.model_validate(each.definition)


def place_accounts(
    state: LiveState, connection: Connection, accounts: AccountTerms, account_ids: Sequence[str]
) -> None:
    """Work out anew what policies ask of some accounts."""
    names = attribute_names(accounts.terms)
    stored = read_attributes(connection, account_ids) if names else {}
    parents = read_parent_attributes(state, connection, accounts.terms, account_ids)
    accounts.place(state, account_ids, attribute_columns(names, account_ids, stored), parents)


def over_catalogue(
    state: LiveState, rules: PolicySet, repurchases: Sequence[RepurchasePolicy]
) -> tuple[ProductPolicies, RepurchasePolicies | None]:
    """Work out which products policies are about."""
    columns, learned = ProductColumns(state.part(CatalogueView)), state.content.repurchases
    products = ProductPolicies(rules, columns)
    return products, RepurchasePolicies(repurchases, columns, learned) if repurchases else None


def activate_policies(state: LiveState, enabled: EnabledPolicies, accounts: AccountTerms) -> ActivePolicies:
    """Return policies as decisions apply them. accounts: what the rules ask of them."""
    products, repurchases = over_catalogue(state, enabled.rules, enabled.repurchases)
    return ActivePolicies(enabled.rules, accounts, products, enabled.switched_off, enabled.by_count, repurchases)


def _with_policies(state: LiveState, connection: Connection, active: ActivePolicies) -> ActivePolicies:
    """Read all policies. Of accounts only terms that are new are worked out for all."""
    enabled = enabled_policies(all_policies(connection))
    terms = enabled.rules.terms["account"]
    known = {key: place for place, key in enumerate(active.policies.account_keys)}
    places = [known.get(key) for key in enabled.rules.account_keys]
    new = [number for number, place in enumerate(places) if place is None]
    accounts = active.accounts
    if new or len(places) != len(known) or places != list(range(len(places))):
        matrix = np.empty((len(state.content.account_ids), len(terms)), dtype=np.int8)
        for number, place in enumerate(places):
            if place is not None:
                matrix[:, number] = active.accounts.matrix[:, place]
        accounts = _recomputed(state, connection, active.accounts, terms, matrix, new)
    return activate_policies(state, enabled, accounts)


def _with_segments(
    state: LiveState, connection: Connection, active: ActivePolicies, segment_ids: Sequence[str]
) -> ActivePolicies:
    """Work out anew, for all accounts, the terms that ask for some segments."""
    terms = active.accounts.terms
    touched = [number for number, term in enumerate(terms) if not _segments_of(term).isdisjoint(segment_ids)]
    if not touched:
        return active
    accounts = _recomputed(state, connection, active.accounts, terms, active.accounts.matrix.copy(), touched)
    return active.with_accounts(accounts)


def _recomputed(
    state: LiveState,
    connection: Connection,
    before: AccountTerms,
    terms: Sequence[Any],
    matrix: NDArray[np.int8],
    numbers: Sequence[int],
) -> AccountTerms:
    """Return the terms of all accounts. numbers: the columns of the matrix that are to be worked out anew."""
    unread = [terms[number] for number in numbers]
    columns, others = _stored_attributes(state, connection, attribute_names(unread))
    if unread:
        matrix[:, numbers] = _artifact_values(state, unread, columns, read_parent_attributes(state, connection, unread))
    accounts = AccountTerms(state, terms, matrix)
    place_accounts(state, connection, accounts, sorted({*before.by_account, *others, *_linked_strangers(state, terms)}))
    return accounts


def read_parent_attributes(
    state: LiveState, connection: Connection, terms: Iterable[Any], account_ids: Sequence[str] | None = None
) -> ParentAttributes:
    """Read what terms ask of the accounts above some accounts, or of all parents."""
    names, hierarchy = parent_attribute_names(terms), state.part(AccountHierarchy).now
    if not names:
        return NO_PARENTS
    above = hierarchy.starts if account_ids is None else nodes_above(hierarchy, hierarchy.nodes_of(account_ids))[1]
    nodes = np.unique(above)
    parent_ids = list(map(hierarchy.account_of, nodes.tolist()))
    return ParentAttributes(nodes, attribute_columns(names, parent_ids, read_attributes(connection, parent_ids)))


def _artifact_values(
    state: LiveState, terms: Sequence[Any], columns: Mapping[str, FactorColumn], parents: ParentAttributes
) -> NDArray[np.int8]:
    if not terms:
        return np.zeros((len(state.content.account_ids), 0), dtype=np.int8)
    return AccountColumns.of_artifact(state, columns, parents).values_of(terms)


def _linked_strangers(state: LiveState, terms: Sequence[Any]) -> Iterable[str]:
    """Return accounts that the artifact does not know, of which terms may know what related ones own."""
    return state.part(AccountHierarchy).account_ids() if relations_of(terms) else ()


def _segments_of(term: Any) -> set[str]:
    conditions = (condition for condition in leaves_of(term) if isinstance(condition, InSegmentRule))
    return {segment_id for condition in conditions for segment_id in condition.in_segment}


def _stored_attributes(
    state: LiveState, connection: Connection, names: Sequence[str]
) -> tuple[dict[str, FactorColumn], dict[str, Mapping[str, Any]]]:
    """Read some attributes of all accounts: columns of the artifact's, and those of others by account."""
    n, row_of = len(state.content.account_ids), state.content.account_ids.row_of
    values: dict[str, list[tuple[int, Any]]] = {name: [] for name in names}
    others: dict[str, Mapping[str, Any]] = {}
    if not names:
        return {}, others
    for account_id, stored in connection.execute(select(Account.account_id, Account.attributes)):
        row = row_of(account_id)
        if row is None and len(others) < MAX_STRANGERS:
            others[account_id] = {name: stored.get(name) for name in names}
        elif row is not None:
            for name in names:
                if stored.get(name) is not None:
                    values[name].append((row, stored[name]))
    return {name: FactorColumn.from_values(n, items) for name, items in values.items()}, others


POLICIES: Final = LiveSection(
    "policies",
    frozenset(
        {ACCOUNTS_CHANGED, ACCOUNTS_ERASED, ORDERS_CHANGED, SEGMENTS_CHANGED, PRODUCTS_CHANGED, POLICIES_CHANGED}
    ),
    load,
    refresh,
    reads=frozenset({CATALOGUE.name, OWNERSHIP.name, HIERARCHY.name, SEGMENTS.name}),
)
