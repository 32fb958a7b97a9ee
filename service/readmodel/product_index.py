"""The products of an artifact as they are now: what answers show of them, and what rules ask."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NewType

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_NUMBER, NO_VARIANTS, Content
from models.artifact.variants import ProductLinks, group_variants, links_of
from service.readmodel.text_codes import TextCodes

ProductRow = NewType("ProductRow", int)
"""A product's position in the artifact."""

MAX_CACHED_PRODUCTS = 200_000
NO_LINKS = ProductLinks("", "")
NO_FAMILY = -1
"""Family code of a product that has no family or no tier."""


@dataclass(frozen=True, slots=True)
class ProductInfo:
    """What an answer shows of a product, and what rules ask of it."""

    product_id: str
    name: str
    family: str
    tier: int | None
    price_minor: int | None
    currency: str | None
    is_active: bool
    margin_minor: int | None = None
    line: str = ""
    category: str = ""
    is_merchandise: bool = True
    links: ProductLinks = NO_LINKS

    @property
    def is_offerable(self) -> bool:
        """Whether it may be offered, and may be a reason for an offer."""
        return self.is_active and self.is_merchandise


class ProductIndex:
    """Products by row and by identifier. Immutable: a change makes a new index, which shares what did not change.

    Caches and the codes of families are shared, too; they only ever grow.

    is_active: bool (P,), whether each product is sold now. is_merchandise: bool (P,), False for fees and the like.
    is_offerable: bool (P,), both: what may be offered, and may be a reason for an offer.
    variants:  int32 (P,), the group of each product's variants, NO_VARIANTS without any. Whoever has one of a group
               has all of it. variants_by_id: the same by identifier, of products that the artifact does not know, too.
    family:    int32 (P,), a code for the family of each product that has a tier in one, NO_FAMILY for the others.
    tier:      int64 (P,), the place within the family.
    price:     int64 (P,), in minor units of each product's own currency, NO_NUMBER where it is not known.
    margin:    int64 (P,), the same of what a sale of it earns.
    """

    def __init__(self, content: Content) -> None:
        self.content = content
        self._infos = _InfoCache(content)
        self._rows = _RowCache(content)
        self._changed: dict[ProductRow, ProductInfo] = {}
        self._family_codes: dict[str, int] = {}
        self.is_active: NDArray[np.bool_] = content.products.is_active
        self.is_merchandise: NDArray[np.bool_] = content.products.is_merchandise
        self.is_offerable: NDArray[np.bool_] = content.products.is_offerable
        self._is_all_merchandise = bool(self.is_merchandise.all())
        self._links = links_of(content.products)
        self._group_variants()
        self.tier: NDArray[np.int64] = content.products.tiers
        self.price: NDArray[np.int64] = content.products.prices_minor
        self.margin: NDArray[np.int64] = content.products.margins_minor
        self.family: NDArray[np.int32] = np.full(len(self.tier), NO_FAMILY, dtype=np.int32)
        for row in np.flatnonzero(self.tier != NO_NUMBER).tolist():
            self.family[row] = self._family_code(content.products.families[row])

    @property
    def n_families(self) -> int:
        """How many families there are: their codes are below it."""
        return len(self._family_codes)

    @property
    def changed_infos(self) -> Mapping[ProductRow, ProductInfo]:
        """The products that changed since the artifact."""
        return self._changed

    @cached_property
    def lines(self) -> TextCodes:
        """The line of each product, as it is now."""
        return TextCodes(self.content.products.lines)

    @cached_property
    def categories(self) -> TextCodes:
        """The category of each product, as it is now."""
        return TextCodes(self.content.products.categories)

    @cached_property
    def currencies(self) -> TextCodes:
        """The currency of each product's price and margin, as it is now."""
        return TextCodes(self.content.products.currencies)

    @property
    def n_variant_groups(self) -> int:
        """How many groups of variants there are: their numbers are below it."""
        return len(self.variants_by_id)

    @property
    def has_other_than_merchandise(self) -> bool:
        """Whether any product is no merchandise."""
        return not self._is_all_merchandise

    def row_of(self, product_id: str) -> ProductRow | None:
        """Return a product's row; None if the artifact does not know it."""
        row: ProductRow | None = self._rows[product_id]
        return row

    def rows_of(self, product_ids: Iterable[str]) -> NDArray[np.int32]:
        """Return the distinct rows of those products that the artifact knows, ascending."""
        rows = {row for row in map(self.row_of, product_ids) if row is not None}
        return np.array(sorted(rows), dtype=np.int32)

    def with_variants(self, product_id: str) -> frozenset[str]:
        """Return a product with its variants, predecessors and successors: whoever has one of them has them all."""
        group = self.variants_by_id.get(product_id)
        if group is None:
            return frozenset((product_id,))
        return frozenset(variant for variant, its_group in self.variants_by_id.items() if its_group == group)

    def info(self, row: ProductRow) -> ProductInfo:
        """Return what is known of a product now."""
        changed = self._changed.get(row)
        if changed is not None:
            return changed
        info: ProductInfo = self._infos[row]
        return info

    def with_changes(
        self, infos: Mapping[ProductRow, ProductInfo], others: Iterable[ProductInfo] = ()
    ) -> "ProductIndex":
        """Return an index in which some products are as given. others: those that the artifact does not know."""
        lines = self.lines.with_texts({row: info.line for row, info in infos.items()})
        categories = self.categories.with_texts({row: info.category for row, info in infos.items()})
        currencies = self.currencies.with_texts({row: info.currency or "" for row, info in infos.items()})
        changed = object.__new__(ProductIndex)
        changed.__dict__.update(self.__dict__)
        changed._changed = {**self._changed, **infos}
        changed.__dict__.update(lines=lines, categories=categories, currencies=currencies)
        changed.is_active, changed.family, changed.tier = self.is_active.copy(), self.family.copy(), self.tier.copy()
        changed.price, changed.margin = self.price.copy(), self.margin.copy()
        changed.is_merchandise = self.is_merchandise.copy()
        for row, info in infos.items():
            changed.is_active[row], changed.is_merchandise[row] = info.is_active, info.is_merchandise
            changed.tier[row] = NO_NUMBER if info.tier is None else info.tier
            changed.price[row] = NO_NUMBER if info.price_minor is None else info.price_minor
            changed.margin[row] = NO_NUMBER if info.margin_minor is None else info.margin_minor
            changed.family[row] = NO_FAMILY if info.tier is None else self._family_code(info.family)
        changed._is_all_merchandise = bool(changed.is_merchandise.all())
        changed.is_offerable = changed.is_active & changed.is_merchandise
        links = {info.product_id: info.links for info in (*infos.values(), *others)}
        if any(self._links.get(product_id, NO_LINKS) != named for product_id, named in links.items()):
            changed._links = {**self._links, **links}
            changed._group_variants()
        return changed

    def _group_variants(self) -> None:
        self.variants_by_id = group_variants(self._links.items())
        self.variants: NDArray[np.int32] = np.full(len(self.is_active), NO_VARIANTS, dtype=np.int32)
        for product_id, group in self.variants_by_id.items():
            row = self.row_of(product_id)
            if row is not None:
                self.variants[row] = group

    def _family_code(self, family: str) -> int:
        # Codes are only ever added, so that all versions of an index share them.
        return self._family_codes.setdefault(family, len(self._family_codes)) if family else NO_FAMILY


