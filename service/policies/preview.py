"""What a policy, or a change of one, would do to the offers of a sample of accounts."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection

from service.base.arbitration_options import ArbitrationOptions
from service.offers.decide import Decision, decide_many
from service.offers.gathering import gather
from service.offers.request import OfferRequest
from service.offers.scores import sample_evenly
from service.policies.caps import count_uses
from service.policies.contacts import count_contacts
from service.policies.errors import BuiltInPolicy, PolicyExists, UnknownPolicy
from service.policies.live import activate_policies, enabled_policies, place_accounts, read_parent_attributes
from service.policies.queries import Stored, changed_definition, id_of
from service.policies.schemas import PolicyIn, PolicyPreviewIn
from service.readmodel.account_hierarchy import AccountHierarchy
from service.readmodel.active_policies import PoliciesInUse
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.kleene import UNKNOWN
from service.readmodel.live_state import LiveState
from service.readmodel.policy_accounts import AccountColumns, AccountTerms, attribute_columns, attribute_names
from service.readmodel.policy_grammar import (
    ACCOUNT_CONDITIONS,
    PRODUCT_CONDITIONS,
    InSegmentRule,
)
from service.readmodel.product_columns import ProductColumns
from service.readmodel.profiles import UNKNOWN_ROW
from service.readmodel.repurchases import RepurchaseMode
from service.readmodel.rule_grammar import OwnsRule, conditions_of
from service.segments.queries import read_attributes

ACCOUNTS_AT_ONCE: Final = 50
MAX_EXAMPLES: Final = 10
LIMIT: Final = 3


@dataclass
class PolicyPreview:
    """What would change for some accounts. See ``PolicyPreviewOut``."""

    accounts: int
    changed: int = 0
    without_offers: int = 0
    without_offers_before: int = 0
    withheld: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Proposal:
    """Every policy as it is and as it would be. policy: the one that is tried, as it would be; or that is removed."""

    before: Sequence[Stored]
    after: Sequence[Stored]
    policy: Stored
    is_removal: bool = False

    @property
    def definition(self) -> PolicyIn | None:
        """The definition of the policy that is tried; None of a built-in one."""
        return None if self.policy.is_built_in else PolicyIn.model_validate(self.policy.definition)


def proposal_of(stored: Sequence[Stored], given: PolicyPreviewIn) -> Proposal:
    """Return what is proposed; raises UnknownPolicy, PolicyExists, BuiltInPolicy, PolicyAlwaysOn or ValidationError."""
    if given.policy is not None:
        policy = Stored(id_of(given.policy), given.policy.definition())
        for each in stored:
            if policy.policy_id == each.policy_id or given.policy.name == each.definition["name"]:
                is_id = policy.policy_id == each.policy_id
                raise PolicyExists(policy.policy_id, given.policy.name, is_id=is_id)
        return Proposal(stored, [*stored, policy], policy)
    current = next((each for each in stored if each.policy_id == given.policy_id), None)
    if current is None:
        raise UnknownPolicy(str(given.policy_id))
    others = [each for each in stored if each is not current]
    if given.change is None:
        if current.is_built_in:
            raise BuiltInPolicy(current.policy_id)
        return Proposal(stored, others, current, is_removal=True)
    changed = replace(current, definition=changed_definition(current, given.change))
    return Proposal(stored, [*others, changed], changed)


def try_out(
    state: LiveState,
    connection: Connection,
    proposal: Proposal,
    sample: int,
    now: datetime,
    options: ArbitrationOptions,
) -> dict[str, Any]:
    """Return a ``PolicyPreviewOut``."""
    accounts, policy_id = sample_accounts(state, sample), proposal.policy.policy_id
    before, after = (activate(state, connection, stored, accounts) for stored in (proposal.before, proposal.after))
    result = preview(state, before, after, policy_id, accounts, now, options)
    definition, fired = proposal.definition, result.fired
    described = {name: value for name, value in vars(result).items() if name != "fired"}
    return described | {
        "never_fired": [each for each in after.active.policy_ids if not fired[each]],
        "unknown": count_unknown_accounts(state, connection, definition.rule, accounts) if definition else {},
        "unknown_products": count_unknown_products(state, definition) if definition else {},
    }


def sample_accounts(state: LiveState, size: int) -> list[str]:
    """Return accounts of the artifact, the same ones whenever they are asked for."""
    ids = state.content.account_ids
    rows = state.accounts.visible(np.arange(len(ids))).tolist()
    return [ids.texts[row] for row in sample_evenly(rows, size)]


def activate(state: LiveState, connection: Connection, stored: Sequence[Stored], accounts: list[str]) -> PoliciesInUse:
    """Return policies as if they were stored, for some accounts alone."""
    enabled = enabled_policies(stored)
    terms = AccountTerms(state, enabled.rules.terms["account"], np.zeros((0, 0), dtype=np.int8))
    place_accounts(state, connection, terms, accounts)
    return PoliciesInUse(
        activate_policies(state, enabled, terms),
        count_contacts(connection, enabled.by_count, state.part(AccountHierarchy).now, accounts),
        count_uses(connection, enabled.by_count.caps),
    )


def preview(
    state: LiveState,
    before: PoliciesInUse,
    after: PoliciesInUse,
    policy_id: str,
    accounts: Sequence[str],
    now: datetime,
    options: ArbitrationOptions,
) -> PolicyPreview:
    """Decide for every account with both sets of policies. Nothing is counted or recorded.

    policy_id: the policy whose withheld candidates are counted: in ``after``, or in ``before`` if it is removed.
    """
    result = PolicyPreview(len(accounts))
    is_after = policy_id in after.active.policy_ids
    for begin in range(0, len(accounts), ACCOUNTS_AT_ONCE):
        requests = [OfferRequest(account_id, LIMIT) for account_id in accounts[begin : begin + ACCOUNTS_AT_ONCE]]
        decisions = [
            decide_many(gather(state, requests, options, now=now, policies=tried)) for tried in (before, after)
        ]
        for request, *pair in zip(requests, *decisions, strict=True):
            _compare(result, str(request.account_id), *pair)
            result.withheld += pair[is_after].withheld_by_policy.get(policy_id, 0)
    return result


def _compare(result: PolicyPreview, account_id: str, before: Decision, after: Decision) -> None:
    offered = [[offer["product_id"] for offer in decision.offers] for decision in (before, after)]
    result.without_offers_before += not offered[0]
    result.without_offers += not offered[1]
    result.fired.update(after.withheld_by_policy)
    if offered[0] != offered[1]:
        result.changed += 1
        if len(result.examples) < MAX_EXAMPLES:
            result.examples.append({"account_id": account_id, "before": offered[0], "after": offered[1]})


def count_unknown_accounts(
    state: LiveState, connection: Connection, rule: Any, account_ids: Sequence[str]
) -> dict[str, int]:
    """Count the accounts of which each condition of a rule on accounts is unknown, by what it asks for."""
    if rule is None:
        return {}
    conditions = [condition for condition in conditions_of(rule) if isinstance(condition, ACCOUNT_CONDITIONS)]
    names = attribute_names(conditions)
    stored = read_attributes(connection, account_ids) if names else {}
    rows = [state.content.account_ids.row_of(account_id) for account_id in account_ids]
    known = np.array([UNKNOWN_ROW if row is None else row for row in rows], dtype=np.int64)
    parents = read_parent_attributes(state, connection, conditions, account_ids)
    columns = AccountColumns(state, account_ids, known, attribute_columns(names, account_ids, stored), parents)
    return _count_unknown(conditions, columns, np.ones(len(account_ids), dtype=np.bool_))


def count_unknown_products(state: LiveState, policy: PolicyIn) -> dict[str, int]:
    """Count the products in scope of which each condition of a policy on products is unknown."""
    columns = ProductColumns(state.part(CatalogueView))
    if policy.rule is None:
        n = _count_without_interval(state, policy, columns)
        return {"repurchase_interval": n} if n else {}
    conditions = [condition for condition in conditions_of(policy.rule) if isinstance(condition, PRODUCT_CONDITIONS)]
    return _count_unknown(conditions, columns, columns.in_scope(policy.scope))


def _count_without_interval(state: LiveState, policy: PolicyIn, columns: ProductColumns) -> int:
    """Count the consumables of a policy that are treated as durable, as no interval is given or learned."""
    repurchase = policy.repurchase
    if repurchase is None or repurchase.mode is not RepurchaseMode.CONSUMABLE or repurchase.after_days is not None:
        return 0
    return int(np.isnan(state.content.repurchases.interval_days[columns.in_scope(policy.scope)]).sum())


def _count_unknown(conditions: Sequence[Any], columns: AccountColumns | ProductColumns, counted: Any) -> dict[str, int]:
    """Count each row once for each name, whichever of the conditions on it is unknown."""
    unknown: dict[str, Any] = {}
    for condition in conditions:
        is_unknown = (columns.value_of(condition) == UNKNOWN) & counted
        for name in _asked_by(condition):
            unknown[name] = unknown.get(name, False) | is_unknown
    return {name: int(is_unknown.sum()) for name, is_unknown in unknown.items() if is_unknown.any()}


def _asked_by(condition: Any) -> Iterator[str]:
    if isinstance(condition, InSegmentRule):
        yield from condition.in_segment
    elif isinstance(condition, OwnsRule):
        yield "owns"
    else:
        names = ("field", "attribute", "product", "product_attribute")
        yield next(getattr(condition, name) for name in names if hasattr(condition, name))
