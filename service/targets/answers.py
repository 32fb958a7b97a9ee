"""Describes the accounts most likely to buy a product."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from service.base.clock import as_date
from service.base.pagination import decode_row, encode_cursor
from service.readmodel.deals import OpenDeals
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.readmodel.ownership import Ownership
from service.readmodel.segment_catalog import Segment, SegmentCatalog
from service.targets.ranking import Block, Ranking, TargetProduct, TargetRankings
from service.targets.schemas import Basis


def page_of_targets(
    rankings: TargetRankings,
    state: LiveState,
    product: TargetProduct,
    segment: Segment | None,
    cursor: str | None,
    limit: int,
) -> dict[str, Any]:
    """List a product's targets from a cursor on; raises InvalidCursor."""
    segments = rankings.segments
    tag = ("targets", segments.version, product.product_id, segment.id if segment else None)
    begin, ranking = decode_row(cursor, tag), rankings.rank(product)
    items: list[dict[str, Any]] = []
    next_rank = None
    for block, place in walk_accounts(ranking, segments, segment, begin) if product.is_active else ():
        if len(items) == limit:
            next_rank = block.begin + place
            break
        target = describe_target(segments, state, product, block, place)
        items += [target] if target else []
    return describe_product(segments, product, ranking) | {
        "items": items,
        "next_cursor": None if next_rank is None else encode_cursor(tag, next_rank),
    }


def walk_accounts(
    ranking: Ranking, segments: SegmentCatalog, segment: Segment | None, begin: int
) -> Iterator[tuple[Block, int]]:
    """Yield the accounts of a segment, or all, from a rank on: a block of ranks, and a place in it."""
    is_member = None if segment is None else segments.is_member(segment)
    for block in ranking.blocks(begin):
        places = range(len(block.rows)) if is_member is None else np.flatnonzero(is_member[block.rows]).tolist()
        for place in places:
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
    segments: SegmentCatalog, state: LiveState, product: TargetProduct, block: Block, place: int
) -> dict[str, Any] | None:
    """Describe an account; None where it owns the product, objects to marketing, or is erased."""
    row, propensity = int(block.rows[place]), float(block.propensities[place])
    if state.accounts.is_hidden(row):
        return None
    account_id = segments.content.account_ids.texts[row]
    live = state.part(Ownership).by_account.get(account_id)
    if product.row is None:
        is_owner = live is not None and product.product_id in live.others
    else:
        owned = segments.content.owned_by(row) if live is None else live.owned
        rank = int(owned.searchsorted(product.row))
        is_owner = rank < len(owned) and int(owned[rank]) == product.row
    if is_owner or account_id in state.part(Objections).accounts:
        return None
    deals = state.part(OpenDeals).by_account.get(account_id, ())
    return {
        "account_id": account_id,
        "propensity": round(propensity, 6),
        "basis": Basis.CANDIDATE if block.is_candidate[place] else Basis.PRIOR,
        "expected_revenue_minor": None if product.price_minor is None else round(propensity * product.price_minor),
        "expected_margin_minor": None if product.margin_minor is None else round(propensity * product.margin_minor),
        "has_open_deal": any(deal.has_product(product.product_id) for deal in deals),
    }
