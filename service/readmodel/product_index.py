"""An artifact's content, with what is told of each product decoded once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NewType

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_NUMBER, Content
from service.readmodel.relationships import Learned, RelationshipIndex

ProductRow = NewType("ProductRow", int)
"""A product's position in the artifact."""

MAX_CACHED_PRODUCTS = 200_000


@dataclass(frozen=True, slots=True)
class ProductInfo:
    """What an answer tells of a product, and what rules ask of it."""

    product_id: str
    name: str
    family: str
    tier: int | None
    price_minor: int | None
    currency: str | None
    is_active: bool
    margin_minor: int | None = None


class ProductInfoCache(dict[ProductRow, ProductInfo]):
    """The cards that were asked for, up to a bound. replaced: those that changed since the artifact."""

    def __init__(self, content: Content) -> None:
        super().__init__()
        self.replaced: dict[ProductRow, ProductInfo] = {}
        self._content = content

    def __missing__(self, product: ProductRow) -> ProductInfo:
        if len(self) >= MAX_CACHED_PRODUCTS:
            self.clear()
        # Never in place of what another thread has put there: that is newer.
        return self.setdefault(product, self.replaced.get(product) or _card(self._content, product))


class ProductIndex:
    """Content, its cards and its products' rows. Finding them took half of a decision, so they are kept.

    cards:     the card of each product by its row, made when it is first asked for.
    row_of:    finds a product's row by its identifier; None if the artifact does not know it.
    is_active: bool (P,), whether each product is sold now. has_tier: bool (P,), whether it has a place in a family.
    links:     how products lead to each other.
    """

    def __init__(self, content: Content) -> None:
        self.content = content
        self.links = RelationshipIndex(Learned(content), {})
        self.is_active: NDArray[np.bool_] = content.products.is_active.copy()
        self.cards = ProductInfoCache(content)
        self.row_of: Callable[[str], ProductRow | None] = Rows(content).__getitem__
        self._families = _families(content)
        self._above: dict[ProductRow, tuple[ProductRow, ...]] = {}
        self.has_tier = np.zeros(len(self.is_active), dtype=np.bool_)
        self.has_tier[[row for rows in self._families.values() for row in rows]] = True

    def replace_info(self, product: ProductRow, card: ProductInfo) -> None:
        """Tell of a product what changed since the artifact."""
        if card.family and card.tier is not None:
            self._families.setdefault(card.family, set()).add(product)
            self.has_tier[product] = True
        self.cards.replaced[product] = card
        self.cards[product] = card
        self.is_active[product] = card.is_active
        self._above = {}

    def above(self, product: ProductRow) -> tuple[ProductRow, ...]:
        """Return the products of higher tiers in the same family."""
        try:
            return self._above[product]
        except KeyError:
            found = self._above[product] = tuple(self._find_above(self.cards[product]))
            return found

    def _find_above(self, card: ProductInfo) -> Iterator[ProductRow]:
        # A product that changed its family is still among its old one's: what its card says now counts.
        if card.tier is not None:
            for row in tuple(self._families.get(card.family, ())):
                other = self.cards[row]
                if other.family == card.family and other.tier is not None and other.tier > card.tier:
                    yield row


class Rows(dict[str, "ProductRow | None"]):
    """The rows of the products that were asked for, up to a bound; None for those that the artifact does not know."""

    def __init__(self, content: Content) -> None:
        super().__init__()
        self._ids = content.products.ids

    def __missing__(self, product_id: str) -> ProductRow | None:
        row = self._ids.row_of(product_id)
        if len(self) >= MAX_CACHED_PRODUCTS:
            self.clear()
        found = self[product_id] = None if row is None else ProductRow(row)
        return found


def _families(content: Content) -> dict[str, set[ProductRow]]:
    """The products of each family that have a tier."""
    found: dict[str, set[ProductRow]] = {}
    for row in (content.products.tiers != NO_NUMBER).nonzero()[0].tolist():
        if family := content.products.families[row]:
            found.setdefault(family, set()).add(row)
    return found


def _card(content: Content, product: ProductRow) -> ProductInfo:
    products = content.products
    return ProductInfo(
        product_id=products.ids.texts[product],
        name=products.names[product],
        family=products.families[product],
        tier=_number(products.tiers[product]),
        price_minor=_number(products.prices_minor[product]),
        currency=products.currencies[product] or None,
        is_active=bool(products.is_active[product]),
        margin_minor=_number(products.margins_minor[product]),
    )


def _number(stored: int) -> int | None:
    return None if stored == NO_NUMBER else int(stored)
