"""Which products each policy withholds, for every combination of values of what does not depend on the product."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import product as combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.readmodel.caps import WHOLE_SCOPE, Cap, CapPer
from service.readmodel.contact_policies import ContactLimit, Per
from service.readmodel.kleene import FALSE, N_VALUES, TRUE, evaluate
from service.readmodel.policies import MAX_MIXED_TERMS, CompiledPolicy, PolicySet, Term
from service.readmodel.product_columns import ProductColumns
from service.readmodel.suppressions import Suppression

WORD_BITS: Final = 64
NO_POLICY: Final = -1
_POWERS: Final = np.uint64(1) << np.arange(WORD_BITS, dtype=np.uint64)


Withheld = tuple[NDArray[np.bool_], datetime | None, Mapping[int, datetime | None]]
"""Products, bool (P,); until when; and the same of single products where it differs."""


class ProductPolicies:
    """What a set of policies withholds, as one bit for each set of products that one of them can withhold.

    A *state* is a policy with the products that it withholds under some values of its terms of account and request.
    States are numbered in the order of their policies, so that the first one that a product is in gives the reason.

    words:  uint64 (P, W), the states that each product is in.
    policy: int16 (n_states,), the place of each state's policy in the set.
    """

    def __init__(self, policies: PolicySet, columns: ProductColumns) -> None:
        self._columns = columns
        self._scopes: dict[str, NDArray[np.bool_]] = {}
        self._exhausted: dict[str, Any] = {}
        n_policies, n_account = len(policies.policies), len(policies.terms["account"])
        self.n_terms = n_account + len(policies.terms["request"])
        # Of a policy with fewer terms than there may be, the others stand for a term that is always 0.
        self._places = np.full((n_policies, MAX_MIXED_TERMS), self.n_terms, dtype=np.int64)
        self._weights = N_VALUES ** np.arange(MAX_MIXED_TERMS)
        self._offsets = np.zeros(n_policies, dtype=np.int64)
        masks: list[NDArray[np.bool_]] = []
        policy_of_state: list[int] = []
        states: list[int] = []
        values = [evaluate(term, columns.value_of) for term in policies.terms["product"]]
        for number, compiled in enumerate(policies.policies):
            terms = compiled.terms("account", "request")
            self._offsets[number] = len(states)
            for place, term in enumerate(terms):
                self._places[number, place] = term.number + (n_account if term.subject == "request" else 0)
            known: dict[bytes, int] = {}
            for mask in _withheld_masks(compiled, terms, values, columns.in_scope(compiled.policy.scope)):
                if not mask.any():
                    states.append(-1)
                    continue
                state = known.setdefault(mask.tobytes(), len(masks))
                if state == len(masks):
                    masks.append(mask)
                    policy_of_state.append(number)
                states.append(state)
        self.policy = np.array(policy_of_state, dtype=np.int16)
        n_words = len(masks) // WORD_BITS + 1  # Without a remainder, too: the last bit is that of no state.
        self._n_bits = n_words * WORD_BITS
        self._states = np.array(states, dtype=np.int64)
        self._states[self._states < 0] = self._n_bits - 1
        self.words = _pack(masks, columns.n, n_words)

    def concerned(self, policy: ContactLimit | Suppression, key: str) -> NDArray[np.bool_]:
        """Return bool (P,): the products that a contact policy withholds. key: see ``key_of``."""
        if policy.id not in self._scopes:
            self._scopes[policy.id] = self._columns.in_scope(policy.scope)
        in_scope = self._scopes[policy.id]
        return in_scope if policy.per is Per.ACCOUNT else in_scope & self._columns.having(policy.per, key)

    def exhausted(self, cap: Cap, keys: Mapping[str, datetime | None]) -> Withheld:
        """Return the products that an exhausted cap withholds, bool (P,), until when, and when it differs by product.

        keys: what is exhausted of it; see ``CapUses.exhausted``.
        """
        if cap.per is CapPer.SCOPE:
            return self._columns.in_scope(cap.scope), keys[WHOLE_SCOPE], {}
        if self._exhausted.get(cap.id, (None,))[0] is not keys:
            rows = [(row, until) for key, until in keys.items() for row in self.rows_of([key])]
            products = np.zeros(self._columns.n, dtype=np.bool_)
            products[[row for row, _ in rows]] = True
            self._exhausted[cap.id] = keys, (products & self._columns.in_scope(cap.scope), None, dict(rows))
        withheld: Withheld = self._exhausted[cap.id][1]
        return withheld

    def rows_of(self, product_ids: Sequence[str]) -> list[int]:
        """Return the rows of those products that the artifact knows."""
        return self._columns.rows_of(product_ids) if product_ids else []

    def withheld_states(self, terms: bytes) -> NDArray[np.uint64]:
        """Return uint64 (W,): the states that withhold under some values of all terms, those of accounts first."""
        values = np.frombuffer(terms + b"\0", dtype=np.int8)
        codes = (values[self._places] * self._weights).sum(axis=1) + self._offsets
        flags = np.zeros(self._n_bits, dtype=np.bool_)
        flags[self._states[codes]] = True
        flags[-1] = False
        return np.packbits(flags, bitorder="little").view(np.uint64)

    def states_of(self, is_wanted: Callable[[int], bool]) -> NDArray[np.uint64]:
        """Return uint64 (W,): the states of some policies, by their places in the set."""
        flags = np.zeros(self._n_bits, dtype=np.bool_)
        flags[: len(self.policy)] = [is_wanted(number) for number in self.policy.tolist()]
        return np.packbits(flags, bitorder="little").view(np.uint64)

    def with_policies(self, policies: PolicySet) -> "ProductPolicies":
        """Return what other policies withhold over the same catalogue."""
        return ProductPolicies(policies, self._columns)

    def first_policies(self, values: NDArray[np.int8], states: NDArray[np.uint64]) -> NDArray[np.int16]:
        """Return int16 (n,): the first policy of which any of some states withholds from each account, or NO_POLICY.

        values: int8 (n, n_terms), of the terms of each account. states: uint64 (W,). It costs about 1 ns for each
        account, term and policy that has any of the states, whatever the number of products.
        """
        flags = np.unpackbits(states.view(np.uint8), bitorder="little").astype(np.bool_)
        first = np.full(len(values), NO_POLICY, dtype=np.int16)
        for number in np.unique(self.policy[np.flatnonzero(flags[: len(self.policy)])])[::-1].tolist():
            places = [place for place in self._places[number].tolist() if place < self.n_terms]
            begin = self._offsets[number]
            withholds = flags[self._states[begin : begin + N_VALUES ** len(places)]]
            codes = np.zeros(len(values), dtype=np.uint8)
            for place, weight in zip(places, self._weights.tolist(), strict=False):
                codes += values[:, place].view(np.uint8) * np.uint8(weight)
            first[withholds[codes]] = number
        return first

    def policies_of(self, hits: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
        """Find the first policy in each word of states of some products. hits: uint64 (m, W).

        Return int64 (k,), rows that have any state, and int16 (k,), a policy of each. A row may come several times, the
        last time with its first policy.
        """
        flat = hits.ravel()
        places = flat.nonzero()[0][::-1]
        words = flat[places]
        bits = _POWERS.searchsorted(words & -words)
        n_words = hits.shape[1]
        return places // n_words, self.policy[places % n_words * WORD_BITS + bits]


def _withheld_masks(
    compiled: CompiledPolicy, terms: Sequence[Term], products: Sequence[Any], in_scope: NDArray[np.bool_]
) -> Any:
    """Yield bool (P,), what a policy withholds, for each combination of its terms' values: the first varies fastest."""
    passing = (TRUE,) if compiled.policy.is_requirement else (FALSE,)
    nothing = np.zeros(len(in_scope), dtype=np.bool_)
    for reversed_values in combinations(range(N_VALUES), repeat=len(terms)):
        known = dict(zip(terms, reversed(reversed_values), strict=True))

        def value_of(term: Term | int, known: dict[Term, int] = known) -> Any:
            if isinstance(term, int):
                return term
            return products[term.number] if term.subject == "product" else known[term]

        value = evaluate(compiled.node, value_of)
        if np.ndim(value) == 0:
            yield nothing if value in passing else in_scope
        else:
            yield in_scope & (value != passing[0])


def _pack(masks: Sequence[NDArray[np.bool_]], n_products: int, n_words: int) -> NDArray[np.uint64]:
    words = np.zeros((n_products, n_words), dtype=np.uint64)
    for word in range(n_words):
        flags = np.zeros((WORD_BITS, n_products), dtype=np.bool_)
        for bit, mask in enumerate(masks[word * WORD_BITS : (word + 1) * WORD_BITS]):
            flags[bit] = mask
        packed = np.packbits(flags, axis=0, bitorder="little")
        words[:, word] = np.ascontiguousarray(packed.T).view(np.uint64)[:, 0]
    return words
