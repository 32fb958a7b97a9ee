"""The SQL of deals."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import Connection, Table, delete, select
from sqlalchemy.orm import Session

from service.accounts.live import ACCOUNTS_CHANGED
from service.deals.live import DEALS_CHANGED
from service.deals.resolve import DealTerms, resolve_deal
from service.deals.schemas import DealIn
from service.deals.stages import DealStatus
from service.deals.tables import Deal, DealLine
from service.deals.whole_deal import HEADER_FIELDS, WholeDeal, WholeDealLine, total_value
from service.orders.queries import Line, WholeOrder, replace_orders, stored_orders
from service.orders.stubs import add_named
from service.rows.validation import RowErrors
from service.storage.bulk import RowStatus, in_chunks, stored_rows, upsert_rows
from service.storage.changes import ChangeLog
from service.storage.records import Stubs

_DEALS: Final = cast(Table, Deal.__table__)
_LINES: Final = cast(Table, DealLine.__table__)


@dataclass(frozen=True)
class DealFilter:
    """Which deals to list; None lets all pass."""

    account_id: str | None = None
    status: DealStatus | None = None


@dataclass(frozen=True)
class AppliedDeals:
    """What became of given deals, by index: the status of the good ones, the errors of the others."""

    statuses: dict[int, RowStatus]
    errors: RowErrors
    stubs: Stubs
    deals: Collection[WholeDeal]


def apply_deals(
    connection: Connection, given: Mapping[int, DealIn], terms: DealTerms, changes: ChangeLog
) -> AppliedDeals:
    """Create or update deals in their order, add stubs for what they name, and keep the orders of won deals in step."""
    stored = stored_deals(connection, {deal.deal_id for deal in given.values()})
    current: dict[str, WholeDeal] = {}
    statuses: dict[int, RowStatus] = {}
    errors: RowErrors = {}
    for index, deal in given.items():
        before = current.get(deal.deal_id) or stored.get(deal.deal_id)
        after = resolve_deal(deal, before, terms)
        if isinstance(after, tuple):
            errors[index] = after
            continue
        statuses[index] = "created" if before is None else "unchanged" if before == after else "updated"
        current[deal.deal_id] = after
    stubs = _write(connection, stored, current, terms.now, changes)
    return AppliedDeals(statuses, errors, stubs, current.values())


def stored_deals(connection: Connection, deal_ids: Iterable[str]) -> dict[str, WholeDeal]:
    """Those of these deals that are stored, by identifier, locked against other writers."""
    headers = stored_rows(connection, _DEALS, deal_ids, for_update=True)
    lines = _lines_by_deal(connection, headers)
    return {
        deal_id: WholeDeal(**{name: row[name] for name in HEADER_FIELDS}, lines=frozenset(lines[deal_id]))
        for deal_id, row in headers.items()
    }


def _lines_by_deal(connection: Connection, deal_ids: Iterable[str]) -> Mapping[str, list[WholeDealLine]]:
    """The lines of some deals, by deal, in the order of their products."""
    lines: dict[str, list[WholeDealLine]] = defaultdict(list)
    query = select(_LINES).order_by(_LINES.c.product_id, _LINES.c.ordinal)
    for some_ids in in_chunks(sorted(deal_ids)):
        for deal_id, *line in connection.execute(query.where(_LINES.c.deal_id.in_(some_ids))):
            lines[deal_id].append(WholeDealLine(*line))
    return lines


def _write(
    connection: Connection,
    stored: Mapping[str, WholeDeal],
    current: Mapping[str, WholeDeal],
    now: datetime,
    changes: ChangeLog,
) -> Stubs:
    accounts = {deal.account_id for deal in current.values() if deal.account_id is not None}
    products = {line.product_id for deal in current.values() for line in deal.lines}
    stubs = add_named(connection, accounts, products, now, changes)
    changed = [deal for deal_id, deal in current.items() if stored.get(deal_id) != deal]
    upsert_rows(connection, _DEALS, [deal.header() | {"updated_at": now} for deal in changed])
    _replace_lines(connection, [deal for deal in changed if _lines_of(stored.get(deal.deal_id)) != deal.lines])
    versions = [*changed, *(stored[deal.deal_id] for deal in changed if deal.deal_id in stored)]
    owners = {deal.account_id for deal in versions if deal.account_id is not None}
    not_won = {deal.account_id for deal in versions if deal.status != "won"}
    changes.touch(DEALS_CHANGED, owners & not_won)
    changes.touch(ACCOUNTS_CHANGED, owners)  # they may be new
    _update_orders(connection, current.values(), now, changes)
    return stubs


def _lines_of(deal: WholeDeal | None) -> frozenset[WholeDealLine]:
    return deal.lines if deal else frozenset()


def _replace_lines(connection: Connection, deals: Sequence[WholeDeal]) -> None:
    for deal_ids in in_chunks(sorted(deal.deal_id for deal in deals)):
        connection.execute(delete(DealLine).where(DealLine.deal_id.in_(deal_ids)))
    rows = [{"deal_id": deal.deal_id, **line._asdict()} for deal in deals for line in deal.lines]
    upsert_rows(connection, _LINES, rows)


def _update_orders(connection: Connection, deals: Iterable[WholeDeal], now: datetime, changes: ChangeLog) -> None:
    """Store the order of each won deal that has lines, and cancel the orders of the others."""
    won, others = [], set()
    for deal in deals:
        if deal.status == "won" and deal.lines:
            won.append(_order_of(deal))
        else:
            others.add(order_id_of(deal.deal_id))
    cancelled = [replace(order, is_cancelled=True) for order in stored_orders(connection, others).values()]
    replace_orders(connection, [*won, *cancelled], now, changes)


def order_id_of(deal_id: str) -> str:
    """The order that a deal becomes when it is won."""
    return f"deal:{deal_id}"


def _order_of(deal: WholeDeal) -> WholeOrder:
    assert deal.closed_at is not None  # noqa: S101  a won deal has it
    lines: frozenset[Line] = frozenset(deal.valued_lines())
    return WholeOrder(order_id_of(deal.deal_id), deal.account_id, deal.closed_at, deal.currency, False, lines)


def page_of_deals(session: Session, wanted: DealFilter, after: str | None, limit: int) -> Sequence[dict[str, Any]]:
    """Deals in the order of their identifiers, from the one after ``after`` on, as they are answered."""
    query = select(_DEALS).order_by(_DEALS.c.deal_id).limit(limit)
    if after is not None:
        query = query.where(_DEALS.c.deal_id > after)
    if wanted.account_id is not None:
        query = query.where(_DEALS.c.account_id == wanted.account_id)
    if wanted.status is not None:
        query = query.where(_DEALS.c.status == wanted.status)
    connection = session.connection()
    rows = [dict(row) for row in connection.execute(query).mappings()]
    lines = _lines_by_deal(connection, [row["deal_id"] for row in rows])
    return [_describe(row, lines[row["deal_id"]]) for row in rows]


def _describe(row: dict[str, Any], lines: Sequence[WholeDealLine]) -> dict[str, Any]:
    total = total_value(row["value_minor"], [line.value_minor for line in lines])
    return row | {"lines": [line._asdict() for line in lines], "value_minor": total}
