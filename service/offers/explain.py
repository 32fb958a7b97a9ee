"""Says why, truly: the owned or basket products that contributed most to a score, by name."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.artifact import NO_NUMBER, NO_ROW, Products
from service.offers.candidates import Candidate
from service.offers.facts import Facts, ProductRow
from service.offers.reasons import ReasonCode, Relation, Source

MOST_CONTRIBUTORS = 2


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of an offer."""

    code: ReasonCode
    text: str
    product_ids: list[str]


@dataclass(frozen=True, slots=True)
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
    products, row = facts.content.products, candidate.product
    contributors = contributors_to(candidate, facts)
    price = int(products.prices_minor[row])
    return Offer(
        rank=rank,
        product_id=products.ids.texts[row],
        name=products.names[row],
        relation=relation_between(products, contributors[0], row) if contributors else None,
        source_product_id=products.ids.texts[contributors[0]] if contributors else None,
        score=candidate.score,
        price_minor=None if price == NO_NUMBER else price,
        currency=products.currencies[row] or None,
        reasons=[_reason(candidate.source, contributors, products)],
    )


def contributors_to(candidate: Candidate, facts: Facts) -> list[ProductRow]:
    """Return up to two products that contributed most to the candidate's score, greatest first."""
    if candidate.source is Source.BASKET:
        return strongest_neighbours(candidate.product, np.array(facts.basket), facts)
    if candidate.source is not Source.PERSONALIZED or facts.account_row is None:
        return []
    known = facts.content.candidate_reasons
    if candidate.place < known.shape[1]:
        return [row for row in known[facts.account_row, candidate.place].tolist() if row != NO_ROW]
    return strongest_neighbours(candidate.product, facts.owned, facts)


def strongest_neighbours(product: ProductRow, among: np.ndarray, facts: Facts) -> list[ProductRow]:
    """Return up to two of the rows ``among`` whose neighbour the product is, the highest score first, ties by row."""
    hits, columns = np.nonzero(facts.content.neighbour_products[among] == product)
    contributors = among[hits]
    scores = facts.content.neighbour_scores[contributors, columns]
    best = np.argsort(-scores, kind="stable")[:MOST_CONTRIBUTORS]
    rows: list[ProductRow] = contributors[best].tolist()
    return rows


def relation_between(products: Products, source: ProductRow, offered: ProductRow) -> Relation:
    """An upgrade is of the same family and a higher tier; anything else that a product leads to is a cross-sell."""
    low, high = products.tiers[source], products.tiers[offered]
    if NO_NUMBER not in (low, high) and low < high:
        family = products.families[source]
        if family and family == products.families[offered]:
            return Relation.UP_SELL
    return Relation.CROSS_SELL


def _reason(source: Source, contributors: Sequence[ProductRow], products: Products) -> Reason:
    names = " and ".join(products.names[row] for row in contributors)
    product_ids = [products.ids.texts[row] for row in contributors]
    if source is Source.BASKET:
        return Reason(ReasonCode.GOES_WITH_BASKET, f"Often bought together with {names}.", product_ids)
    if contributors:
        return Reason(ReasonCode.BOUGHT_WITH_OWNED, f"Often bought by customers who have {names}.", product_ids)
    if source is Source.PERSONALIZED:
        return Reason(ReasonCode.FITS_HISTORY, "Fits what this customer has bought so far.", [])
    return Reason(ReasonCode.POPULAR, "Among the products that most customers buy.", [])
