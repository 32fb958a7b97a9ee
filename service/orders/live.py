"""What accounts own now, kept in memory from the orders that changed since the artifact."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, case, func, select

from service.orders.tables import Order, OrderLine
from service.readmodel.live_state import LiveState
from service.readmodel.ownership import Ownership
from service.storage.bulk import in_chunks
from service.storage.changes import ChangeKind
from service.sync.sections import ChangeSet, LiveSection

ORDERS_CHANGED: Final = ChangeKind("orders")
"""Identifiers of accounts."""


class Purchases(NamedTuple):
    """What one account's orders say: products it owns now, those bought last first, and those it owns no more."""

    owned: list[str]
    returned: list[str]


def load(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Read what those own who ordered since the artifact."""
    if changes.unlogged_since is not None:
        _read_ownership(state, connection, _accounts_with_orders_since(connection, changes.unlogged_since))
    refresh(state, connection, changes)


def refresh(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Read what some accounts own now."""
    _read_ownership(state, connection, changes.ids(ORDERS_CHANGED))


def _read_ownership(state: LiveState, connection: Connection, account_ids: Sequence[str]) -> None:
    ownership = state.part(Ownership)
    for account_id, (owned, returned) in purchases(connection, account_ids):
        ownership.replace(account_id, owned, returned)


def purchases(connection: Connection, account_ids: Sequence[str]) -> Iterator[tuple[str, Purchases]]:
    """Read what each account owns now: bought more often than returned, in orders that were not cancelled."""
    last_bought, kept = func.max(Order.ordered_at), case((Order.is_cancelled, 0), else_=OrderLine.quantity)
    for chunk in in_chunks(account_ids):
        query = (
            select(Order.account_id, OrderLine.product_id, func.sum(kept) > 0)
            .join(OrderLine, OrderLine.order_id == Order.order_id)
            .where(Order.account_id.in_(chunk))
            .group_by(Order.account_id, OrderLine.product_id)
            .order_by(last_bought.desc(), OrderLine.product_id)
        )
        by_account = {account_id: Purchases([], []) for account_id in chunk}
        for account_id, product_id, is_owned in connection.execute(query):
            account = by_account[str(account_id)]
            (account.owned if is_owned else account.returned).append(product_id)
        yield from by_account.items()


def _accounts_with_orders_since(connection: Connection, since: datetime) -> list[str]:
    query = select(Order.account_id).distinct().where(Order.ordered_at >= since, Order.account_id.is_not(None))
    return [account_id for account_id in connection.scalars(query) if account_id is not None]


OWNERSHIP: Final = LiveSection("ownership", frozenset({ORDERS_CHANGED}), load, refresh)
