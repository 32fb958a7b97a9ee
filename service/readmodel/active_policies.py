"""The policies that decisions apply, with everything about accounts and products that they ask for."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.contact_policies import ContactLimit
from service.readmodel.contacts import Contacts
from service.readmodel.kleene import compare, evaluate
from service.readmodel.live_state import LiveState
from service.readmodel.policies import PolicySet, PolicyType, leaves_of
from service.readmodel.policy_accounts import AccountTerms
from service.readmodel.policy_grammar import ContextRule
from service.readmodel.policy_products import ProductColumns, ProductPolicies

MAX_CACHE_BYTES: Final = 32 * 1024 * 1024
ENTRY_BYTES: Final = 300
"""What an entry of the cache takes beside its states and values."""
MAX_CACHED_REQUESTS: Final = 1_000
NO_SWITCHES: Final[frozenset[str]] = frozenset()


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


class Held(NamedTuple):
    """Products that a contact policy withholds from an account.

    account: its place. policy: the policy's place in ``policy_ids``. products: bool (P,). until: when it ceases to.
    is_everything: whether these are all products.
    """

    account: int
    policy: int
    products: NDArray[np.bool_]
    until: datetime
    is_everything: bool


class AccountPolicies(NamedTuple):
    """What policies withhold from n accounts.

    states: uint64 (n, W), those that withhold from each account: see ``ProductPolicies``.
    held:   what contact policies withhold, in the order of the policies.
    """

    products: ProductPolicies
    policy_ids: Sequence[str]
    policy_types: Sequence[str]
    states: NDArray[np.uint64]
    held: Sequence[Held] = ()

    def withholding(
        self, account: NDArray[np.int64], product: NDArray[np.int32]
    ) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
        """Return which pairs of account and product are withheld, and by which policy.

        int64 (k,), positions among the pairs, and int16 (k,), places in ``policy_ids``. A pair may come several times:
        the last time with the policy that applies first.
        """
        states = self.states[0] if len(self.states) == 1 else self.states[account]
        by_rule = self.products.policies_of(self.products.words.take(product, axis=0) & states)
        if not self.held:
            return by_rule
        # The first policy comes last, and rules come before contacts.
        positions, policies = [], []
        for held in reversed(self.held):
            positions.append(np.flatnonzero((account == held.account) & held.products[product]))
            policies.append(np.full(len(positions[-1]), held.policy, dtype=np.int16))
        return np.concatenate((*positions, by_rule[0])), np.concatenate((*policies, by_rule[1]))

    @property
    def closed_accounts(self) -> set[int]:
        """The places of accounts from which contact policies withhold everything."""
        return {held.account for held in self.held if held.is_everything}

    def held_until(self, account: int, policy: int, product: int) -> datetime | None:
        """Return when a contact policy ceases to withhold a product from an account; None where it has a rule."""
        mine = (each for each in self.held if (each.account, each.policy) == (account, policy))
        return max((each.until for each in mine if each.products[product]), default=None)

    def released_at(self, account: int, product: NDArray[np.int32]) -> datetime | None:
        """Return when contact policies cease to withhold the first of the products that they withhold from an account.

        product: int32 (m,), those that nothing else withholds.
        """
        held = [each for each in self.held if each.account == account]
        until = {row: max(each.until for each in held if each.products[row]) for row in product.tolist()}
        everything = [each.until for each in held if each.is_everything]
        return min(until.values(), default=max(everything, default=None))

    def pass_any(self, product: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return bool (m,): False for products that are withheld from every account by one and the same policy."""
        of_all = np.bitwise_and.reduce(self.states, axis=0)
        return ~np.asarray((self.products.words.take(product, axis=0) & of_all).any(axis=1))

    def only(self, accounts: NDArray[np.int64]) -> "AccountPolicies":
        """Return what is withheld from some of the accounts."""
        places = {account: place for place, account in enumerate(accounts.tolist())}
        held = [each._replace(account=places[each.account]) for each in self.held if each.account in places]
        return self._replace(states=self.states[accounts], held=held)


class ActivePolicies:
    """Policies that are switched on, over one version of the catalogue. A change of either makes another object.

    Accounts that change are placed anew in ``accounts``.
    switched_off: reason codes of the built-in rules that are switched off.
    limits: limits of contacts, in the order of their identifiers; they come after the policies with rules.
    """

    def __init__(
        self,
        policies: PolicySet,
        accounts: AccountTerms,
        products: ProductPolicies,
        switched_off: frozenset[str],
        limits: Sequence[ContactLimit] = (),
    ) -> None:
        self.policies = policies
        self.accounts = accounts
        self.products = products
        self.switched_off = switched_off
        self.limits = limits
        by_rule = [(compiled.policy.id, str(compiled.policy.type)) for compiled in policies.policies]
        named = [*by_rule, *((limit.id, str(PolicyType.LIMIT)) for limit in limits)]
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
    ) -> AccountPolicies | None:
        """Look up what is withheld from the account of each request; None where there are no policies.

        rows: where the artifact has each account, or UNKNOWN_ROW. now: when; without it, policies of all times apply,
        and no limits. contacts: of the accounts.
        """
        if not self.policy_ids:
            return None
        of_each = [self._states_of(request, row) for request, row in zip(requests, rows, strict=True)]
        # Stacking takes longer than all the rest for one account.
        states = of_each[0][np.newaxis] if len(of_each) == 1 else np.stack(of_each)
        if self._bounds and now is not None:
            states = states & self._in_force_at(now)
        held = [] if contacts is None or now is None else self._held(requests, contacts, now)
        return AccountPolicies(self.products, self.policy_ids, self.policy_types, states, held)

    def _held(self, requests: Sequence[PolicyRequest], contacts: Contacts, now: datetime) -> list[Held]:
        if not self.limits:
            return []
        held: list[Held] = []
        for account, request in enumerate(requests):
            for each in contacts.reached_by(request.account_id, request.channel, now):
                if (policy := self._places.get(each.limit.id)) is not None:
                    products = self.products.concerned(each.limit, each.key)
                    held.append(Held(account, policy, products, each.until, bool(products.all())))
        return sorted(held, key=lambda each: each.policy)

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

    def _in_force_at(self, now: datetime) -> NDArray[np.uint64]:
        period = bisect_right(self._bounds, now)
        if period not in self._in_force:
            self._in_force[period] = self.products.states_of(lambda number: self._is_in_force(number, now))
        return self._in_force[period]

    def _is_in_force(self, number: int, now: datetime) -> bool:
        policy = self.policies.policies[number].policy
        has_begun = policy.valid_from is None or policy.valid_from <= now
        return has_begun and (policy.valid_until is None or now < policy.valid_until)


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
