"""Products as conditions of policies ask for them."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_NUMBER
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.contact_policies import Per
from service.readmodel.factors import FactorColumn
from service.readmodel.kleene import FALSE, TRUE, UNKNOWN, compare
from service.readmodel.policies import PolicyScope
from service.readmodel.policy_grammar import ProductAttributeRule, ProductRule
from service.readmodel.rule_grammar import ORDERED, Condition
from service.readmodel.text_codes import TextCodes


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

    def rows_of(self, product_ids: Sequence[str]) -> list[int]:
        """Return the rows of those products that there are."""
        rows: list[int] = self._products.rows_of(product_ids).tolist()
        return rows

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
