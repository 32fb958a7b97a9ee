"""Which products each policy withholds, for every combination of values of what does not depend on the product."""

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import product as combinations
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_NUMBER
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.contact_policies import ContactLimit, Per
from service.readmodel.factors import FactorColumn
from service.readmodel.kleene import FALSE, N_VALUES, TRUE, UNKNOWN, compare, evaluate
from service.readmodel.policies import MAX_MIXED_TERMS, CompiledPolicy, PolicyScope, PolicySet, Term
from service.readmodel.policy_grammar import ProductAttributeRule, ProductRule
from service.readmodel.rule_grammar import ORDERED, Condition
from service.readmodel.text_codes import TextCodes

WORD_BITS: Final = 64
_POWERS: Final = np.uint64(1) << np.arange(WORD_BITS, dtype=np.uint64)


class ProductColumns:
    """Products as they are now, for conditions to be evaluated on."""

    def __init__(self, view: CatalogueView) -> None:
        self._view = view
        self._products = view.products
        self._attributes: dict[str, FactorColumn] = {}
        self._scopes: dict[str | None, NDArray[np.bool_]] = {}

    @property
    def n(self) -> int:
        """How many products."""
        return len(self._products.is_active)

    def value_of(self, condition: Any) -> NDArray[np.int8]:
        """Return the value of a condition on products: int8 (P,)."""
        if isinstance(condition, ProductAttributeRule):
            return self._attribute(condition.product_attribute).compare(condition)
        if condition.product == "product_id":
            return self._compare_ids(condition)
        if condition.product in ("line", "category", "family"):
            texts: TextCodes = getattr(self, f"_{condition.product}")
            values = [compare(condition, text or None) for text in texts.texts]
            return np.array(values, dtype=np.int8)[texts.codes]
        return compare_numbers(condition, getattr(self, f"_{condition.product}"))

    def in_scope(self, scope: PolicyScope | None) -> NDArray[np.bool_]:
        """Return bool (P,): the products that a scope names."""
        key = None if scope is None else scope.model_dump_json()
        if key not in self._scopes:
            self._scopes[key] = np.ones(self.n, dtype=np.bool_) if scope is None else self._named(scope)
        return self._scopes[key]

    def having(self, kind: Per, name: str) -> NDArray[np.bool_]:
        """Return bool (P,): the product of an identifier, or the products that are in a line or a category now."""
        match kind:
            case Per.LINE:
                return self._line.has(name)
            case Per.CATEGORY:
                return self._category.has(name)
        is_named = np.zeros(self.n, dtype=np.bool_)
        is_named[self._products.rows_of([name])] = True
        return is_named

    def names(self, kind: str) -> set[str]:
        """Return the names that a scope may have: kind is products, lines or categories."""
        if kind == "products":
            return set(self._products.content.products.ids.texts)
        texts = self._line if kind == "lines" else self._category
        return {texts.texts[code] for code in np.unique(texts.codes).tolist()}

    def _named(self, scope: PolicyScope) -> NDArray[np.bool_]:
        is_named = np.zeros(self.n, dtype=np.bool_)
        if scope.products:
            is_named[self._products.rows_of(scope.products)] = True
        for texts, names in ((self._line, scope.lines), (self._category, scope.categories)):
            for name in names or ():
                is_named |= texts.has(name)
        return is_named

    @property
    def _line(self) -> TextCodes:
        return self._products.lines

    @property
    def _category(self) -> TextCodes:
        return self._products.categories

    @cached_property
    def _family(self) -> TextCodes:
        changed = self._products.changed_infos
        families = TextCodes(self._products.content.products.families)
        return families.with_texts({row: info.family for row, info in changed.items()}) if changed else families

    @cached_property
    def _tier(self) -> NDArray[np.float64]:
        return _known(self._products.tier)

    @cached_property
    def _price_minor(self) -> NDArray[np.float64]:
        return _known(self._products.price)

    @cached_property
    def _margin_minor(self) -> NDArray[np.float64]:
        margins = _known(self._products.content.products.margins_minor)
        for row, info in self._products.changed_infos.items():
            margins[row] = np.nan if info.margin_minor is None else info.margin_minor
        return margins

    @cached_property
    def _margin_rate(self) -> NDArray[np.float64]:
        price = np.where(self._price_minor > 0, self._price_minor, np.nan)
        return self._margin_minor / price

    def _attribute(self, name: str) -> FactorColumn:
        if name not in self._attributes:
            values = ((row, self._view.attributes.of(row).get(name)) for row in range(self.n))
            self._attributes[name] = FactorColumn.from_values(self.n, values)
        return self._attributes[name]

    def _compare_ids(self, condition: ProductRule) -> NDArray[np.int8]:
        if condition.op == "is_known":
            return np.full(self.n, TRUE, dtype=np.int8)
        is_negated = condition.op in ("ne", "not_in")
        values = np.full(self.n, TRUE if is_negated else FALSE, dtype=np.int8)
        values[self._products.rows_of(cast(list[str], condition.operands()))] = FALSE if is_negated else TRUE
        return values


def compare_numbers(condition: Condition, numbers: NDArray[np.float64]) -> NDArray[np.int8]:
    """Compare numbers, NaN where they are not known: int8 (n,)."""
    is_known = ~np.isnan(numbers)
    if condition.op == "is_known":
        return (TRUE * is_known).astype(np.int8)
    if condition.op in ORDERED:
        is_true = ORDERED[condition.op](numbers, condition.value)
    else:
        is_true = np.isin(numbers, np.array(condition.operands(), dtype=np.float64))
        is_true = ~is_true if condition.op in ("ne", "not_in") else is_true
    return np.where(is_known, TRUE * is_true, UNKNOWN).astype(np.int8)


def _known(numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(numbers == NO_NUMBER, np.nan, numbers.astype(np.float64))


class ProductPolicies:
    """What a set of policies withholds, as one bit for each set of products that one of them can withhold.

    A *state* is a policy with the products that it withholds under some values of its terms of account and request.
    States are numbered in the order of their policies, so that the first one that a product is in gives the reason.

    words:  uint64 (P, W), the states that each product is in.
    policy: int16 (n_states,), the place of each state's policy in the set.
    """

    def __init__(self, policies: PolicySet, columns: ProductColumns) -> None:
        self._columns = columns
        self._limited: dict[str, NDArray[np.bool_]] = {}
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

    def concerned(self, limit: ContactLimit, key: str) -> NDArray[np.bool_]:
        """Return bool (P,): the products that a limit withholds. key: what has reached it; see ``keys_of``."""
        if limit.id not in self._limited:
            self._limited[limit.id] = self._columns.in_scope(limit.scope)
        in_scope = self._limited[limit.id]
        return in_scope if limit.per is Per.ACCOUNT else in_scope & self._columns.having(limit.per, key)

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

        def value_of(term: Term, known: dict[Term, int] = known) -> Any:
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
