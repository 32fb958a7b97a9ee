"""What is told of white space, from memory."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from models.artifact import CellTotals
from models.artifact.measures import NORMAL_95, WINDOW_DAYS, share_with_interval
from service.accounts.value import whole
from service.base.clock import as_date
from service.base.pagination import decode_row, encode_cursor
from service.readmodel.live_state import LiveState
from service.readmodel.segment_catalog import RULE_FAMILY, Segment, SegmentCatalog
from service.readmodel.whitespace import WhitespaceDimension, WhitespaceIndex
from service.segments.answers import segments_of_family

MIN_COMPARABLE: Final = 30
NOBODY: Final = np.empty(0, dtype=np.int32)
OVERLAPPING: Final = (RULE_FAMILY["id"],)
EVERYONE: Final = "all.accounts"


def describe_basis(rooms: WhitespaceIndex, wing: WhitespaceDimension) -> dict[str, Any]:
    """Tell what every figure rests on."""
    return {
        "as_of": as_date(rooms.book.as_of_day),
        "artifact_version": rooms.book.version,
        "rows": wing.kind,
        "horizon_days": rooms.horizon_days,
        "window_days": WINDOW_DAYS,
        "currency": rooms.currency,
        "method": wing.told.get("method"),
        "calibrated_on": wing.told.get("examples"),
    }


def describe_map(rooms: WhitespaceIndex, wing: WhitespaceDimension, family: str) -> dict[str, Any]:
    """Describe every row by every segment of a family; raises UnknownFamily."""
    book = rooms.book
    columns = segments_of_family(book, family)
    cells, everyone = [wing.cells(segment) for segment in columns], wing.cells(book.find(EVERYONE))
    rest = None if columns and columns[0].family in OVERLAPPING else subtract(everyone, cells)
    items = [describe_row(rooms, wing, place, columns, cells, everyone, rest) for place in range(len(wing.names))]
    return describe_basis(rooms, wing) | {
        "family": family,
        "columns": [{"segment_id": one.id, "name": one.name, "accounts": one.known_size} for one in columns],
        "items": items,
        "totals": describe_totals(book, wing, everyone),
    }


def describe_row(
    rooms: WhitespaceIndex,
    wing: WhitespaceDimension,
    place: int,
    columns: Sequence[Segment],
    cells: Sequence[CellTotals],
    everyone: CellTotals,
    rest: CellTotals | None,
) -> dict[str, Any]:
    """Describe one line or category. rest: of accounts in none of the columns; None where columns may overlap."""
    sizes = [segment.known_size for segment in columns]
    shares = [
        int(cell.owners[0, place]) / size if size >= MIN_COMPARABLE else -1.0
        for cell, size in zip(cells, sizes, strict=True)
    ]
    best = int(np.argmax(shares)) if shares and max(shares) >= 0 else None
    comparable = (None, None) if best is None else (columns[best].id, shares[best])
    n_all = len(rooms.book.content.account_ids)
    described = [
        describe_cell(rooms, wing, place, segment.id, size, cell, comparable)
        for segment, size, cell in zip(columns, sizes, cells, strict=True)
    ]
    others = None
    if columns and rest is not None:
        others = describe_cell(rooms, wing, place, "none", n_all - sum(sizes), rest, (None, None))
    return {
        "row": wing.names[place],
        "is_sold": bool(wing.room.is_sold[place]),
        "cells": described,
        "total": describe_cell(rooms, wing, place, EVERYONE, n_all, everyone, (None, None)),
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
    rooms: WhitespaceIndex,
    wing: WhitespaceDimension,
    place: int,
    segment_id: str,
    size: int,
    cell: CellTotals,
    best: tuple[str | None, float | None],
) -> dict[str, Any]:
    """Describe one segment's room for one row. best: the comparable segment that owns it most, and its share."""
    owners = int(cell.owners[0, place])
    best_id, share = best
    is_foretold = wing.is_foretold
    return {
        "segment_id": segment_id,
        "accounts": size,
        "owners": owners,
        "penetration": share_with_interval(owners, size),
        "best_penetration": None if share is None else round(share, 6),
        "best_segment_id": best_id,
        "headroom_accounts": None if share is None else max(round(share * size) - owners, 0),
        "revenue_minor": int(cell.revenue_minor[0, place]),
        "expected_buyers": round(float(cell.buyers[0, place]), 2) if is_foretold else None,
        "expected_revenue": describe_money(wing, cell, place, size - owners) if is_foretold else None,
        "trend": {
            "days": rooms.horizon_days,
            "adopters": int(cell.adopters[0, place]),
            "adopters_before": int(cell.adopters_before[0, place]),
        }
        if rooms.horizon_days
        else None,
    }


