"""Says why a product is offered: its relationship to one that is owned or in the basket, or what its score rests on."""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice, repeat
from typing import Any, Final, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW
from models.artifact.repurchases import NO_DAY
from service.base.clock import as_date
from service.offers.candidates import CandidatePool
from service.offers.facts import Facts
from service.offers.priorities import Priorities
from service.offers.reasons import ReasonCode, Source
from service.readmodel.product_index import ProductInfo, ProductRow
from service.readmodel.product_values import BASIS_NAMES
from service.readmodel.relation import Relation
from service.readmodel.relationships import Link

MIN_CUSTOMERS: Final = 3
"""Fewer customers make nothing popular."""


class Reason(TypedDict):
    """One reason of an offer."""

    code: ReasonCode
    text: str
    product_ids: list[str]


class LeverFigures(TypedDict):
    """One goal or weight behind a lever."""

    kind: str
    key: str
    name: str
    percent: float


class ArbitrationFigures(TypedDict):
    """The factors of an offer's priority, as they go into the answer."""

    propensity: float
    value_minor: int
    value_basis: str
    currency: str | None
    context: float
    lever: float
    lever_parts: list[LeverFigures]
    priority: float


class Offer(TypedDict):
    """One offered product, as it goes into the answer."""

    rank: int
    product_id: str
    name: str
    source: Source
    relation: Relation | None
    source_product_id: str | None
    score: float
    price_minor: int | None
    currency: str | None
    reasons: list[Reason]
    attributes: dict[str, Any]
    valid_until: datetime | None
    arbitration: ArbitrationFigures | None


def explain(
    pool: CandidatePool, chosen: Sequence[NDArray[np.int64]], factors: Priorities | None, facts: Facts
) -> list[list[Offer]]:
    """Turn the chosen candidates of some accounts into offers, best first. chosen: int64, positions in the pool.

    Those of all accounts are looked up together: it is a large part of what an answer costs.
    """
    positions = chosen[0] if len(chosen) == 1 else np.concatenate(chosen)
    info, sources, repeats = facts.products.info, pool.sources, facts.repeats
    columns = (pool.product, pool.score, pool.source, pool.origin)
    valid_until, until_of = facts.valid_until, facts.availability.until_of
    leads = repeat(None) if facts.filters is None else facts.filters.leads_to(pool.keys[positions])
    places = repeat(NO_ROW) if repeats is None else iter(repeats.places(pool.keys[positions]).tolist())
    figures = repeat(None) if factors is None else iter(figures_of(positions, factors))
    ranks = [rank for of_account in chosen for rank in range(1, len(of_account) + 1)]
    offers: list[Offer] = []
    for rank, product, score, source_number, origin in zip(
        ranks, *(column[positions].tolist() for column in columns), strict=True
    ):
        source, lead, place = sources[source_number], next(leads), next(places)
        if lead is None and repeats is not None and place != NO_ROW:
            last_day = int(repeats.last_day[place])
            reason = Explained(None, ReasonCode.BOUGHT_BEFORE, describe_repeat(last_day), [])
        elif lead is None:
            reason = explain_one(source.name, source.contributors(origin), product, facts)
        else:
            reason = explain_one(lead[0], [lead[1]], product, facts)
        offered = info(product)
        offers.append(
            {
                "rank": rank,
                "product_id": offered.product_id,
                "name": offered.name,
                "source": source.name,
                "relation": reason.relation,
                "source_product_id": reason.product_ids[0] if reason.product_ids else None,
                "score": score,
                "price_minor": offered.price_minor,
                "currency": offered.currency,
                "reasons": [{"code": reason.code, "text": reason.text, "product_ids": reason.product_ids}],
                "attributes": {},
                "valid_until": None if valid_until is None else until_of(product, valid_until),
                "arbitration": next(figures),
            }
        )
    if len(chosen) == 1:
        return [offers]
    rest = iter(offers)
    return [list(islice(rest, len(of_account))) for of_account in chosen]


class Explained(NamedTuple):
    """Why one product is offered; see ``Offer`` and ``Reason``."""

    relation: Relation | None
    code: ReasonCode
    text: str
    product_ids: list[str]


