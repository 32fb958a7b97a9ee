"""The SQL of deals."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import Connection, Table, select
from sqlalchemy.orm import Session

from service.accounts.live import ACCOUNTS_CHANGED
from service.deals.live import DEALS_CHANGED
from service.deals.schemas import DealStatus
from service.deals.tables import Deal
from service.orders.queries import WholeOrder, replace_orders, stored_orders
from service.orders.stubs import add_named
from service.storage.changes import ChangeLog
from service.storage.records import Upserted, upsert_records

_DEALS: Final = cast(Table, Deal.__table__)
_Row = dict[str, Any]


@dataclass(frozen=True)
class DealFilter:
    """Which deals to list; None lets all pass."""

    account_id: str | None = None
    status: DealStatus | None = None


def upsert_deals(connection: Connection, records: Sequence[_Row], now: datetime, changes: ChangeLog) -> Upserted:
    """Create or update deals, add stubs for what they name, and keep the orders of won deals in step."""
    accounts = {record["account_id"] for record in records if record.get("account_id") is not None}
    stubs = add_named(connection, accounts, {record["product_id"] for record in records}, now)
    upserted = upsert_records(connection, _DEALS, _blank_deal, records, now)
    versions = [(upserted.before.get(deal_id), upserted.after[deal_id]) for deal_id in upserted.changed]
    changed = [row for before_and_after in versions for row in before_and_after if row]
    owners = {row["account_id"] for row in changed if row["status"] != "won"}
    changes.touch(DEALS_CHANGED, owners - {None})
    changes.touch(ACCOUNTS_CHANGED, {row["account_id"] for row in changed} - {None})  # they may be new
    _update_orders(connection, upserted.after.values(), now, changes)
    return replace(upserted, stubs=stubs)


def _blank_deal(deal_id: str) -> _Row:
    optional = ("account_id", "value_minor", "currency", "opened_at", "closed_at", "expected_close")
    return {"deal_id": deal_id, **dict.fromkeys(optional)}


def _update_orders(connection: Connection, deals: Collection[_Row], now: datetime, changes: ChangeLog) -> None:
    """Store the order of each won deal, and cancel the order of a deal that is no longer won."""
    won = [_order_of(deal) for deal in deals if deal["status"] == "won"]
    others = {order_id_of(deal["deal_id"]) for deal in deals if deal["status"] != "won"}
    cancelled = [replace(order, is_cancelled=True) for order in stored_orders(connection, others).values()]
    replace_orders(connection, [*won, *cancelled], now, changes)


def order_id_of(deal_id: str) -> str:
    """The order that a deal becomes when it is won."""
    return f"deal:{deal_id}"


def _order_of(deal: _Row) -> WholeOrder:
    line = (deal["product_id"], 0, 1.0, deal["value_minor"])
    order_id = order_id_of(deal["deal_id"])
    return WholeOrder(order_id, deal["account_id"], deal["closed_at"], deal["currency"], False, frozenset([line]))


def page_of_deals(session: Session, wanted: DealFilter, after: str | None, limit: int) -> Sequence[Deal]:
    """Deals in the order of their identifiers, from the one after ``after`` on."""
    query = select(Deal).order_by(Deal.deal_id).limit(limit)
    if after is not None:
        query = query.where(Deal.deal_id > after)
    if wanted.account_id is not None:
        query = query.where(Deal.account_id == wanted.account_id)
    if wanted.status is not None:
        query = query.where(Deal.status == wanted.status)
    return session.scalars(query).all()
