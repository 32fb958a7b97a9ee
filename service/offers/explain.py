"""Says why, truly: the owned or basket products that contributed most to a score, by name."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.artifact import NO_ROW
from service.offers.candidates import Candidate
from service.offers.facts import Facts
from service.offers.reasons import ReasonCode, Relation, Source
from service.offers.shelf import Card, ProductRow

MOST_CONTRIBUTORS = 2


@dataclass(slots=True)
class Reason:
    """One reason of an offer."""

    code: ReasonCode
    text: str
    product_ids: list[str]


@dataclass(slots=True)
class Offer:
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


def explain(chosen: Sequence[Candidate], facts: Facts) -> list[Offer]:
    """Turn the chosen candidates into offers."""
    return [_offer(rank, candidate, facts) for rank, candidate in enumerate(chosen, 1)]


def _offer(rank: int, candidate: Candidate, facts: Facts) -> Offer:
    card = facts.shelf.card(candidate.product)
    contributors = [facts.shelf.card(row) for row in contributors_to(candidate, facts)]
    return Offer(
        rank=rank,
        product_id=card.product_id,
        name=card.name,
        relation=relation_between(contributors[0], card) if contributors else None,
        source_product_id=contributors[0].product_id if contributors else None,
        score=candidate.score,
        price_minor=card.price_minor,
        currency=card.currency,
        reasons=[_reason(candidate.source, contributors)],
    )


def contributors_to(candidate: Candidate, facts: Facts) -> list[ProductRow]:
    """Return up to two products that contributed most to the candidate's score, greatest first."""
    if candidate.source is Source.BASKET:
        return strongest_neighbours(candidate.product, np.array(facts.basket, dtype=np.int32), facts)
    if candidate.source is not Source.PERSONALIZED or facts.account_row is None:
        return []
    known = facts.shelf.content.candidate_reasons
    if candidate.place < known.shape[1]:
        return [row for row in known[facts.account_row, candidate.place].tolist() if row != NO_ROW]
    return strongest_neighbours(candidate.product, facts.owned, facts)


def strongest_neighbours(product: ProductRow, among: np.ndarray, facts: Facts) -> list[ProductRow]:
    """Return up to two of the rows ``among`` whose neighbour the product is, the highest score first, ties by row."""
    hits, columns = np.nonzero(facts.shelf.content.neighbour_products[among] == product)
    contributors = among[hits]
    if len(contributors) == 1:
        only: list[ProductRow] = contributors.tolist()
        return only
    scores = facts.shelf.content.neighbour_scores[contributors, columns]
    best = np.argsort(-scores, kind="stable")[:MOST_CONTRIBUTORS]
    rows: list[ProductRow] = contributors[best].tolist()
    return rows


def relation_between(source: Card, offered: Card) -> Relation:
    """An upgrade is of the same family and a higher tier; anything else that a product leads to is a cross-sell."""
    if source.tier is None or offered.tier is None or not source.family:
        return Relation.CROSS_SELL
    is_upgrade = source.family == offered.family and source.tier < offered.tier
    return Relation.UP_SELL if is_upgrade else Relation.CROSS_SELL


def _reason(source: Source, contributors: Sequence[Card]) -> Reason:
    names = " and ".join([card.name for card in contributors])
    product_ids = [card.product_id for card in contributors]
    if source is Source.BASKET:
        return Reason(ReasonCode.GOES_WITH_BASKET, f"Often bought together with {names}.", product_ids)
    if contributors:
        return Reason(ReasonCode.BOUGHT_WITH_OWNED, f"Often bought by customers who have {names}.", product_ids)
    if source is Source.PERSONALIZED:
        return Reason(ReasonCode.FITS_HISTORY, "Fits what this customer has bought so far.", [])
    return Reason(ReasonCode.POPULAR, "Among the products that most customers buy.", [])
