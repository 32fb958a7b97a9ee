"""What policies withhold from the accounts of lists, such as targets, which are made without a request."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self

import numpy as np
from numpy.typing import NDArray

from service.readmodel.active_policies import ActivePolicies, PlainRequest
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.readmodel.policy_products import NO_POLICY
from service.readmodel.profiles import UNKNOWN_ROW


class ListedPolicies:
    """Eligibility, applicability and suitability as lists apply them: what they withhold whatever a request is like.

    A list is made without a placement, a channel, a basket or a context. What a policy withholds because of these, or
    because they are not known, is listed. Limits, suppressions and caps, which pass, do not count.
    """

    def __init__(self, active: ActivePolicies, now: datetime) -> None:
        self._active = active.for_any_request
        self._now = now
        self.policy_ids: Sequence[str] = self._active.policy_ids

    @classmethod
    def from_state(cls, state: LiveState, now: datetime) -> Self:
        """Return those of the live state."""
        return cls(state.part(ActivePolicies), now)

    @property
    def key(self) -> object:
        """What answers depend on, beside the changes of accounts that are applied."""
        return self._active, self._active.period_at(self._now)

    def __bool__(self) -> bool:
        return bool(self.policy_ids)

    def withholding(self, rows: NDArray[np.integer], products: NDArray[np.integer]) -> NDArray[np.int16]:
        """Tell from which accounts every one of some products is withheld.

        rows: int (n,), accounts. products: int (m,). Both are rows of the artifact. Return int16 (n,): the place in
        ``policy_ids`` of a policy that withholds them, the first one if it is a single product; or NO_POLICY. Several
        policies may withhold them together. Without products nothing is withheld.
        """
        return self._withholding(self._active.accounts.matrix[rows], products) if self else _nothing(len(rows))

    def withholding_from_all(self, products: NDArray[np.integer]) -> NDArray[np.int16]:
        """The same of all accounts of the artifact, int16 (A,); without policies, int16 (0,)."""
        return self._withholding(self._active.accounts.matrix, products) if self else _nothing(0)

    def withholding_from_newcomers(self, products: NDArray[np.integer]) -> dict[str, int]:
        """The same of accounts that the artifact does not know: the policy's place, of those that it withholds from."""
        by_account = dict(self._active.accounts.by_account)
        if not self or not by_account:
            return {}
        n_terms = len(self._active.accounts.terms)
        values = np.frombuffer(b"".join(by_account.values()), dtype=np.int8).reshape(len(by_account), n_terms)
        places = self._withholding(values, products).tolist()
        return {key: place for key, place in zip(by_account, places, strict=True) if place != NO_POLICY}

    def withholding_each(self, account_id: str, row: int | None, products: NDArray[np.integer]) -> NDArray[np.int16]:
        """Tell which of some products are withheld from an account: int16 (m,), the first policy of each, or NO_POLICY.

        row: of the account in the artifact, None where it is not known there. products: int (m,).
        """
        result = _nothing(len(products))
        rows = [UNKNOWN_ROW if row is None else row]
        withheld = self._active.withheld_from([PlainRequest(account_id)], rows, self._now)
        if withheld is not None:
            positions, places = withheld.withholding(np.zeros(len(products), dtype=np.int64), products.astype(np.int32))
            # Of several places of a position, the last one stays: that of the first policy.
            result[positions] = places
        return result

    def _withholding(self, values: NDArray[np.int8], products: NDArray[np.integer]) -> NDArray[np.int16]:
        if not len(products):
            return _nothing(len(values))
        of_policies = self._active.products
        signatures = self._active.states_in_force(of_policies.words[products], self._now)
        result = of_policies.first_policies(values, np.bitwise_and.reduce(signatures, axis=0))
        if len(products) == 1:
            return result
        # What no single policy withholds whole, several may withhold together.
        left, places = np.flatnonzero(result == NO_POLICY), _nothing(0)
        for states in _distinct(signatures):
            if not len(left) or not states.any():
                return result
            places = of_policies.first_policies(values[left], states)
            left, places = left[places != NO_POLICY], places[places != NO_POLICY]
        result[left] = places
        return result


def offerable_products(state: LiveState) -> NDArray[np.int64]:
    """Return int64 (m,): the products of the artifact that may be offered at all."""
    return np.flatnonzero(state.part(CatalogueView).products.is_offerable)


def _distinct(signatures: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return each set of states once, those with the fewest first: they leave the fewest accounts."""
    distinct = np.unique(signatures, axis=0)
    return distinct[np.argsort(np.bitwise_count(distinct).sum(axis=1), kind="stable")]


def _nothing(n: int) -> NDArray[np.int16]:
    return np.full(n, NO_POLICY, dtype=np.int16)