def describe_money(wing: WhitespaceDimension, cell: CellTotals, place: int | slice, n: int) -> dict[str, Any]:
    """Tell expected money with its interval; of several rows together, their sum."""
    expected, variance = float(cell.expected_minor[0, place].sum()), float(cell.variance[0, place].sum())
    half = (NORMAL_95**2 * variance + (wing.level_error * expected) ** 2) ** 0.5
    return {
        "expected_minor": round(expected),
        "low_minor": round(max(expected - half, 0)),
        "high_minor": round(expected + half),
        "n": n,
    }


def describe_totals(book: SegmentCatalog, wing: WhitespaceDimension, everyone: CellTotals) -> dict[str, Any]:
    """Tell what the rows add up to, and what known accounts bought beside them."""
    measured = book.find(EVERYONE).measured
    revenue, accounts = int(measured["revenue_minor"]), len(book.content.account_ids)
    return {
        "accounts": accounts,
        "revenue_minor": revenue,
        "revenue_outside_minor": revenue - int(everyone.revenue_minor.sum()),
        "expected_revenue": describe_money(wing, everyone, slice(None), accounts) if wing.is_foretold else None,
    }


def page_of_cell(
    rooms: WhitespaceIndex,
    wing: WhitespaceDimension,
    state: LiveState,
    row: str,
    segment: Segment,
    cursor: str | None,
    limit: int,
) -> dict[str, Any]:
    """List who is behind a cell, the most expected first; raises UnknownRow or InvalidCursor."""
    place = wing.place_of(row)
    tag = ("cell", rooms.book.version, wing.kind, row, segment.id)
    begin = decode_row(cursor, tag)
    ranked = wing.without(place) if wing.room.is_sold[place] else NOBODY
    places = np.flatnonzero(rooms.book.codes_of(segment)[ranked] == 0)
    items: list[dict[str, Any]] = []
    following = None
    for at in places[places.searchsorted(begin) :].tolist():
        if len(items) == limit:
            following = at
            break
        described = describe_account_in_cell(wing, state, int(ranked[at]), place)
        items += [described] if described else []
    return describe_basis(rooms, wing) | {
        "row": row,
        "segment_id": segment.id,
        "items": items,
        "next_cursor": None if following is None else encode_cursor(tag, following),
    }


def describe_account_in_cell(
    wing: WhitespaceDimension, state: LiveState, row: int, place: int
) -> dict[str, Any] | None:
    """Describe an account that owns nothing of a row; None where it bought of it since, or objects to marketing."""
    content = wing.book.content
    account_id = content.account_ids.texts[row]
    live = state.accounts.get(account_id)
    of_product = wing.room.groups.of_product
    if account_id in state.objecting or (live is not None and (of_product[live.owned] == place).any()):
        return None
    likely = float(wing.room.likely[row, place])
    return {
        "account_id": account_id,
        "propensity": round(likely, 6),
        "expected_minor": round(likely * wing.spend(place) * float(wing.room.factors[row])),
        "value_ahead_minor": whole(content.customers.value[row, 0]),
        "has_open_deal": place in rows_in_pipeline(wing, state, account_id),
    }


def rows_in_pipeline(wing: WhitespaceDimension, state: LiveState, account_id: str) -> dict[int, list[Any]]:
    """Return an account's open deals by the row that their products are in."""
    found: dict[int, list[Any]] = {}
    for deal in state.pipeline.get(account_id, ()):
        product = wing.book.content.products.ids.row_of(deal.product_id)
        place = -1 if product is None else int(wing.room.groups.of_product[product])
        if place >= 0:
            found.setdefault(place, []).append(deal)
    return found
