"""The accounts most likely to buy a product, from memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_NUMBER
from service.catalogue.cursors import decode_cursor, encode_cursor
from service.catalogue.errors import InvalidCursor
from service.live.state import LiveState
from service.offers.shelf import Shelf
from service.segments.book import Segment, SegmentBook, as_date
from service.targets.schemas import Basis


class Sold(NamedTuple):
    """What is told of a product. row: in the artifact; None for a product that is new since the training."""

    product_id: str
    name: str
    category: str | None
    price_minor: int | None
    margin_minor: int | None
    currency: str | None
    is_active: bool
    row: int | None


def sold_of(shelf: Shelf, product_id: str) -> Sold | None:
    """Return a product that the artifact knows, as it is now."""
    row = shelf.row_of(product_id)
    if row is None:
        return None
    products, card = shelf.content.products, shelf.cards[row]
    margin = int(products.margins_minor[row])
    return Sold(
        product_id=product_id,
        name=card.name,
        category=products.categories[row] or None,
        price_minor=card.price_minor,
        margin_minor=None if margin == NO_NUMBER else margin,
        currency=card.currency,
        is_active=card.is_active,
        row=row,
    )


@dataclass(frozen=True)
class Targeting:
    """One artifact's accounts in the order in which they are asked."""

    book: SegmentBook

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

    def rate_of(self, product: Sold) -> float:
        """P(the average account buys a product that is none of its candidates)."""
        content = self.book.content
        if product.row is not None:
            return float(content.propensities.rates[product.row])
        names = list(content.categories.names)
        place = names.index(product.category) if product.category in names else -1
        return float(content.propensities.category_rates[place])

    def ranked(self, product: Sold, segment: Segment | None) -> Iterator[tuple[int, float, Basis]]:
        """Yield account rows, how likely each is to buy, and why: candidates first, then by the product's rate."""
        is_in = self._is_in(segment)
        accounts, likely = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
        if product.row is not None:
            accounts, likely = self.book.content.propensities.targets_of(product.row)
            likely, accounts = likely[is_in[accounts]], accounts[is_in[accounts]]
        for row, p in zip(accounts.tolist(), likely.tolist(), strict=True):
            yield row, p, Basis.CANDIDATE
        is_in[accounts] = False
        rate = self.rate_of(product)
        if np.isfinite(rate):
            rest = self.by_factor[is_in[self.by_factor]]
            for row in rest.tolist():
                yield row, min(rate * float(self.factors[row]), 1.0), Basis.PRIOR

    def _is_in(self, segment: Segment | None) -> NDArray[np.bool_]:
        is_in = np.zeros(len(self.factors), dtype=np.bool_)
        is_in[slice(None) if segment is None else self.book.members(segment)] = True
        return is_in


def page_of_targets(
    targeting: Targeting, state: LiveState, product: Sold, segment: Segment | None, cursor: str | None, limit: int
) -> dict[str, Any]:
    """List a product's targets from a cursor on; raises InvalidCursor."""
    book = targeting.book
    begin = _read_cursor(book, cursor) if cursor is not None else 0
    items: list[dict[str, Any]] = []
    at, has_more = 0, False
    for row, likely, basis in targeting.ranked(product, segment) if product.is_active else ():
        if at >= begin:
            if len(items) == limit:
                has_more = True
                break
            items += [one] if (one := describe_target(book, state, product, row, likely, basis)) else []
        at += 1
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
        "next_cursor": encode_cursor([book.version, at]) if has_more else None,
    }


def _read_cursor(book: SegmentBook, cursor: str) -> int:
    match decode_cursor(cursor):
        case [version, int(at)] if version == book.version and at >= 0:
            return at
    raise InvalidCursor


def describe_target(
    book: SegmentBook, state: LiveState, product: Sold, row: int, likely: float, basis: Basis
) -> dict[str, Any] | None:
    """Describe an account; None where it owns the product, or objects to marketing."""
    account_id = book.content.account_ids.texts[row]
    live = state.accounts.get(account_id)
    owned = book.content.owned_by(row) if live is None else live.owned
    if account_id in state.objecting or (product.row is not None and _holds(owned, product.row)):
        return None
    deals = state.pipeline.get(account_id, ())
    return {
        "account_id": account_id,
        "propensity": round(likely, 6),
        "basis": basis,
        "expected_revenue_minor": None if product.price_minor is None else round(likely * product.price_minor),
        "expected_margin_minor": None if product.margin_minor is None else round(likely * product.margin_minor),
        "has_open_deal": any(deal.product_id == product.product_id for deal in deals),
    }


def _holds(owned: NDArray[np.int32], row: int) -> bool:
    place = int(owned.searchsorted(row))
    return place < len(owned) and int(owned[place]) == row
