"""Reads changes, and what the facts that they name are now."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from itertools import chain
from typing import Final, NamedTuple

from sqlalchemy import Connection, case, func, select

from service.accounts.tables import Consent
from service.catalogue.tables import Product
from service.deals.tables import Deal
from service.orders.tables import Order, OrderLine
from service.readmodel.deals import OpenDeal
from service.readmodel.product_index import ProductInfo
from service.storage.changes import ChangeKind
from service.storage.tables import Change

IDS_PER_QUERY: Final = 1000
CHANGES_PER_SCAN: Final = 50_000
_KINDS: Final = frozenset(ChangeKind)


class Touched(NamedTuple):
    """Identifiers whose facts changed between two sequence numbers, and the newest of these numbers."""

    ids: dict[ChangeKind, list[str]]
    sequence: int
    is_last: bool


def changes_after(connection: Connection, sequence: int, limit: int) -> Touched:
    """Read at most ``limit`` changes with a greater sequence number."""
    query = select(Change.sequence, Change.kind, Change.ids).where(Change.sequence > sequence)
    ids: dict[ChangeKind, dict[str, None]] = defaultdict(dict)
    n_rows, newest = 0, sequence
    for newest, kind, some in connection.execute(query.order_by(Change.sequence).limit(limit)):  # noqa: B007
        n_rows += 1
        if kind in _KINDS:  # A newer release may write kinds that this one does not know.
            ids[ChangeKind(kind)].update(dict.fromkeys(some))
    return Touched({kind: list(some) for kind, some in ids.items()}, newest, n_rows < limit)


def all_changes_after(connection: Connection, sequence: int) -> Touched:
    """Read every change with a greater sequence number: each identifier once, however often it changed."""
    ids: dict[ChangeKind, dict[str, None]] = defaultdict(dict)
    newest, is_last = sequence, False
    while not is_last:
        some, newest, is_last = changes_after(connection, newest, CHANGES_PER_SCAN)
        for kind, touched in some.items():
            ids[kind].update(dict.fromkeys(touched))
    return Touched({kind: list(touched) for kind, touched in ids.items()}, newest, is_last=True)


class Purchases(NamedTuple):
    """What one account's orders say: products it owns now, those bought last first, and those it owns no more."""

    owned: list[str]
    returned: list[str]


def purchases(connection: Connection, account_ids: Sequence[str]) -> Iterator[tuple[str, Purchases]]:
    """What each account owns now: products bought more often than returned, in orders that were not cancelled."""
    last_bought, kept = func.max(Order.ordered_at), case((Order.is_cancelled, 0), else_=OrderLine.quantity)
    for some in _some(account_ids):
        query = (
            select(Order.account_id, OrderLine.product_id, func.sum(kept) > 0)
            .join(OrderLine, OrderLine.order_id == Order.order_id)
            .where(Order.account_id.in_(some))
            .group_by(Order.account_id, OrderLine.product_id)
            .order_by(last_bought.desc(), OrderLine.product_id)
        )
        found = {account_id: Purchases([], []) for account_id in some}
        for account_id, product_id, is_owned in connection.execute(query):
            account = found[str(account_id)]
            (account.owned if is_owned else account.returned).append(product_id)
        yield from found.items()


def has_gap(connection: Connection, sequence: int) -> bool:
    """Tell whether changes that came after a sequence number may have been deleted already.

    The oldest that is kept then comes after the next one. A transaction that was rolled back leaves such a gap, too.
    """
    oldest = connection.scalar(select(func.min(Change.sequence)))
    return oldest is not None and oldest > sequence + 1


def accounts_with_orders_since(connection: Connection, moment: datetime) -> list[str]:
    """Accounts that ordered at a time or later."""
    query = select(Order.account_id).distinct().where(Order.ordered_at >= moment, Order.account_id.is_not(None))
    return [account_id for account_id in connection.scalars(query) if account_id is not None]


def objecting_accounts(connection: Connection, account_ids: Sequence[str] | None = None) -> set[str]:
    """Which of some accounts, or of all, object to marketing."""
    query = select(Consent.account_id).where(Consent.is_objecting)
    if account_ids is None:
        return set(connection.scalars(query))
    return {
        found for some in _some(account_ids) for found in connection.scalars(query.where(Consent.account_id.in_(some)))
    }


def open_deals(connection: Connection, account_ids: Sequence[str] | None = None) -> dict[str, tuple[OpenDeal, ...]]:
    """The open deals of those of some accounts, or of all, that have any, in the order of their identifiers."""
    names = [field.name for field in fields(OpenDeal)]
    query = select(Deal.account_id, *(Deal.__table__.columns[name] for name in names)).where(Deal.status == "open")
    query = query.where(Deal.account_id.is_not(None)).order_by(Deal.deal_id)
    queries = (
        [query] if account_ids is None else [query.where(Deal.account_id.in_(some)) for some in _some(account_ids)]
    )
    found: dict[str, list[OpenDeal]] = defaultdict(list)
    for account_id, *deal in chain.from_iterable(map(connection.execute, queries)):
        found[account_id].append(OpenDeal(*deal))
    return {account_id: tuple(deals) for account_id, deals in found.items()}


def last_declines(connection: Connection, account_ids: Sequence[str] | None = None) -> dict[str, datetime]:
    """When those of some accounts, or of all, that ever let a deal be lost did so last."""
    closed = func.max(func.coalesce(Deal.closed_at, Deal.updated_at))
    query = select(Deal.account_id, closed).where(Deal.status == "lost", Deal.account_id.is_not(None))
    query = query.group_by(Deal.account_id).having(closed.is_not(None))
    queries = (
        [query] if account_ids is None else [query.where(Deal.account_id.in_(some)) for some in _some(account_ids)]
    )
    found = chain.from_iterable(map(connection.execute, queries))
    return {account_id: moment for account_id, moment in found if account_id is not None and moment is not None}


def product_infos(connection: Connection, product_ids: Sequence[str]) -> dict[str, ProductInfo]:
    """What is told of some products now."""
    columns = (
        Product.product_id,
        Product.name,
        Product.family,
        Product.tier,
        Product.price_minor,
        Product.currency,
        Product.is_active,
        Product.margin_minor,
    )
    return {
        product_id: ProductInfo(product_id, name, family or "", tier, price_minor, currency, is_active, margin_minor)
        for some in _some(product_ids)
        for product_id, name, family, tier, price_minor, currency, is_active, margin_minor in connection.execute(
            select(*columns).where(Product.product_id.in_(some))
        )
    }


def _some(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + IDS_PER_QUERY] for start in range(0, len(ids), IDS_PER_QUERY))
