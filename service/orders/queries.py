"""The SQL of whole orders, as HTTP posts them. Files take the bulk path in ``service.orders.bulk``."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

from sqlalchemy import Connection, Table, delete, extract, func, select

from service.catalogue.tables import Product
from service.orders.live import ORDERS_CHANGED, SALES_CHANGED, sales_hours
from service.orders.stubs import add_named
from service.orders.tables import Order, OrderLine
from service.rows.options import ImportOptions, MatchProducts, UnknownProducts
from service.rows.product_matching import ProductMatcher
from service.storage.bulk import RowStatus, in_chunks, stored_ids, stored_rows, upsert_rows
from service.storage.changes import ChangeLog

_PRODUCTS: Final = cast(Table, Product.__table__)
_ORDERS: Final = cast(Table, Order.__table__)
_LINES: Final = cast(Table, OrderLine.__table__)
Line = tuple[str, int, float, int | None]
"""product_id, ordinal, quantity, amount_minor"""


@dataclass(frozen=True)
class WholeOrder:
    """An order with all of its lines."""

    order_id: str
    account_id: str | None
    ordered_at: datetime
    currency: str | None
    is_cancelled: bool
    lines: frozenset[Line]

    def header(self) -> dict[str, Any]:
        """The order's row."""
        return {name: value for name, value in vars(self).items() if name != "lines"}


def matcher_for(
    connection: Connection, product_ids: Iterable[str], unknown: UnknownProducts, match: MatchProducts
) -> ProductMatcher:
    """A matcher for these products; the others are read only if one of these is not stored."""
    described = select(Product.product_id).where(~Product.is_stub)
    known = stored_ids(connection, _PRODUCTS, product_ids)
    return ProductMatcher(known, lambda: connection.scalars(described), unknown, match)


def matcher_of_all_products(connection: Connection, options: ImportOptions) -> ProductMatcher:
    """A matcher that knows every stored product."""
    rows = connection.execute(select(Product.product_id, Product.is_stub))
    stubs = {product_id: is_stub for product_id, is_stub in rows}  # noqa: C416  a Row is no pair to mypy
    described = [product_id for product_id, is_stub in stubs.items() if not is_stub]
    return ProductMatcher(set(stubs), lambda: described, options.unknown_products, options.match_products)


def replace_orders(
    connection: Connection, orders: Sequence[WholeOrder], now: datetime, changes: ChangeLog
) -> list[RowStatus]:
    """Store orders, each in place of what was stored of it; return the status of each."""
    stored = stored_orders(connection, {order.order_id for order in orders})
    current = dict(stored)
    statuses: list[RowStatus] = []
    for order in orders:
        before = current.get(order.order_id)
        statuses.append("created" if before is None else "unchanged" if before == order else "updated")
        current[order.order_id] = order
    changed = [order for order_id, order in current.items() if stored.get(order_id) != order]
    _write(connection, changed, now, changes)
    touched = (*changed, *(stored[order.order_id] for order in changed if order.order_id in stored))
    owners = [order.account_id for order in touched]
    changes.touch(ORDERS_CHANGED, (account_id for account_id in owners if account_id is not None))
    changes.touch(SALES_CHANGED, sales_hours(order.ordered_at.astimezone(UTC) for order in touched))
    return statuses


def _write(connection: Connection, orders: Sequence[WholeOrder], now: datetime, changes: ChangeLog) -> None:
    accounts = {order.account_id for order in orders if order.account_id is not None}
    add_named(connection, accounts, {line[0] for order in orders for line in order.lines}, now, changes)
    # Orders before their lines: on PostgreSQL this waits for other writers of the same order.
    upsert_rows(connection, _ORDERS, [order.header() for order in orders])
    for order_ids in in_chunks(sorted(order.order_id for order in orders)):
        connection.execute(delete(OrderLine).where(OrderLine.order_id.in_(order_ids)))
    columns = ("order_id", "product_id", "ordinal", "quantity", "amount_minor")
    lines = [dict(zip(columns, (order.order_id, *line), strict=True)) for order in orders for line in order.lines]
    upsert_rows(connection, _LINES, lines)


def stored_orders(connection: Connection, order_ids: Iterable[str]) -> dict[str, WholeOrder]:
    """Those of these orders that are stored, by identifier."""
    headers = stored_rows(connection, _ORDERS, order_ids, for_update=True)
    lines: dict[str, set[Line]] = defaultdict(set)
    for known_ids in in_chunks(sorted(headers)):
        for order_id, *line in connection.execute(select(_LINES).where(_LINES.c.order_id.in_(known_ids))):
            lines[order_id].add(cast(Line, tuple(line)))
    return {key: WholeOrder(**header, lines=frozenset(lines[key])) for key, header in headers.items()}


def count_by_year(connection: Connection) -> dict[int, int]:
    """Count the orders of each year that were not cancelled."""
    year = extract("year", Order.ordered_at)
    rows = connection.execute(select(year, func.count()).where(~Order.is_cancelled).group_by(year))
    return {int(number): count for number, count in rows}
