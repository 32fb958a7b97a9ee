"""Describes white space as callers read it."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from models.artifact import CellTotals
from models.artifact.measures import NORMAL_95, WINDOW_DAYS, share_with_interval
from service.accounts.value import whole
from service.base.clock import as_date
from service.base.pagination import decode_row, encode_cursor
from service.readmodel.deals import OpenDeal, OpenDealLine, OpenDeals
from service.readmodel.listed_policies import ListedPolicies
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.readmodel.ownership import Ownership
from service.readmodel.segment_catalog import EVERYONE, RULE_FAMILY, Segment, SegmentCatalog
from service.readmodel.whitespace import WhitespaceDimension, WhitespaceIndex
from service.whitespace.withheld import offerable_ranks, products_of

MIN_COMPARABLE: Final = 30
NO_SEGMENT: Final = "None of these"
NO_ACCOUNTS: Final = np.empty(0, dtype=np.int32)
OVERLAPPING: Final = (RULE_FAMILY["id"],)


def describe_basis(index: WhitespaceIndex, dimension: WhitespaceDimension) -> dict[str, Any]:
    """Describe what every figure rests on."""
    return {
        "as_of": as_date(index.segments.as_of_day),
        "timezone": index.segments.timezone,
        "artifact_version": index.segments.version,
        "rows": dimension.kind,
        "horizon_days": index.horizon_days,
        "window_days": WINDOW_DAYS,
        "currency": index.currency,
        "method": dimension.report.get("method"),
        "calibrated_on": dimension.report.get("examples"),
    }


def describe_map(index: WhitespaceIndex, dimension: WhitespaceDimension, family: str) -> dict[str, Any]:
    """Describe every row by every segment of a family; raises UnknownFamily."""
    segments = index.segments
    columns = segments.segments_of_family(family)
    cells, everyone = [dimension.cells_of(segment) for segment in columns], dimension.cells_of(segments.find(EVERYONE))
    rest = None if columns and columns[0].family in OVERLAPPING else subtract(everyone, cells)
    items = [
        describe_row(index, dimension, position, columns, cells, everyone, rest)
        for position in range(len(dimension.names))
    ]
    names = {EVERYONE: segments.find(EVERYONE).name, "none": NO_SEGMENT} | {c.id: c.name for c in columns}
    for cell in (cell for item in items for cell in (*item["cells"], item["total"], item["others"]) if cell):
        cell |= {"segment_name": names[cell["segment_id"]], "best_segment_name": names.get(cell["best_segment_id"])}
    return describe_basis(index, dimension) | {
        "family": family,
        "columns": [
            {"segment_id": column.id, "name": column.name, "accounts": column.known_size} for column in columns
        ],
        "items": items,
        "totals": describe_totals(segments, dimension, everyone),
    }


def describe_row(
    index: WhitespaceIndex,
    dimension: WhitespaceDimension,
    position: int,
    columns: Sequence[Segment],
    cells: Sequence[CellTotals],
    everyone: CellTotals,
    rest: CellTotals | None,
) -> dict[str, Any]:
    """Describe one line or category. rest: of accounts in none of the columns; None where columns may overlap."""
    sizes = [segment.known_size for segment in columns]
    shares = [
        int(cell.owners[0, position]) / size if size >= MIN_COMPARABLE else -1.0
        for cell, size in zip(cells, sizes, strict=True)
    ]
    best = int(np.argmax(shares)) if shares and max(shares) >= 0 else None
    comparable = (None, None) if best is None else (columns[best].id, shares[best])
    n_all = len(index.segments.content.account_ids)
    described = [
        describe_cell(index, dimension, position, segment.id, size, cell, comparable)
        for segment, size, cell in zip(columns, sizes, cells, strict=True)
    ]
    others = None
    if columns and rest is not None:
        others = describe_cell(index, dimension, position, "none", n_all - sum(sizes), rest, (None, None))
    return {
        "row": dimension.names[position],
        "is_sold": bool(dimension.demand.is_sold[position]),
        "cells": described,
        "total": describe_cell(index, dimension, position, EVERYONE, n_all, everyone, (None, None)),
        "others": others,
    }


def subtract(everyone: CellTotals, cells: Sequence[CellTotals]) -> CellTotals:
    """Return what is left of all accounts beside segments that share none."""
    return CellTotals(
        *(
            np.maximum(getattr(everyone, name) - sum(getattr(cell, name) for cell in cells), 0)
            if name != "revenue_minor"
            else getattr(everyone, name) - sum(getattr(cell, name) for cell in cells)
            for name in CellTotals.__dataclass_fields__
        )
    )


def describe_cell(
    index: WhitespaceIndex,
    dimension: WhitespaceDimension,
    position: int,
    segment_id: str,
    size: int,
    cell: CellTotals,
    best: tuple[str | None, float | None],
) -> dict[str, Any]:
    """Describe one segment's white space in one row. best: the comparable segment that owns it most, and its share."""
    owners = int(cell.owners[0, position])
    best_id, share = best
    has_propensities = dimension.has_propensities
    return {
        "segment_id": segment_id,
        "accounts": size,
        "owners": owners,
        "penetration": share_with_interval(owners, size),
        "best_penetration": None if share is None else round(share, 6),
        "best_segment_id": best_id,
        "headroom_accounts": None if share is None else max(round(share * size) - owners, 0),
        "revenue_minor": int(cell.revenue_minor[0, position]),
        "expected_buyers": round(float(cell.buyers[0, position]), 2) if has_propensities else None,
        "expected_revenue": describe_money(dimension, cell, position, size - owners) if has_propensities else None,
        "trend": {
            "days": index.horizon_days,
            "adopters": int(cell.adopters[0, position]),
            "adopters_before": int(cell.adopters_before[0, position]),
        }
        if index.horizon_days
        else None,
    }


