"""Orders of a file beside those that are stored: an order number that names two purchases must not merge them."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import NamedTuple

from sqlalchemy import Connection, select

from service.orders.order_headers import ADVICE, day_text
from service.orders.tables import Order
from service.rows.chunks import RowError
from service.rows.guest_values import GuestValues
from service.rows.order_options import OnConflict
from service.storage.bulk import in_chunks


class StoredHeader(NamedTuple):
    """Who made a stored order, and on which day."""

    account_id: str | None
    day: int


StoredHeaders = Callable[[Sequence[str]], Mapping[str, StoredHeader]]
"""Looks up those of some orders that are stored."""


@dataclass(frozen=True)
class FileOrder:
    """What a batch says of one order: its account, and the days of its rows."""

    account_id: str | None
    days: frozenset[int]


@dataclass
class Comparison:
    """Orders of a batch compared with those stored.

    errors:   what contradicts the stored order, by order.
    accounts: the account of orders that leave it out, by order.
    """

    errors: dict[str, RowError] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)


def stored_headers(connection: Connection, order_ids: Sequence[str], zone: tzinfo) -> dict[str, StoredHeader]:
    """Look up orders in the database. zone: of days."""
    columns = (Order.order_id, Order.account_id, Order.ordered_at)
    return {
        order_id: StoredHeader(account_id, ordered_at.astimezone(zone).toordinal())
        for chunk in in_chunks(sorted(order_ids))
        for order_id, account_id, ordered_at in connection.execute(select(*columns).where(Order.order_id.in_(chunk)))
    }


def compare_with_stored(
    orders: Mapping[str, FileOrder],
    stored: Mapping[str, StoredHeader],
    mode: OnConflict,
    guests: GuestValues,
    *,
    has_accounts: bool,
) -> Comparison:
    """Find the orders that contradict what is stored.

    An order that was a guest's may get its account. One that leaves its account out keeps the stored one, unless that
    is a placeholder, or the file has accounts and its orders replace the stored ones.
    has_accounts: whether the file has a column of accounts.
    """
    found, keeps = Comparison(), not (has_accounts and mode == "replace")
    for order_id, order in orders.items():
        before = stored.get(order_id)
        if before is None:
            continue
        error = _contradiction(order, before)
        if error and mode != "replace":
            found.errors[order_id] = error
        elif order.account_id is None and before.account_id is not None and before.account_id not in guests and keeps:
            found.accounts[order_id] = before.account_id
    return found


def _contradiction(order: FileOrder, stored: StoredHeader) -> RowError | None:
    accounts = (order.account_id, stored.account_id)
    if None not in accounts and accounts[0] != accounts[1]:
        reason = f"is {accounts[0]!r}, but {accounts[1]!r} in the database or an earlier file; {ADVICE}"
        return RowError("account_id", reason)
    if stored.day not in order.days:
        here = day_text(min(order.days))
        reason = f"is {here}, but {day_text(stored.day)} in the database or an earlier file; {ADVICE}"
        return RowError("ordered_at", reason)
    return None


def file_orders(
    order_ids: Sequence[str], account_ids: Sequence[str | None], days: Sequence[int], wanted: Mapping[str, StoredHeader]
) -> dict[str, FileOrder]:
    """What rows say of the wanted orders: the account of the first row, and all days."""
    accounts: dict[str, str | None] = {}
    days_of: dict[str, set[int]] = defaultdict(set)
    for order_id, account_id, day in zip(order_ids, account_ids, days, strict=True):
        if order_id in wanted:
            accounts.setdefault(order_id, account_id)
            days_of[order_id].add(day)
    return {order_id: FileOrder(accounts[order_id], frozenset(days_of[order_id])) for order_id in accounts}
