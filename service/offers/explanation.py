"""Says why a product is offered: its relationship to one that is owned or in the basket, or what its score rests on."""

from collections.abc import Sequence
from typing import Any, Final, TypedDict

import numpy as np
from numpy.typing import NDArray

from service.offers.candidates import CandidatePool
from service.offers.facts import Facts
from service.offers.reasons import ReasonCode, Source
from service.readmodel.product_index import ProductInfo
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
    attributes: dict[str, Any]


def explain(pool: CandidatePool, positions: NDArray[np.int64], facts: Facts) -> list[Offer]:
    """Turn chosen candidates of one account into offers, best first. positions: int64 (k,), of candidates in the pool.

    One loop rather than many small functions: it is a large part of what an answer costs.
    """
    info, link_between, sources = facts.products.info, facts.relationships.link, pool.sources
    columns = (pool.product, pool.score, pool.source, pool.origin)
    leads = None if facts.filters is None else facts.filters.leads_to(pool.keys[positions])
    offers: list[Offer] = []
    for rank, (product, score, source_number, origin) in enumerate(
        zip(*(column[positions].tolist() for column in columns), strict=True), 1
    ):
        source = sources[source_number]
        name, contributors = source.name, source.contributors(origin)
        if leads is not None and (lead := next(leads)) is not None:
            name, contributors = lead[0], [lead[1]]
        offered = info(product)
        relation = link = None
        for contributor in contributors:
            link = link_between(contributor, product)
            if link is not None:
                break
        if link is not None:
            leading = info(contributor)
            relation = link.relation
            code, text = code_of(name, relation), f"{link.before}{leading.name}{link.after}"
            product_ids = [leading.product_id]
        else:
            leadings = [info(contributor) for contributor in contributors]
            product_ids = [leading.product_id for leading in leadings]
            code, text = describe_source(name, " and ".join([leading.name for leading in leadings]))
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
                "attributes": {},
            }
        )
    return offers


OWN_FIELDS: Final = ("name", "line", "category", "family", "tier", "price_minor", "currency")
ATTRIBUTE_PREFIX: Final = "attributes."


def add_attributes(offers: Sequence[Offer], fields: Sequence[str], facts: Facts) -> None:
    """Have each offer show some fields of its product, or attributes; null where the product has none of that name."""
    products = facts.products
    for offer in offers:
        row = products.row_of(offer["product_id"])
        assert row is not None  # noqa: S101  It was offered by its row.
        info, attributes = products.info(row), facts.attributes.of(row)
        offer["attributes"] = {
            field: _own_field(info, field)
            if field in OWN_FIELDS
            else attributes.get(field, attributes.get(field.removeprefix(ATTRIBUTE_PREFIX)))
            for field in fields
        }


def _own_field(product: ProductInfo, name: str) -> str | int | None:
    value: str | int | None = getattr(product, name)
    return None if value == "" else value


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
