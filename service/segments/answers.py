"""Describes segments as callers read them."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

from models.artifact.measures import share_with_interval
from service.accounts.value import number, whole
from service.base.clock import as_date
from service.base.pagination import decode_row, encode_cursor
from service.readmodel.ranked_accounts import SegmentMembers
from service.readmodel.segment_catalog import RULE_FAMILY, Segment, SegmentCatalog

SUMMARY = ("size", "share_of_accounts", "revenue_minor", "share_of_revenue", "churn_risk", "value_ahead")
EXAMPLES = 10
NEWCOMER = {
    "since": None, "spend_minor": None, "purchase_days": None, "last_purchase_on": None, "is_alive": None,
    "value_ahead_minor": None, "unconverted_lines": 0,
}  # fmt: skip
"""What is known of an account that the artifact does not know."""
SNAPSHOT = (
    *SUMMARY, "currency", "margin_minor", "orders", "unconverted_orders", "average_order_value_minor", "retention",
)  # fmt: skip


def describe_all(segments: SegmentCatalog, family: str | None) -> dict[str, Any]:
    """Describe every segment, or those of one family; raises UnknownFamily."""
    listed = segments.all_segments() if family is None else segments.segments_of_family(family)
    return {
        "as_of": as_date(segments.as_of_day),
        "timezone": segments.timezone,
        "artifact_version": segments.version,
        "currency": segments.currency,
        **segments.value_terms,
        "families": [{"family": entry["id"], "name": entry["name"]} for entry in (*segments.families, RULE_FAMILY)],
        "items": [summary_of(segment) for segment in listed],
        "next_cursor": None,
    }


def summary_of(segment: Segment) -> dict[str, Any]:
    """Describe a segment in a list."""
    named = {"segment_id": segment.id, "name": segment.name, "family": segment.family, "kind": segment.kind}
    return named | {name: segment.measured[name] for name in SUMMARY}


def describe_segment(segments: SegmentCatalog, segment: Segment) -> dict[str, Any]:
    """Describe one segment in full."""
    basis = {
        "as_of": as_date(segments.as_of_day),
        "timezone": segments.timezone,
        "artifact_version": segments.version,
        "currency": segments.currency,
        **segments.value_terms,
    }
    more = {"movement": movement_of(segments, segment), "definition": definition_of(segment), "traits": segment.traits}
    return summary_of(segment) | segment.measured | basis | more


def describe_preview(segments: SegmentCatalog, members: SegmentMembers) -> dict[str, Any]:
    """Describe the accounts that match a rule."""
    segment = segments.measure(members)
    rows, _ = segments.accounts(segment, 0, EXAMPLES)
    examples = [segments.content.account_ids.texts[row] for row in rows] + sorted(members.newcomers)
    measured = {name: segment.measured[name] for name in ("share_of_accounts", "revenue_minor", "value_ahead")}
    return {"accounts": members.size, "examples": examples[:EXAMPLES], "currency": segments.currency, **measured}


def definition_of(segment: Segment) -> dict[str, Any] | None:
    """Describe the rule of a segment; None for one that was learned."""
    if segment.members is None:
        return None
    definition = segment.members.definition
    return {
        "description": definition.description,
        "rule": definition.rule.model_dump(mode="json", by_alias=True, exclude_none=True),
        "updated_at": definition.updated_at,
    }


def movement_of(segments: SegmentCatalog, segment: Segment) -> dict[str, Any] | None:
    """Describe how many accounts came and went since the snapshot before."""
    moves = segments.moves(segment)
    if moves is None:
        return None
    since, in_or_out = moves
    came = sum(move["accounts"] for move in in_or_out if move["to"] == segment.id)
    went = sum(move["accounts"] for move in in_or_out if move["from"] == segment.id)
    names = {other.id: other.name for other in segments.all_segments()}
    stayed = sum(move["accounts"] for move in in_or_out if move["from"] == move["to"])
    return {
        "since": as_date(since),
        "entered": came - stayed,
        "left": went - stayed,
        "stayed": stayed,
        "moves": [
            {
                "from_segment": move["from"],
                "from_name": names.get(move["from"]),
                "to_segment": move["to"],
                "to_name": names.get(move["to"]),
                "accounts": move["accounts"],
            }
            for move in in_or_out
        ],
    }


def page_of_accounts(segments: SegmentCatalog, segment: Segment, cursor: str | None, limit: int) -> dict[str, Any]:
    """List a segment's accounts from a cursor on, the most valuable first; raises InvalidCursor.

    A cursor holds within one artifact: in another, accounts stand elsewhere.
    """
    tag = ("segment", segments.version, segment.id)
    begin = segments.index_at(segment, decode_row(cursor, tag))
    rows, n_known = segments.accounts(segment, begin, begin + limit)
    is_learned = segment.column >= 0
    since = segments.content.segments.since[rows, segment.column].tolist() if is_learned else [None] * len(rows)
    items = [describe_account(segments, row, day) for row, day in zip(rows, since, strict=True)]
    newcomers = sorted(segment.newcomers)
    first = max(begin - n_known, 0)
    items += [
        {**NEWCOMER, "account_id": account_id, "currency": segments.currency}
        for account_id in newcomers[first : first + limit - len(rows)]
    ]
    end = begin + len(items)
    has_more = end < n_known + len(newcomers)
    next_cursor = encode_cursor(tag, segments.stable_position(segment, end)) if has_more else None
    return {"items": items, "next_cursor": next_cursor}


def describe_account(segments: SegmentCatalog, row: int, since: int | None) -> dict[str, Any]:
    """Describe an account in a list of accounts."""
    customers = segments.content.customers
    last = int(customers.last_day[row])
    return {
        "account_id": segments.content.account_ids.texts[row],
        "since": None if since is None else as_date(since),
        "spend_minor": int(customers.spend_minor[row]) if customers.is_money_known[row] else None,
        "unconverted_lines": int(customers.unconverted_lines[row]),
        "currency": segments.currency,
        "purchase_days": int(customers.n_purchases[row]),
        "last_purchase_on": as_date(last) if last >= 0 else None,
        "is_alive": number(customers.is_alive[row]),
        "value_ahead_minor": whole(customers.value[row, 0]),
    }


def describe_over_time(
    segments: SegmentCatalog, segment: Segment, interval: str, begin: date | None, end: date | None
) -> dict[str, Any]:
    """Describe a segment's periods and snapshots that begin on or after one day, and before another."""

    def is_within(day: date) -> bool:
        return (begin is None or day >= begin) and (end is None or day < end)

    has_margins = segment.measured["margin_minor"] is not None
    snapshots = [
        {"as_of": as_date(day)} | {name: figures[name] for name in SNAPSHOT}
        for day, figures in segments.snapshots(segment)
    ]
    return {
        "segment_id": segment.id,
        "artifact_version": segments.version,
        "interval": interval,
        "currency": segments.currency,
        "periods": [
            period for period in _periods(segments, segment, interval, has_margins) if is_within(period["begins_on"])
        ],
        "snapshots": [snapshot for snapshot in snapshots if is_within(snapshot["as_of"])],
        "movement": movement_of(segments, segment),
    }


