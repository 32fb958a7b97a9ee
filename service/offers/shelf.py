"""An artifact's content, with what is told of each product decoded once."""

from dataclasses import dataclass
from typing import NewType

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_NUMBER, Content

ProductRow = NewType("ProductRow", int)
"""A product's position in the artifact."""

MOST_CARDS = 200_000


@dataclass(frozen=True, slots=True)
class Card:
    """What an answer tells of a product, and what rules ask of it."""

    product_id: str
    name: str
    family: str
    tier: int | None
    price_minor: int | None
    currency: str | None
    is_active: bool


class Cards(dict[ProductRow, Card]):
    """The cards that were asked for, up to a bound. replaced: those that changed since the artifact."""

    def __init__(self, content: Content) -> None:
        super().__init__()
        self.replaced: dict[ProductRow, Card] = {}
        self._content = content

    def __missing__(self, product: ProductRow) -> Card:
        if len(self) >= MOST_CARDS:
            self.clear()
        # Never in place of what another thread has put there: that is newer.
        return self.setdefault(product, self.replaced.get(product) or _card(self._content, product))


class Shelf:
    """Content, its cards and its products' rows. Finding them took half of a decision, so they are kept.

    cards:     the card of each product by its row, made when it is first asked for.
    is_active: bool (P,), whether each product is sold now.
    """

    def __init__(self, content: Content) -> None:
        self.content = content
        self.is_active: NDArray[np.bool_] = content.products.is_active.copy()
        self.cards = Cards(content)
        self._rows: dict[str, ProductRow | None] = {}

    def replace_card(self, product: ProductRow, card: Card) -> None:
        """Tell of a product what changed since the artifact."""
        self.cards.replaced[product] = card
        self.cards[product] = card
        self.is_active[product] = card.is_active

    def row_of(self, product_id: str) -> ProductRow | None:
        """Return a product's row, or None if the artifact does not know it."""
        try:
            return self._rows[product_id]
        except KeyError:
            row = self.content.products.ids.row_of(product_id)
            if len(self._rows) >= MOST_CARDS:
                self._rows = {}
            found = self._rows[product_id] = None if row is None else ProductRow(row)
            return found


def _card(content: Content, product: ProductRow) -> Card:
    products = content.products
    return Card(
        product_id=products.ids.texts[product],
        name=products.names[product],
        family=products.families[product],
        tier=_number(products.tiers[product]),
        price_minor=_number(products.prices_minor[product]),
        currency=products.currencies[product] or None,
        is_active=bool(products.is_active[product]),
    )


def _number(stored: int) -> int | None:
    return None if stored == NO_NUMBER else int(stored)
