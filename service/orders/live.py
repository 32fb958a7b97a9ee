"""What accounts own now, from the orders that changed since the artifact, and what all accounts returned recently."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, and_, case, func, select

from service.orders.tables import Order, OrderLine
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.readmodel.ownership import Ownership
from service.readmodel.returned_products import ReturnedProducts
from service.storage.bulk import in_chunks
from service.storage.changes import ChangeKind
from service.sync.sections import ChangeSet, LiveSection

ORDERS_CHANGED: Final = ChangeKind("orders")
"""Identifiers of accounts."""
SALES_CHANGED: Final = ChangeKind("sales")
"""Hours in UTC, such as ``2026-11-03T14``, in which orders changed. Orders of guests are among them."""


_WAS_KEPT: Final = ~Order.is_cancelled
_KEPT_QUANTITY: Final = case((_WAS_KEPT, OrderLine.quantity), else_=0)
_RETURNED_AT: Final[Any] = case((and_(_WAS_KEPT, OrderLine.quantity < 0), Order.ordered_at))
_KEPT_AT: Final[Any] = case((_WAS_KEPT, Order.ordered_at))
_BOUGHT_AT: Final[Any] = case((and_(_WAS_KEPT, OrderLine.quantity > 0), Order.ordered_at))


def sales_hours(times: Iterable[datetime]) -> set[str]:
    """Return the identifiers of the hours in which orders were placed. times: in UTC, as they are stored."""
    return {time.isoformat(timespec="hours")[:13] for time in times}


class Purchases(NamedTuple):
    """What one account's orders say: products it owns now, those bought last first, and those it owns no more.

    returned_at: when it returned those last that it owns no more and did return: others were only cancelled.
    newest: when it ordered or returned anything last. bought_at: when it bought each product last that it owns.
    """

    owned: list[str]
    returned: list[str]
    returned_at: dict[str, datetime]
    newest: datetime | None
    bought_at: dict[str, datetime]


def load(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Read what those own who ordered since the artifact, and what anybody returned recently."""
    if state.windows.returned_days:
        state.part(ReturnedProducts).replace((), _rows_of(state, recent_returns(connection, state)))
    if changes.unlogged_since is not None:
        _read_ownership(state, connection, _accounts_with_orders_since(connection, changes.unlogged_since))
    refresh(state, connection, changes)


def refresh(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Read what some accounts own now."""
    _read_ownership(state, connection, changes.ids(ORDERS_CHANGED))


def _read_ownership(state: LiveState, connection: Connection, account_ids: Sequence[str]) -> None:
    ownership = state.part(Ownership)
    returned: dict[str, list[str]] = {}
    for account_id, account in purchases(connection, account_ids):
        ownership.replace(account_id, account.owned, account.returned, account.bought_at)
        if recent := _returned_recently(state, account):
            returned[account_id] = recent
    state.part(ReturnedProducts).replace(account_ids, _rows_of(state, returned))


def _returned_recently(state: LiveState, account: Purchases) -> list[str]:
    """Return what an account returned within the window before its newest order, or before the artifact's end."""
    window = timedelta(days=state.windows.returned_days)
    if not (account.returned_at and account.newest and window):
        return []
    newest = account.newest if state.as_of is None else max(account.newest, state.as_of)
    return [product_id for product_id, returned_at in account.returned_at.items() if returned_at >= newest - window]


def _rows_of(state: LiveState, returned: Mapping[str, Sequence[str]]) -> dict[str, NDArray[np.int32]]:
    rows_of = state.part(CatalogueView).products.rows_of
    rows = {account_id: rows_of(product_ids) for account_id, product_ids in returned.items()}
    return {account_id: products for account_id, products in rows.items() if len(products)}


def purchases(connection: Connection, account_ids: Sequence[str]) -> Iterator[tuple[str, Purchases]]:
    """Read what each account owns now: bought more often than returned, in orders that were not cancelled."""
    last_bought = func.max(Order.ordered_at)
    for chunk in in_chunks(account_ids):
        query = (
            select(
                Order.account_id,
                OrderLine.product_id,
                func.sum(_KEPT_QUANTITY) > 0,
                func.max(_RETURNED_AT),
                func.max(_KEPT_AT),
                func.max(_BOUGHT_AT),
            )
            .join(OrderLine, OrderLine.order_id == Order.order_id)
            .where(Order.account_id.in_(chunk))
            .group_by(Order.account_id, OrderLine.product_id)
            .order_by(last_bought.desc(), OrderLine.product_id)
        )
        rows_by_account: dict[str, list[Any]] = {account_id: [] for account_id in chunk}
        for account_id, *row in connection.execute(query):
            rows_by_account[str(account_id)].append(row)
        yield from ((account_id, _purchases_of(rows)) for account_id, rows in rows_by_account.items())


def _purchases_of(rows: Sequence[Any]) -> Purchases:
    """Read an account's rows: product, whether it is owned, when it was returned, ordered and bought last."""
    return Purchases(
        [product_id for product_id, is_owned, *_ in rows if is_owned],
        [product_id for product_id, is_owned, *_ in rows if not is_owned],
        {product_id: at for product_id, is_owned, at, *_ in rows if at is not None and not is_owned},
        max((kept_at for *_, kept_at, _ in rows if kept_at is not None), default=None),
        {product_id: at for product_id, is_owned, _, _, at in rows if is_owned and at is not None},
    )


def recent_returns(connection: Connection, state: LiveState) -> dict[str, list[str]]:
    """Read what all accounts returned within the window before the artifact's end, and do not own any more.

    One pass over the order lines, then by key over the orders of those who returned anything.
    """
    as_of = state.as_of or connection.scalar(select(func.max(Order.ordered_at)).where(_WAS_KEPT))
    if as_of is None:
        return {}
    returned = (
        select(Order.account_id, OrderLine.product_id)
        .join(OrderLine, OrderLine.order_id == Order.order_id)
        .where(OrderLine.quantity < 0, _WAS_KEPT, Order.account_id.is_not(None))
        .where(Order.ordered_at >= as_of - timedelta(days=state.windows.returned_days))
        .distinct()
        .subquery()
    )
    # Correlated, since a join has SQLite scan all lines once more.
    kept = (
        select(func.sum(_KEPT_QUANTITY))
        .select_from(Order)
        .join(OrderLine, and_(OrderLine.order_id == Order.order_id, OrderLine.product_id == returned.c.product_id))
        .where(Order.account_id == returned.c.account_id)
        .correlate(returned)
        .scalar_subquery()
    )
    query = select(returned.c.account_id, returned.c.product_id).where(kept <= 0)
    by_account: dict[str, list[str]] = defaultdict(list)
    for account_id, product_id in connection.execute(query):
        by_account[account_id].append(product_id)
    return by_account


def _accounts_with_orders_since(connection: Connection, since: datetime) -> list[str]:
    query = select(Order.account_id).distinct().where(Order.ordered_at >= since, Order.account_id.is_not(None))
    return [account_id for account_id in connection.scalars(query) if account_id is not None]


OWNERSHIP: Final = LiveSection("ownership", frozenset({ORDERS_CHANGED}), load, refresh)
