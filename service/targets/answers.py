"""Describes the accounts most likely to buy a product."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.base.clock import as_date
from service.base.pagination import decode_row, encode_cursor
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.deals import OpenDeals
from service.readmodel.listed_policies import ListedPolicies
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.readmodel.ownership import NO_PRODUCTS, Ownership
from service.readmodel.policy_products import NO_POLICY
from service.readmodel.product_index import ProductIndex
from service.readmodel.returned_products import ReturnedProducts
from service.readmodel.segment_catalog import Segment, SegmentCatalog
from service.targets.ranking import Block, Ranking, TargetProduct, TargetRankings
from service.targets.schemas import Basis


class Variants(NamedTuple):
    """A product with its variants, predecessors and successors. rows: int32, ascending, of those in the artifact."""

    product_ids: frozenset[str]
    rows: NDArray[np.int32]

    @classmethod
    def of_product(cls, products: ProductIndex, product_id: str) -> "Variants":
        """Look them up."""
        product_ids = products.with_variants(product_id)
        return cls(product_ids, products.rows_of(product_ids))

    def is_any_among(self, rows: NDArray[np.int32]) -> bool:
        """Tell whether any of them is among some product rows, which are ascending."""
        return bool(len(rows)) and bool((rows.take(rows.searchsorted(self.rows), mode="clip") == self.rows).any())


def page_of_targets(
    rankings: TargetRankings,
    state: LiveState,
    product: TargetProduct,
    segment: Segment | None,
    policies: ListedPolicies,
    cursor: str | None,
    limit: int,
) -> dict[str, Any]:
    """List a product's targets from a cursor on; raises InvalidCursor."""
    segments = rankings.segments
    tag = ("targets", segments.version, product.product_id, segment.id if segment else None)
    begin, ranking = decode_row(cursor, tag), rankings.rank(product)
    variants = Variants.of_product(state.part(CatalogueView).products, product.product_id)
    items: list[dict[str, Any]] = []
    next_rank = None
    walk = walk_accounts(ranking, segments, segment, policies, product, begin) if product.is_active else ()
    for block, place in walk:
        if len(items) == limit:
            next_rank = block.begin + place
            break
        target = describe_target(segments, state, product, variants, block, place)
        items += [target] if target else []
    return describe_product(segments, product, ranking) | {
        "items": items,
        "next_cursor": None if next_rank is None else encode_cursor(tag, next_rank),
    }


def walk_accounts(
    ranking: Ranking,
    segments: SegmentCatalog,
    segment: Segment | None,
    policies: ListedPolicies,
    product: TargetProduct,
    begin: int,
) -> Iterator[tuple[Block, int]]:
    """Yield the accounts of a segment, or all, from a rank on: a block of ranks, and a place in it.

    Accounts from which policies withhold the product are left out. Of a product that is new since the training nothing
    is known to them.
    """
    is_member = None if segment is None else segments.is_member(segment)
    for block in ranking.blocks(begin):
        places = np.arange(len(block.rows)) if is_member is None else np.flatnonzero(is_member[block.rows])
        if policies and product.row is not None:
            withholding = policies.withholding(block.rows[places], np.array([product.row]))
            places = places[withholding == NO_POLICY]
        for place in places.tolist():
            yield block, place


def describe_product(segments: SegmentCatalog, product: TargetProduct, ranking: Ranking) -> dict[str, Any]:
    """Describe a product, and what its targets' figures rest on."""
    report = segments.report.get("propensity", {})
    return {
        **{name: value for name, value in product._asdict().items() if name not in ("row", "category")},
        "as_of": as_date(segments.as_of_day),
        "timezone": segments.timezone,
        "artifact_version": segments.version,
        "horizon_days": float(report.get("horizon_days") or 0),
        "method": report.get("method"),
        "calibrated_on": report.get("examples"),
        "candidates": len(ranking.candidates),
        "expected_buyers": round(float(np.sum(ranking.propensities)), 2) if report.get("method") else None,
    }


def describe_target(
    segments: SegmentCatalog, state: LiveState, product: TargetProduct, variants: Variants, block: Block, place: int
) -> dict[str, Any] | None:
    """Describe an account; None where it had the product or a variant, objects to marketing, or is erased."""
    row, propensity = int(block.rows[place]), float(block.propensities[place])
    if state.accounts.is_hidden(row):
        return None
    account_id = segments.content.account_ids.texts[row]
    if account_id in state.part(Objections).accounts or has_had(segments, state, account_id, row, variants):
        return None
    deals = state.part(OpenDeals).by_account.get(account_id, ())
    return {
        "account_id": account_id,
        "propensity": round(propensity, 6),
        "basis": Basis.CANDIDATE if block.is_candidate[place] else Basis.PRIOR,
        "expected_revenue_minor": None if product.price_minor is None else round(propensity * product.price_minor),
        "expected_margin_minor": None if product.margin_minor is None else round(propensity * product.margin_minor),
        "has_open_deal": any(deal.has_product(product_id) for deal in deals for product_id in variants.product_ids),
    }


def has_had(segments: SegmentCatalog, state: LiveState, account_id: str, row: int, variants: Variants) -> bool:
    """Tell whether an account owns one of some variants now, or returned one recently."""
    live = state.part(Ownership).by_account.get(account_id)
    owned = segments.content.owned_by(row) if live is None else live.owned
    returned = state.part(ReturnedProducts).by_account.get(account_id, NO_PRODUCTS)
    is_owned_elsewhere = live is not None and not live.others.isdisjoint(variants.product_ids)
    return is_owned_elsewhere or variants.is_any_among(owned) or variants.is_any_among(returned)