class _BoundedCache(dict[Any, Any]):
    """Values that were asked for, up to a bound."""

    def __init__(self, content: Content) -> None:
        super().__init__()
        self._content = content

    def _make(self, key: Any) -> Any:
        raise NotImplementedError

    def __missing__(self, key: Any) -> Any:
        if len(self) >= MAX_CACHED_PRODUCTS:
            self.clear()
        value = self[key] = self._make(key)
        return value


class _InfoCache(_BoundedCache):
    """What the artifact says of products, by row."""

    def _make(self, key: ProductRow) -> ProductInfo:
        products = self._content.products
        return ProductInfo(
            product_id=products.ids.texts[key],
            name=products.names[key],
            family=products.families[key],
            tier=_number(products.tiers[key]),
            price_minor=_number(products.prices_minor[key]),
            currency=products.currencies[key] or None,
            is_active=bool(products.is_active[key]),
            margin_minor=_number(products.margins_minor[key]),
            line=products.lines[key],
            category=products.categories[key],
            is_merchandise=bool(products.is_merchandise[key]),
            links=ProductLinks(products.parents[key], products.replaced[key]),
        )


class _RowCache(_BoundedCache):
    """Rows by identifier; None for products that the artifact does not know."""

    def _make(self, key: str) -> int | None:
        return self._content.products.ids.row_of(key)


def _number(stored: int) -> int | None:
    return None if stored == NO_NUMBER else int(stored)
