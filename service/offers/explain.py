"""Says why, truly: the owned or basket products that contributed most to a score, by name."""

from collections.abc import Sequence
from typing import TypedDict

from service.offers.candidates import Candidate
from service.offers.reasons import ReasonCode, Relation, Source
from service.offers.shelf import Card, Shelf


class Reason(TypedDict):
    """One reason of an offer."""

    code: ReasonCode
    text: str
    product_ids: list[str]


class Offer(TypedDict):
    """One offered product, as it goes into the answer."""

    rank: int
    product_id: str
    name: str
    relation: Relation | None
    source_product_id: str | None
    score: float
    price_minor: int | None
    currency: str | None
    reasons: list[Reason]


def explain(chosen: Sequence[Candidate], shelf: Shelf) -> list[Offer]:
    """Turn the chosen candidates into offers."""
    return [_offer(rank, candidate, shelf) for rank, candidate in enumerate(chosen, 1)]


def _offer(rank: int, candidate: Candidate, shelf: Shelf) -> Offer:
    product, score, source, place = candidate
    card = shelf.card(product)
    contributors = [shelf.card(row) for row in source.contributors(product, place)]
    return {
        "rank": rank,
        "product_id": card.product_id,
        "name": card.name,
        "relation": relation_between(contributors[0], card) if contributors else None,
        "source_product_id": contributors[0].product_id if contributors else None,
        "score": score,
        "price_minor": card.price_minor,
        "currency": card.currency,
        "reasons": [_reason(source.name, contributors)],
    }


def relation_between(source: Card, offered: Card) -> Relation:
    """An upgrade is of the same family and a higher tier; anything else that a product leads to is a cross-sell."""
    if source.tier is None or offered.tier is None or not source.family:
        return Relation.CROSS_SELL
    is_upgrade = source.family == offered.family and source.tier < offered.tier
    return Relation.UP_SELL if is_upgrade else Relation.CROSS_SELL


def _reason(source: Source, contributors: Sequence[Card]) -> Reason:
    code, text = _words(source, " and ".join([card.name for card in contributors]))
    return {"code": code, "text": text, "product_ids": [card.product_id for card in contributors]}


def _words(source: Source, names: str) -> tuple[ReasonCode, str]:
    if source is Source.BASKET:
        return ReasonCode.GOES_WITH_BASKET, f"Often bought together with {names}."
    if names:
        return ReasonCode.BOUGHT_WITH_OWNED, f"Often bought by customers who have {names}."
    if source is Source.PERSONALIZED:
        return ReasonCode.FITS_HISTORY, "Fits what this customer has bought so far."
    return ReasonCode.POPULAR, "Among the products that most customers buy."
