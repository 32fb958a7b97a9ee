"""An artifact's content, with what is told of each product decoded once."""

from dataclasses import dataclass
from typing import NewType

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


class Shelf:
    """Content and its cards. Decoding texts from the map was half of the cost of a decision, so cards are kept."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self._cards: dict[ProductRow, Card] = {}

    def card(self, product: ProductRow) -> Card:
        """Return a product's card."""
        card = self._cards.get(product)
        if card is None:
            if len(self._cards) >= MOST_CARDS:
                self._cards.clear()
            card = self._cards[product] = _card(self.content, product)
        return card


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
