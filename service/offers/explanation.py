"""Says why a product is offered: its relationship to one that is owned or in the basket, or what its score rests on."""

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from service.offers.candidates import CandidatePool
from service.offers.facts import Facts
from service.offers.reasons import ReasonCode, Source
from service.readmodel.relation import Relation


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


def explain(pool: CandidatePool, positions: NDArray[np.int64], facts: Facts) -> list[Offer]:
    """Turn chosen candidates of one account into offers, best first. positions: int64 (k,), of candidates in the pool.

    One loop rather than many small functions: it is a large part of what an answer costs.
    """
    info, link_between, sources = facts.products.info, facts.relationships.link, pool.sources
    columns = (pool.product, pool.score, pool.source, pool.origin)
    offers: list[Offer] = []
    for rank, (product, score, source_number, origin) in enumerate(
        zip(*(column[positions].tolist() for column in columns), strict=True), 1
    ):
        source = sources[source_number]
        contributors = source.contributors(origin)
        offered = info(product)
        relation = link = None
        for contributor in contributors:
            link = link_between(contributor, product)
            if link is not None:
                break
        if link is not None:
            leading = info(contributor)
            relation = link.relation
            code, text = code_of(source.name, relation), f"{link.before}{leading.name}{link.after}"
            product_ids = [leading.product_id]
        else:
            leadings = [info(contributor) for contributor in contributors]
            product_ids = [leading.product_id for leading in leadings]
            code, text = describe_source(source.name, " and ".join([leading.name for leading in leadings]))
        offers.append(
            {
                "rank": rank,
                "product_id": offered.product_id,
                "name": offered.name,
                "relation": relation,
                "source_product_id": product_ids[0] if product_ids else None,
                "score": score,
                "price_minor": offered.price_minor,
                "currency": offered.currency,
                "reasons": [{"code": code, "text": text, "product_ids": product_ids}],
            }
        )
    return offers


def code_of(source: Source, relation: Relation) -> ReasonCode:
    """The reason's code where one product leads to another."""
    if relation is Relation.UP_SELL:
        return ReasonCode.UPGRADE
    return ReasonCode.GOES_WITH_BASKET if source is Source.BASKET else ReasonCode.BOUGHT_WITH_OWNED


def describe_source(source: Source, names: str) -> tuple[ReasonCode, str]:
    """Return the reason where no relationship gives one. names: of the products that contributed most, if any."""
    if source is Source.BASKET:
        return ReasonCode.GOES_WITH_BASKET, f"Often bought together with {names}."
    if names:
        return ReasonCode.BOUGHT_WITH_OWNED, f"Often bought by customers who have {names}."
    if source is Source.PERSONALIZED:
        return ReasonCode.FITS_HISTORY, "Fits what this customer has bought so far."
    return ReasonCode.POPULAR, "Among the products that most customers buy."
