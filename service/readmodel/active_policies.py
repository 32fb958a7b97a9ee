"""The policies that decisions apply, with everything about accounts and products that they ask for."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from service.readmodel.account_policies import EVERY_ACCOUNT, AccountPolicies, Held
from service.readmodel.caps import Cap, CapUses
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.contact_policies import ContactLimit
from service.readmodel.contacts import Contacts
from service.readmodel.kleene import compare, evaluate
from service.readmodel.live_state import LiveState
from service.readmodel.policies import PolicySet, PolicyType, leaves_of
from service.readmodel.policy_accounts import AccountTerms
from service.readmodel.policy_grammar import ContextRule
from service.readmodel.policy_products import ProductPolicies
from service.readmodel.product_columns import ProductColumns
from service.readmodel.repurchases import ProductRepurchases, RepurchasePolicies
from service.readmodel.suppressions import Suppression

MAX_CACHE_BYTES: Final = 32 * 1024 * 1024
ENTRY_BYTES: Final = 300
"""What an entry of the cache takes beside its states and values."""
MAX_CACHED_REQUESTS: Final = 1_000
OWNED_BY_PARENT: Final = "owned-by-parent"
"""The reason code of the built-in rule that is off unless somebody switches it on."""
NO_SWITCHES: Final[frozenset[str]] = frozenset({OWNED_BY_PARENT})
"""What is switched off where nobody has switched anything."""


class PolicyRequest(Protocol):
    """What policies ask of a request."""

    @property
    def account_id(self) -> str | None: ...
    @property
    def placement(self) -> str | None: ...
    @property
    def channel(self) -> str | None: ...
    @property
    def basket(self) -> Sequence[str]: ...
    @property
    def context(self) -> Mapping[str, Any]: ...


class PlainRequest(NamedTuple):
    """A request that says nothing but for whom: most of them."""

    account_id: str | None
    placement: str | None = None
    channel: str | None = None
    basket: Sequence[str] = ()
    context: Mapping[str, Any] = MappingProxyType({})


class CountingPolicies(NamedTuple):
    """Policies without a rule: what was offered, said or taken up before decides. Each in the order of their ids."""

    limits: Sequence[ContactLimit] = ()
    suppressions: Sequence[Suppression] = ()
    caps: Sequence[Cap] = ()

    @property
    def has_contacts(self) -> bool:
        """Whether any counts what single accounts were offered, or said."""
        return bool(self.limits or self.suppressions)

    def named(self) -> list[tuple[str, str]]:
        """Return the identifier and the type of each, in the order in which they apply."""
        limits = [(each.id, str(PolicyType.LIMIT)) for each in self.limits]
        suppressions = [(each.id, str(PolicyType.SUPPRESSION)) for each in self.suppressions]
        return [*limits, *suppressions, *((each.id, str(PolicyType.CAP)) for each in self.caps)]


NO_COUNTING: Final = CountingPolicies()


class ActivePolicies:
    """Policies that are switched on, over one version of the catalogue. A change of either makes another object.

    Accounts that change are placed anew in ``accounts``.
    switched_off: reason codes of the built-in rules that are switched off.
    rules_off: the same without the rule that withholds nothing unless ``counts_parents``.
    counts_parents: whether what is owned by the accounts above an account is withheld from it.
    by_count: those without a rule, which come after the ones with rules.
    repurchases: what may be bought again; None where no policy is about that.
    """

    def __init__(
        self,
        policies: PolicySet,
        accounts: AccountTerms,
        products: ProductPolicies,
        switched_off: frozenset[str],
        by_count: CountingPolicies = NO_COUNTING,
        repurchases: RepurchasePolicies | None = None,
    ) -> None:
        self.policies = policies
        self.accounts = accounts
        self.products = products
        self.switched_off = switched_off
        self.rules_off = switched_off - {OWNED_BY_PARENT}  # mostly empty, which costs a decision nothing
        self.counts_parents = OWNED_BY_PARENT not in switched_off
        self.by_count = by_count
        self.repurchases = repurchases
        by_rule = [(compiled.policy.id, str(compiled.policy.type)) for compiled in policies.policies]
        named = [*by_rule, *by_count.named()]
        self.policy_ids = [policy_id for policy_id, _ in named]
        self.policy_types = [policy_type for _, policy_type in named]
        self._places = {policy_id: place for place, policy_id in enumerate(self.policy_ids)}
        self._requests: dict[Any, bytes] = {}
        self._plain_requests = [self._evaluate(PlainRequest(account_id)) for account_id in ("", None)]
        self._context_keys = sorted(_context_keys(policies))
        self._states: dict[bytes, NDArray[np.uint64]] = {}
        self._max_states = MAX_CACHE_BYTES // (ENTRY_BYTES + products.n_terms + products.words.shape[1] * 8)
        bounds = {bound for each in policies.policies for bound in (each.policy.valid_from, each.policy.valid_until)}
        self._bounds: list[datetime] = sorted(bound for bound in bounds if bound is not None)
        self._in_force: dict[int, NDArray[np.uint64]] = {}

    @classmethod
    def empty(cls, state: LiveState) -> Self:
        """See ``LivePart``."""
        policies = PolicySet(())
        accounts = AccountTerms(state, (), np.zeros((0, 0), dtype=np.int8))
        return cls(
            policies, accounts, ProductPolicies(policies, ProductColumns(state.part(CatalogueView))), NO_SWITCHES
        )

    def with_products(self, products: ProductPolicies, repurchases: RepurchasePolicies | None) -> "ActivePolicies":
        """Return the same policies over another version of the catalogue."""
        return ActivePolicies(self.policies, self.accounts, products, self.switched_off, self.by_count, repurchases)

    def with_accounts(self, accounts: AccountTerms) -> "ActivePolicies":
        """Return the same policies over other accounts."""
        return ActivePolicies(
            self.policies, accounts, self.products, self.switched_off, self.by_count, self.repurchases
        )

    @cached_property
    def for_any_request(self) -> "ActivePolicies":
        """The policies with rules, as far as they withhold whatever an account's request is like."""
        policies = self.policies.for_any_request()
        products = self.products if policies is self.policies else self.products.with_policies(policies)
        return ActivePolicies(policies, self.accounts, products, self.switched_off)

    def account_ids(self) -> Iterable[str]:
        """See ``AccountPart``."""
        return tuple(self.accounts.by_account)

    def erase(self, account_ids: Collection[str], _rows: Collection[int]) -> None:
        """See ``AccountPart``."""
        for account_id in account_ids:
            self.accounts.by_account.pop(account_id, None)

    def withheld_from(
        self,
        requests: Sequence[PolicyRequest],
        rows: Sequence[int],
        now: datetime | None,
        contacts: Contacts | None = None,
        cap_uses: CapUses | None = None,
    ) -> AccountPolicies | None:
        """Look up what is withheld from the account of each request; None where there are no policies.

        rows: where the artifact has each account, or UNKNOWN_ROW. now: when; without it, policies of all times apply,
        and none that counts. contacts: of the accounts. cap_uses: what is used of the caps.
        """
        if not self.policy_ids:
            return None
        of_each = [self._states_of(request, row) for request, row in zip(requests, rows, strict=True)]
        # Stacking takes longer than all the rest for one account.
        states = of_each[0][np.newaxis] if len(of_each) == 1 else np.stack(of_each)
        if self._bounds and now is not None:
            states = self.states_in_force(states, now)
        held: list[Held] = []
        if now is not None and self.by_count.has_contacts and contacts is not None:
            held += self._held_by_contacts(requests, contacts, now)
        if now is not None and self.by_count.caps and cap_uses is not None:
            held += self._held_by_caps(requests, cap_uses, now)
        return AccountPolicies(self.products, self.policy_ids, self.policy_types, states, held)

    def _held_by_contacts(self, requests: Sequence[PolicyRequest], contacts: Contacts, now: datetime) -> list[Held]:
        held: list[Held] = []
        for account, request in enumerate(requests):
            for each in contacts.reached_by(request.account_id, request.channel, now):
                if (policy := self._places.get(each.policy.id)) is not None:
                    products = self.products.concerned(each.policy, each.key)
                    held.append(Held(account, policy, products, each.until, is_everything=bool(products.all())))
        return sorted(held, key=lambda each: each.policy)

    def _held_by_caps(self, requests: Sequence[PolicyRequest], cap_uses: CapUses, now: datetime) -> list[Held]:
        exhausted = cap_uses.exhausted(now)
        if not exhausted:
            return []
        exempt = [
            (account, row)
            for account, request in enumerate(requests)
            for row in self.products.rows_of(cap_uses.held_by(request.account_id, now))
        ]
        return [
            Held(EVERY_ACCOUNT, self._places[cap.id], *self.products.exhausted(cap, exhausted[cap.id]), exempt)
            for cap in self.by_count.caps
            if cap.id in exhausted and cap.is_in_force(now)
        ]

    def repurchases_at(self, now: datetime | None) -> ProductRepurchases | None:
        """Return which products may be bought again; None where there are no policies about that."""
        return None if self.repurchases is None else self.repurchases.in_force(now)

    def _states_of(self, request: PolicyRequest, row: int) -> NDArray[np.uint64]:
        terms = self.accounts.values(request.account_id, row) + self._request_terms(request)
        states = self._states.get(terms)
        if states is None:
            if len(self._states) >= self._max_states:
                self._states.clear()
            states = self._states[terms] = self.products.withheld_states(terms)
        return states

    def _request_terms(self, request: PolicyRequest) -> bytes:
        terms = self.policies.terms["request"]
        if not terms:
            return b""
        if request.placement is request.channel is None and not request.basket and not request.context:
            return self._plain_requests[request.account_id is None]
        values = map(request.context.get, self._context_keys)
        # The type as well: true equals 1, and yet they are different values of a context.
        context = tuple((type(value), value) for value in values)
        key = (request.account_id is None, request.placement, request.channel, len(request.basket), context)
        known = self._requests.get(key)
        if known is None:
            if len(self._requests) >= MAX_CACHED_REQUESTS:
                self._requests.clear()
            known = self._requests[key] = self._evaluate(request)
        return known

    def _evaluate(self, request: PolicyRequest) -> bytes:
        terms = self.policies.terms["request"]
        return bytes(int(evaluate(term, lambda leaf: _of_request(leaf, request))) for term in terms)

    def states_in_force(self, states: NDArray[np.uint64], now: datetime) -> NDArray[np.uint64]:
        """Return those of some states, uint64 (…, W), whose policies are in force."""
        return states & self._in_force_at(now) if self._bounds else states

    def period_at(self, now: datetime) -> int:
        """Return the number of the period, between dates at which policies begin or end, that a time is in."""
        return bisect_right(self._bounds, now)

    def _in_force_at(self, now: datetime) -> NDArray[np.uint64]:
        period = self.period_at(now)
        if period not in self._in_force:
            self._in_force[period] = self.products.states_of(
                lambda number: self.policies.policies[number].policy.is_in_force(now)
            )
        return self._in_force[period]


