"""The list of orders, newest first, and one order with its lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter
from sqlalchemy import Select, Text, func, literal, select, tuple_
from sqlalchemy.orm import Session

from service.base.pagination import cut_page, decode_cursor
from service.catalogue.tables import Product
from service.orders.errors import UnknownOrder
from service.orders.schemas import OrderLineOut, OrderOut, OrderSummary
from service.orders.stubs import ACCOUNTS
from service.orders.tables import Order, OrderLine
from service.rows.field_types import NO_NUL
from service.storage.database import UtcDateTime
from service.web.columns import CURRENCY, WIDE, Column, flag, money, text, time, whole

COLUMNS: Final[tuple[Column, ...]] = (
    text("order_id"),
    time("ordered_at"),
    text("account_id"),
    text("account_name", width=WIDE),
    money("amount"),
    CURRENCY,
    whole("line_count"),
    flag("is_cancelled"),
)
_LIST_NAME: Final = ("orders",)
_MAX_MICROSECONDS: Final = 253_402_300_800_000_000
"""The year 10000, since 1970."""
_POSITION: Final[TypeAdapter[tuple[int, str]]] = TypeAdapter(
    tuple[
        Annotated[int, Field(strict=True, gt=-_MAX_MICROSECONDS // 5, lt=_MAX_MICROSECONDS)],
        Annotated[str, Field(strict=True, min_length=1, pattern=NO_NUL)],
    ]
)
"""Microseconds since 1970, and the identifier."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ORDERS_AT_ONCE: Final = 1_000


@dataclass(frozen=True)
class OrderFilter:
    """Which orders to list; None lets all pass."""

    account_id: str | None = None
    product_id: str | None = None
    ordered_after: datetime | None = None
    ordered_before: datetime | None = None
    is_cancelled: bool | None = None


def page_of_orders(
    session: Session, wanted: OrderFilter, cursor: str | None, limit: int
) -> tuple[Sequence[OrderSummary], str | None]:
    """Return orders from a cursor on, the newest first; raises InvalidCursor."""
    position = decode_cursor(cursor, _LIST_NAME, _POSITION)
    query = _filtered(_headers(), wanted).order_by(Order.ordered_at.desc(), Order.order_id.desc()).limit(limit + 1)
    if position is not None:
        last = tuple_(literal(_time_at(position[0]), UtcDateTime), literal(position[1], Text))
        query = query.where(tuple_(Order.ordered_at, Order.order_id) < last)
    headers = session.execute(query).all()
    page, next_cursor = cut_page(headers, limit, _LIST_NAME, lambda row: (_microseconds(row.ordered_at), row.order_id))
    return _summaries(session, page), next_cursor


def find_order(session: Session, order_id: str) -> OrderOut:
    """Return an order with its lines; raises UnknownOrder."""
    header = session.execute(_headers().where(Order.order_id == order_id)).one_or_none()
    if header is None:
        raise UnknownOrder(order_id)
    query = select(OrderLine.product_id, Product.name, OrderLine.quantity, OrderLine.amount_minor)
    query = query.join(Product, Product.product_id == OrderLine.product_id).where(OrderLine.order_id == order_id)
    lines = [
        OrderLineOut(
            product_id=product_id,
            product_name=name,
            quantity=quantity,
            amount_minor=amount_minor,
            currency=header.currency,
        )
        for product_id, name, quantity, amount_minor in session.execute(
            query.order_by(OrderLine.product_id, OrderLine.ordinal)
        )
    ]
    (summary,) = _summaries(session, [header])
    return OrderOut(**summary.model_dump(), lines=lines)


def _headers() -> Select[Any]:
    columns = (Order.order_id, Order.account_id, Order.ordered_at, Order.currency, Order.is_cancelled)
    query: Select[Any] = select(*columns, ACCOUNTS.c.name.label("account_name"))
    return query.outerjoin(ACCOUNTS, ACCOUNTS.c.account_id == Order.account_id)


def _filtered(query: Select[Any], wanted: OrderFilter) -> Select[Any]:
    if wanted.account_id is not None:
        query = query.where(Order.account_id == wanted.account_id)
    if wanted.product_id is not None:
        has_product = (OrderLine.order_id == Order.order_id) & (OrderLine.product_id == wanted.product_id)
        query = query.where(select(OrderLine.order_id).where(has_product).exists())
    if wanted.ordered_after is not None:
        query = query.where(Order.ordered_at >= wanted.ordered_after)
    if wanted.ordered_before is not None:
        query = query.where(Order.ordered_at < wanted.ordered_before)
    if wanted.is_cancelled is not None:
        query = query.where(Order.is_cancelled == wanted.is_cancelled)
    return query


def _summaries(session: Session, headers: Sequence[Any]) -> list[OrderSummary]:
    """Add to the orders of a page what their lines sum up to."""
    query = select(OrderLine.order_id, func.count(), func.sum(OrderLine.amount_minor)).group_by(OrderLine.order_id)
    sums: dict[str, tuple[int, int | None]] = {}
    for start in range(0, len(headers), _ORDERS_AT_ONCE):
        order_ids = [row.order_id for row in headers[start : start + _ORDERS_AT_ONCE]]
        for order_id, count, amount in session.execute(query.where(OrderLine.order_id.in_(order_ids))):
            sums[order_id] = count, None if amount is None else int(amount)
    return [
        OrderSummary(
            **row._mapping,
            line_count=sums.get(row.order_id, (0, None))[0],
            amount_minor=sums.get(row.order_id, (0, None))[1],
        )
        for row in headers
    ]


def _microseconds(time: datetime) -> int:
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _time_at(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
