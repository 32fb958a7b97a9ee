"""What policies withhold from the accounts of some requests."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.readmodel.policy_products import ProductPolicies

NO_UNTILS: Final[Mapping[int, datetime | None]] = MappingProxyType({})
EVERY_ACCOUNT: Final = -1


class Held(NamedTuple):
    """Products that a contact policy withholds from an account.

    account: its place; or EVERY_ACCOUNT. policy: the policy's place in ``policy_ids``. products: bool (P,).
    until:  when it ceases to; None where no time is known. untils: the same of single products, where they differ.
    exempt: places of accounts and products that are not withheld after all.
    is_everything: whether these are all products.
    """

    account: int
    policy: int
    products: NDArray[np.bool_]
    until: datetime | None
    untils: Mapping[int, datetime | None] = NO_UNTILS
    exempt: Sequence[tuple[int, int]] = ()
    is_everything: bool = False

    def concerns(self, account: int) -> bool:
        """Tell whether it withholds anything from an account."""
        return self.account in (account, EVERY_ACCOUNT)

    def among(self, account: NDArray[np.int64], product: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return bool (m,): which pairs of account and product it withholds."""
        is_held: NDArray[np.bool_] = self.products[product]
        if self.account != EVERY_ACCOUNT:
            is_held = is_held & (account == self.account)
        for place, row in self.exempt:
            is_held = is_held & ~((account == place) & (product == row))
        return is_held

    def until_of(self, product: int) -> datetime | None:
        """Return when it ceases to withhold a product."""
        return self.untils.get(product, self.until)


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
            positions.append(np.flatnonzero(held.among(account, product)))
            policies.append(np.full(len(positions[-1]), held.policy, dtype=np.int16))
        return np.concatenate((*positions, by_rule[0])), np.concatenate((*policies, by_rule[1]))

    @property
    def closed_accounts(self) -> set[int]:
        """The places of accounts from which contact policies withhold everything."""
        return {held.account for held in self.held if held.is_everything}

    def held_until(self, account: int, policy: int, product: int) -> datetime | None:
        """Return when a contact policy ceases to withhold a product from an account; None where it has a rule."""
        mine = [each for each in self.held if each.policy == policy and each.concerns(account)]
        return latest([each.until_of(product) for each in mine if each.products[product]])

    def released_at(self, account: int, product: NDArray[np.int32]) -> datetime | None:
        """Return when contact policies cease to withhold the first of the products that they withhold from an account.

        product: int32 (m,), those that nothing else withholds.
        """
        held = [each for each in self.held if each.concerns(account)]
        untils = [latest([each.until_of(row) for each in held if each.products[row]]) for row in product.tolist()]
        known = [until for until in untils if until is not None]
        everything = [each.until for each in held if each.is_everything]
        return min(known, default=latest(everything) if not untils else None)

    def pass_any(self, product: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return bool (m,): False for products that are withheld from every account by one and the same policy."""
        of_all = np.bitwise_and.reduce(self.states, axis=0)
        return ~np.asarray((self.products.words.take(product, axis=0) & of_all).any(axis=1))

    def only(self, accounts: NDArray[np.int64]) -> "AccountPolicies":
        """Return what is withheld from some of the accounts."""
        places = {account: place for place, account in enumerate(accounts.tolist())}
        places[EVERY_ACCOUNT] = EVERY_ACCOUNT
        held = [
            each._replace(
                account=places[each.account],
                exempt=[(places[place], row) for place, row in each.exempt if place in places],
            )
            for each in self.held
            if each.account in places
        ]
        return self._replace(states=self.states[accounts], held=held)


def latest(times: Sequence[datetime | None]) -> datetime | None:
    """Return the latest of some times; None where there are none, or one is not known."""
    known = [time for time in times if time is not None]
    return max(known) if known and len(known) == len(times) else None