def explain_one(source: Source, named: Sequence[ProductRow] | None, product: ProductRow, facts: Facts) -> Explained:
    """Say why a product is offered. named: what contributed most, greatest first; None where it is popular."""
    if named is None:
        return Explained(None, *describe_popular(facts.evidence.buyers_of(product)), [])
    info, link_between = facts.products.info, facts.relationships.link
    # What was switched off since the training is no reason any more.
    contributors = [(row, known) for row in named if (known := info(row)).is_active and known.is_merchandise]
    for contributor, leading in contributors:
        link = link_between(contributor, product)
        if link is not None:
            text = f"{link.before}{leading.name}{link.after}"
            return Explained(link.relation, code_of(source, link), text, [leading.product_id])
    return Explained(None, *describe_contributors(source, contributors, product, facts))


def figures_of(positions: NDArray[np.int64], factors: Priorities) -> list[ArbitrationFigures]:
    """Return the factors of some candidates. positions: int64 (k,), in the pool."""
    columns = (factors.propensity, factors.value, factors.context, factors.lever, factors.priority, factors.basis)
    rows = zip(*(column[positions].tolist() for column in columns), strict=True)
    return [
        {
            "propensity": propensity,
            "value_minor": int(value),
            "value_basis": BASIS_NAMES[basis],
            "currency": factors.values.currency,
            "context": context,
            "lever": lever,
            "lever_parts": [],
            "priority": priority,
        }
        for propensity, value, context, lever, priority, basis in rows
    ]


def add_lever_parts(
    offers: Sequence[Offer], product: NDArray[np.int32], positions: NDArray[np.int64], place: int, facts: Facts
) -> None:
    """Name the goals and weights behind each lever. product: of the pool. positions: of the offers in it.

    place: of the account.
    """
    if facts.now is None or not facts.levers.has_any:
        return
    account_row, account_id = int(facts.account_rows[place]), facts.account_ids[place]
    for offer, row in zip(offers, product[positions].tolist(), strict=True):
        figures = offer["arbitration"]
        if figures is not None and figures["lever"] != 1:
            parts = facts.levers.parts_for(account_row, account_id, row, facts.now)
            figures["lever_parts"] = [
                {"kind": part.kind, "key": part.key, "name": part.name, "percent": part.percent} for part in parts
            ]


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


def code_of(source: Source, link: Link) -> ReasonCode:
    """The reason's code where one product leads to another."""
    if link.relation is Relation.UP_SELL:
        return ReasonCode.UPGRADE
    if source is Source.BASKET:
        return ReasonCode.GOES_WITH_BASKET
    return ReasonCode.BOUGHT_WITH_OWNED if link.is_counted else ReasonCode.GOES_WITH_OWNED


def describe_contributors(
    source: Source, contributors: Sequence[tuple[ProductRow, ProductInfo]], product: int, facts: Facts
) -> tuple[ReasonCode, str, list[str]]:
    """Return code, text and named products of a reason where no relationship gives one.

    Where enough customers have both, the reason says how many, product by product; what merely contributed to the
    score is named as that. contributors: what contributed most, greatest first.
    """
    evidence, is_basket = facts.evidence.of_pair, source is Source.BASKET
    counted: list[str] = []
    product_ids: list[str] = []
    for contributor, known in contributors:
        orders, buyers, owners = evidence(contributor, product)
        if orders if is_basket else owners:
            product_ids.append(known.product_id)
            counted.append(
                f"{known.name} in {orders:,} orders by {buyers:,} customers"
                if is_basket
                else f"{owners:,} customers who have {known.name}"
            )
    if counted and is_basket:
        return ReasonCode.GOES_WITH_BASKET, f"Bought together with {', and with '.join(counted)}.", product_ids
    if counted:
        return ReasonCode.BOUGHT_WITH_OWNED, f"Bought by {', and by '.join(counted)}.", product_ids
    names = " and ".join([known.name for _, known in contributors])
    code = ReasonCode.FITS_BASKET if is_basket else ReasonCode.FITS_HISTORY
    whole = "Fits the basket." if is_basket else "Fits what this customer has bought so far."
    return code, f"Based on {names}." if names else whole, [known.product_id for _, known in contributors]


def describe_repeat(last_day: int) -> str:
    """Say when the account bought a product that it may buy again. last_day: since 1970, or NO_DAY."""
    if last_day == NO_DAY:
        return "Bought before."
    date = as_date(last_day)
    return f"Bought before, last on {date.day} {date:%B %Y}."


def describe_popular(n_buyers: int) -> tuple[ReasonCode, str]:
    """Return the reason for what nothing but its buyers speaks for. n_buyers: as of the training."""
    if n_buyers < MIN_CUSTOMERS:
        return ReasonCode.IN_CATALOGUE, "In the catalogue; few customers have bought it so far."
    return ReasonCode.POPULAR, f"Popular: {n_buyers:,} customers have bought it."
