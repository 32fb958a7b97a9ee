"""The accounts most likely to buy a product, from memory."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.base.clock import as_date
from service.base.pagination import decode_row, encode_cursor
from service.readmodel.live_state import LiveState
from service.readmodel.product_index import ProductIndex
from service.readmodel.segment_catalog import Segment, SegmentCatalog
from service.targets.schemas import Basis

MAX_RANKED: Final = 64
"""Products whose accounts stay ranked in memory."""
NOBODY: Final = np.empty(0, dtype=np.int32)


class TargetProduct(NamedTuple):
    """What is told of a product. row: in the artifact; None for a product that is new since the training."""

    product_id: str
    name: str
    category: str | None
    price_minor: int | None
    margin_minor: int | None
    currency: str | None
    is_active: bool
    row: int | None


def target_product_of(shelf: ProductIndex, product_id: str) -> TargetProduct | None:
    """Return a product that the artifact knows, as it is now."""
    row = shelf.row_of(product_id)
    if row is None:
        return None
    products, card = shelf.content.products, shelf.cards[row]
    return TargetProduct(
        product_id=product_id,
        name=card.name,
        category=products.categories[row] or None,
        price_minor=card.price_minor,
        margin_minor=card.margin_minor,
        currency=card.currency,
        is_active=card.is_active,
        row=row,
    )


@dataclass(frozen=True)
class Targeting:
    """One artifact's accounts in the order in which they are asked."""

    book: SegmentCatalog
    _ranked: dict[str, "Ranking"] = field(default_factory=dict)

    @cached_property
    def factors(self) -> NDArray[np.float32]:
        """Float32 (A,): what a product's rate is multiplied by for each account."""
        content = self.book.content
        return content.propensities.factors_of(content.customers)

    @cached_property
    def by_factor(self) -> NDArray[np.int32]:
        """Int32 (A,): every account, those first whose segment buys most that is new, then the most valuable."""
        members = self.book.content.segments.members
        everyone = members[0] if len(members) else np.arange(len(self.factors), dtype=np.int32)
        return np.asarray(everyone[np.argsort(-self.factors[everyone], kind="stable")], dtype=np.int32)

    def rate_of(self, product: TargetProduct) -> float:
        """P(the average account buys a product that is none of its candidates)."""
        content = self.book.content
        if product.row is not None:
            return float(content.propensities.rates[product.row])
        names = list(content.categories.names)
        place = names.index(product.category) if product.category in names else -1
        return float(content.propensities.category_rates[place])

    def ranked(self, product: TargetProduct) -> "Ranking":
        """Return every account that owned nothing of a product at training, the most likely first."""
        known = self._ranked.get(product.product_id)
        if known is None or known.category != product.category:
            if len(self._ranked) >= MAX_RANKED:
                self._ranked.clear()
            known = self._ranked[product.product_id] = self._rank(product)
        return known

    def _rank(self, product: TargetProduct) -> "Ranking":
        listed, likely = NOBODY, np.empty(0, dtype=np.float32)
        if product.row is not None:
            listed, likely = self.book.content.propensities.targets_of(product.row)
        rest, rate = NOBODY, self.rate_of(product)
        if np.isfinite(rate):
            rest = self.by_factor[~np.isin(self.by_factor, listed)]
        chance = np.concatenate([likely, np.minimum(rate * self.factors[rest], 1)])
        order = np.argsort(-chance, kind="stable")
        is_candidate = np.arange(len(chance)) < len(listed)
        return Ranking(np.concatenate([listed, rest])[order], chance[order], is_candidate[order], product.category)


class Ranking(NamedTuple):
    """rows: int32 (n,), accounts. likely: float32 (n,), descending. is_candidate: bool (n,). category: when ranked."""

    rows: NDArray[np.int32]
    likely: NDArray[np.float32]
    is_candidate: NDArray[np.bool_]
    category: str | None


def page_of_targets(
    targeting: Targeting,
    state: LiveState,
    product: TargetProduct,
    segment: Segment | None,
    cursor: str | None,
    limit: int,
) -> dict[str, Any]:
    """List a product's targets from a cursor on; raises InvalidCursor."""
    book = targeting.book
    tag = ("targets", book.version, product.product_id, segment.id if segment else None)
    begin = decode_row(cursor, tag)
    ranking = targeting.ranked(product)
    is_in = np.ones(len(ranking.rows), dtype=np.bool_)
    if segment is not None:
        is_in = book.codes_of(segment)[ranking.rows] == 0
    places = np.flatnonzero(is_in) if product.is_active else NOBODY
    items: list[dict[str, Any]] = []
    following = None
    for at in places[places.searchsorted(begin) :].tolist():
        if len(items) == limit:
            following = at
            break
        described = describe_target(book, state, product, ranking, at)
        items += [described] if described else []
    told = book.report.get("propensity", {})
    likely_of = np.empty(0) if product.row is None else book.content.propensities.targets_of(product.row)[1]
    return {
        **{name: value for name, value in product._asdict().items() if name not in ("row", "category")},
        "as_of": as_date(book.as_of_day),
        "artifact_version": book.version,
        "horizon_days": float(told.get("horizon_days") or 0),
        "method": told.get("method"),
        "calibrated_on": told.get("examples"),
        "candidates": len(likely_of),
        "expected_buyers": round(float(np.sum(likely_of)), 2) if told.get("method") else None,
        "items": items,
        "next_cursor": None if following is None else encode_cursor(tag, following),
    }


def describe_target(
    book: SegmentCatalog, state: LiveState, product: TargetProduct, ranking: Ranking, at: int
) -> dict[str, Any] | None:
    """Describe an account; None where it owns the product, or objects to marketing."""
    row, likely = int(ranking.rows[at]), float(ranking.likely[at])
    account_id = book.content.account_ids.texts[row]
    live = state.accounts.get(account_id)
    if product.row is None:
        is_owner = live is not None and product.product_id in live.others
    else:
        is_owner = _holds(book.content.owned_by(row) if live is None else live.owned, product.row)
    if is_owner or account_id in state.objecting:
        return None
    deals = state.pipeline.get(account_id, ())
    return {
        "account_id": account_id,
        "propensity": round(likely, 6),
        "basis": Basis.CANDIDATE if ranking.is_candidate[at] else Basis.PRIOR,
        "expected_revenue_minor": None if product.price_minor is None else round(likely * product.price_minor),
        "expected_margin_minor": None if product.margin_minor is None else round(likely * product.margin_minor),
        "has_open_deal": any(deal.product_id == product.product_id for deal in deals),
    }


def _holds(owned: NDArray[np.int32], row: int) -> bool:
    place = int(owned.searchsorted(row))
    return place < len(owned) and int(owned[place]) == row