class PoliciesInUse(NamedTuple):
    """Policies, and what was offered and taken up before as far as they count it."""

    active: ActivePolicies
    contacts: Contacts
    cap_uses: CapUses

    @classmethod
    def from_state(cls, state: LiveState) -> Self:
        """Return those of the live state."""
        return cls(state.part(ActivePolicies), state.part(Contacts), state.part(CapUses))

    def withheld_from(
        self, requests: Sequence[PolicyRequest], rows: Sequence[int], now: datetime | None
    ) -> AccountPolicies | None:
        """See ``ActivePolicies.withheld_from``."""
        return self.active.withheld_from(requests, rows, now, self.contacts, self.cap_uses)


def _context_keys(policies: PolicySet) -> set[str]:
    leaves = (leaf for term in policies.terms["request"] for leaf in leaves_of(term))
    return {leaf.context for leaf in leaves if isinstance(leaf, ContextRule)}


def _of_request(condition: Any, request: PolicyRequest) -> int:
    """Return the value of a condition on a request."""
    if isinstance(condition, ContextRule):
        return compare(condition, request.context.get(condition.context))
    values = {
        "placement": request.placement,
        "channel": request.channel,
        "has_account": request.account_id is not None,
        "basket_size": len(request.basket),
    }
    return compare(condition, values[condition.request])