def describe_money(dimension: WhitespaceDimension, cell: CellTotals, position: int | slice, n: int) -> dict[str, Any]:
    """Describe expected money with its interval; of several rows together, their sum."""
    expected, variance = float(cell.expected_minor[0, position].sum()), float(cell.variance[0, position].sum())
    half = (NORMAL_95**2 * variance + (dimension.level_error * expected) ** 2) ** 0.5
    return {
        "expected_minor": round(expected),
        "low_minor": round(max(expected - half, 0)),
        "high_minor": round(expected + half),
        "n": n,
    }


def describe_totals(segments: SegmentCatalog, dimension: WhitespaceDimension, everyone: CellTotals) -> dict[str, Any]:
    """Describe what the rows add up to, and what known accounts bought beside them."""
    measured = segments.find(EVERYONE).measured
    revenue, accounts = int(measured["revenue_minor"]), len(segments.content.account_ids)
    expected = describe_money(dimension, everyone, slice(None), accounts) if dimension.has_propensities else None
    return {
        "accounts": accounts,
        "revenue_minor": revenue,
        "unconverted_orders": measured["unconverted_orders"],
        "revenue_outside_minor": revenue - int(everyone.revenue_minor.sum()),
        "expected_revenue": expected,
    }


def page_of_cell(
    index: WhitespaceIndex,
    dimension: WhitespaceDimension,
    state: LiveState,
    row: str,
    segment: Segment,
    policies: ListedPolicies,
    cursor: str | None,
    limit: int,
) -> dict[str, Any]:
    """List who is behind a cell, the most expected first; raises UnknownRow or InvalidCursor."""
    position = dimension.position_of(row)
    tag = ("cell", index.segments.version, dimension.kind, row, segment.id)
    begin = decode_row(cursor, tag)
    ranked = dimension.accounts_without(position) if dimension.demand.is_sold[position] else NO_ACCOUNTS
    ranks = np.flatnonzero(index.segments.is_member(segment)[ranked])
    ranks = ranks[ranks.searchsorted(begin) :]
    items: list[dict[str, Any]] = []
    following = None
    for rank in offerable_ranks(ranks, ranked, policies, products_of(dimension, state, position)):
        if len(items) == limit:
            following = rank
            break
        described = describe_account_in_cell(dimension, state, int(ranked[rank]), position)
        items += [described] if described else []
    return describe_basis(index, dimension) | {
        "row": row,
        "segment_id": segment.id,
        "segment_name": segment.name,
        "items": items,
        "next_cursor": None if following is None else encode_cursor(tag, following),
    }


def describe_account_in_cell(
    dimension: WhitespaceDimension, state: LiveState, row: int, position: int
) -> dict[str, Any] | None:
    """Describe an account that owns nothing of a row; None where it bought of it since, or objects to marketing."""
    content = dimension.segments.content
    if state.accounts.is_hidden(row):
        return None
    account_id = content.account_ids.texts[row]
    live = state.part(Ownership).by_account.get(account_id)
    of_product = dimension.demand.groups.of_product
    is_owner = live is not None and bool((of_product[live.owned] == position).any())
    if is_owner or account_id in state.part(Objections).accounts:
        return None
    likely = float(dimension.demand.likely[row, position])
    return {
        "account_id": account_id,
        "propensity": round(likely, 6),
        "expected_minor": round(likely * dimension.newcomer_spend(position) * float(dimension.demand.factors[row])),
        "value_ahead_minor": whole(content.customers.value[row, 0]),
        "has_open_deal": position in open_deals_by_row(dimension, state, account_id),
    }


def open_deals_by_row(
    dimension: WhitespaceDimension, state: LiveState, account_id: str
) -> dict[int, list[tuple[OpenDeal, OpenDealLine]]]:
    """Return the products of an account's open deals by the row that they are in, each with its deal."""
    by_row: dict[int, list[tuple[OpenDeal, OpenDealLine]]] = {}
    deals = state.part(OpenDeals).by_account.get(account_id, ())
    for deal, line in ((each, line) for each in deals for line in each.lines):
        product = dimension.segments.content.products.ids.row_of(line.product_id)
        position = -1 if product is None else int(dimension.demand.groups.of_product[product])
        if position >= 0:
            by_row.setdefault(position, []).append((deal, line))
    return by_row