def _periods(segments: SegmentCatalog, segment: Segment, interval: str, has_margins: bool) -> Iterator[dict[str, Any]]:
    starts, counts = segments.series(segment, interval)
    days: Sequence[int] = [*starts.tolist(), next_start(int(starts[-1]), interval)] if len(starts) else []
    active_before = 0
    for (begin, end), values in zip(pairwise(days), counts.tolist(), strict=True):
        active, orders, revenue, margin, retained, unconverted = values
        last = min(end, segments.as_of_day) - 1
        is_over = last == end - 1
        yield {
            "begins_on": as_date(begin),
            "ends_on": as_date(last),
            "is_whole": is_over and begin >= segments.first_day,
            "active_accounts": active,
            "orders": orders,
            "unconverted_orders": unconverted,
            "revenue_minor": revenue,
            "margin_minor": margin if has_margins else None,
            "average_order_value_minor": round(revenue / valued, 2) if (valued := orders - unconverted) else None,
            # Who has not bought yet in a period that goes on may still do so.
            "retention": share_with_interval(retained, active_before if is_over else 0),
        }
        active_before = active


def next_start(day: int, interval: str) -> int:
    """Return the first day of the period after the one that begins on a day."""
    if interval == "week":
        return day + 7
    begin = as_date(day)
    months = {"month": 1, "quarter": 3, "year": 12}[interval] + begin.month - 1
    return date(begin.year + months // 12, months % 12 + 1, 1).toordinal() - date(1970, 1, 1).toordinal()
