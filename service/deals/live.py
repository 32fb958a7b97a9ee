"""What is kept in memory of deals: the open ones of each account, when it let one be lost last, and their products."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, case, func, select

from service.deals.tables import Deal, DealLine
from service.deals.whole_deal import total_value
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.deals import DealProducts, Declines, OpenDeal, OpenDealLine, OpenDeals, ProductsInDeals
from service.readmodel.live_state import LiveState
from service.storage.bulk import in_chunks
from service.storage.changes import ChangeKind
from service.sync.sections import ChangeSet, LiveSection

DEALS_CHANGED: Final = ChangeKind("deals")
"""Identifiers of accounts."""


def load(state: LiveState, connection: Connection, _changes: ChangeSet) -> None:
    """Read the deals of all accounts."""
    _read_deals(state, connection, None)


def refresh(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Read the deals of some accounts."""
    _read_deals(state, connection, changes.ids(DEALS_CHANGED))


def _read_deals(state: LiveState, connection: Connection, account_ids: Sequence[str] | None) -> None:
    """Read the deals of some accounts, or of all."""
    negotiated, replaced = open_deals(connection, account_ids), account_ids or ()
    state.part(OpenDeals).replace(replaced, negotiated)
    state.part(Declines).replace(replaced, last_declines(connection, account_ids))
    lost = lost_products(connection, account_ids)
    state.part(DealProducts).replace(replaced, products_in_deals(state, negotiated, lost))


def products_in_deals(
    state: LiveState, negotiated: Mapping[str, Sequence[OpenDeal]], lost: Mapping[str, Mapping[str, datetime]]
) -> dict[str, ProductsInDeals]:
    """Return the products that each account has an open deal for, and those whose deal was lost within the window."""
    rows_of = state.part(CatalogueView).products.rows_of
    return {
        account_id: ProductsInDeals(
            rows_of(line.product_id for deal in negotiated.get(account_id, ()) for line in deal.lines),
            rows_of(_lost_recently(state, lost.get(account_id, {}))),
        )
        for account_id in negotiated.keys() | lost.keys()
    }


def _lost_recently(state: LiveState, lost: Mapping[str, datetime]) -> list[str]:
    """Return the products whose deal was lost within the window before the newest of them, or the artifact's end."""
    window = timedelta(days=state.windows.deal_lost_days)
    if not lost or not window:
        return []
    newest = max(lost.values()) if state.as_of is None else max(state.as_of, *lost.values())
    return [product_id for product_id, lost_at in lost.items() if lost_at >= newest - window]


def open_deals(connection: Connection, account_ids: Sequence[str] | None = None) -> dict[str, tuple[OpenDeal, ...]]:
    """Return the open deals of some accounts, or of all, in the order of their identifiers; no deal of nobody."""
    is_in_pipeline = (Deal.status == "open", Deal.account_id.is_not(None))
    lines = _open_lines(connection, is_in_pipeline, account_ids)
    columns = (
        Deal.account_id, Deal.deal_id, Deal.stage, Deal.value_minor, Deal.currency, Deal.opened_at, Deal.expected_close,
    )  # fmt: skip
    query = select(*columns).where(*is_in_pipeline).order_by(Deal.deal_id)
    by_account: dict[str, list[OpenDeal]] = defaultdict(list)
    for account_id, deal_id, stage, value_minor, currency, opened_at, expected_close in _rows_of(
        connection, query, account_ids
    ):
        of_deal = tuple(lines.get(deal_id, ()))
        total = total_value(value_minor, [line.value_minor for line in of_deal])
        deal = OpenDeal(deal_id, stage, total, currency, opened_at, expected_close, of_deal)
        by_account[account_id].append(deal)
    return {account_id: tuple(deals) for account_id, deals in by_account.items()}


def _open_lines(
    connection: Connection, is_in_pipeline: Sequence[Any], account_ids: Sequence[str] | None
) -> dict[str, list[OpenDealLine]]:
    """The lines of open deals, by deal, in the order of their products."""
    columns = (DealLine.deal_id, DealLine.product_id, DealLine.quantity, DealLine.value_minor)
    query = select(*columns).join(Deal, Deal.deal_id == DealLine.deal_id).where(*is_in_pipeline)
    query = query.order_by(DealLine.deal_id, DealLine.product_id, DealLine.ordinal)
    lines: dict[str, list[OpenDealLine]] = defaultdict(list)
    for deal_id, *line in _rows_of(connection, query, account_ids):
        lines[deal_id].append(OpenDealLine(*line))
    return lines


def last_declines(connection: Connection, account_ids: Sequence[str] | None = None) -> dict[str, datetime]:
    """Return when those of some accounts, or of all, that ever let a deal be lost did so last."""
    query = select(Deal.account_id, _lost_at()).where(Deal.status == "lost", Deal.account_id.is_not(None))
    query = query.group_by(Deal.account_id).having(_lost_at().is_not(None))
    return {row[0]: row[1] for row in _rows_of(connection, query, account_ids)}


def lost_products(connection: Connection, account_ids: Sequence[str] | None = None) -> dict[str, dict[str, datetime]]:
    """Return the products whose deals some accounts, or all, let be lost, each with when that was last."""
    query = select(Deal.account_id, DealLine.product_id, _lost_at())
    query = query.join(DealLine, DealLine.deal_id == Deal.deal_id).where(Deal.status == "lost")
    query = query.where(Deal.account_id.is_not(None)).group_by(Deal.account_id, DealLine.product_id)
    by_account: dict[str, dict[str, datetime]] = defaultdict(dict)
    for account_id, product_id, lost_at in _rows_of(connection, query, account_ids):
        by_account[account_id][product_id] = lost_at
    return by_account


def _lost_at() -> Any:
    """When a deal was lost last. A CRM often leaves the planned date on a deal that was lost before it."""
    is_past = Deal.closed_at <= Deal.updated_at
    return func.max(case((is_past, Deal.closed_at), else_=Deal.updated_at))


def _rows_of(connection: Connection, query: Any, account_ids: Sequence[str] | None) -> Iterable[Sequence[Any]]:
    if account_ids is None:
        rows: Iterable[Sequence[Any]] = connection.execute(query)
        return rows
    chunks = in_chunks(account_ids)
    return chain.from_iterable(connection.execute(query.where(Deal.account_id.in_(chunk))) for chunk in chunks)


DEALS: Final = LiveSection("deals", frozenset({DEALS_CHANGED}), load, refresh)
