"""The SQL of accounts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, Connection, Select, Table, case, func, select, update
from sqlalchemy.orm import Session

from service.accounts.errors import UnknownAccount
from service.accounts.group import find_group
from service.accounts.hierarchy_queries import stored_group
from service.accounts.live import ACCOUNTS_CHANGED
from service.accounts.notes import notes_of
from service.accounts.schemas import AccountOut, ConsentIn, ConsentOut, CurrencyTotal, Marketing, OwnedProduct
from service.accounts.tables import Account, Consent
from service.catalogue.tables import Product
from service.orders.tables import Order, OrderLine
from service.storage.bulk import add_stubs, in_chunks, upsert_rows
from service.storage.changes import ChangeLog
from service.storage.records import Upserted, upsert_records
from service.tombstones.objections import CONSENT_CHANGED, recall_objections

MAX_OWNED: Final = 100


def upsert_accounts(
    connection: Connection, records: Sequence[dict[str, Any]], now: datetime, changes: ChangeLog
) -> Upserted:
    """Create or update described accounts."""
    upserted = upsert_records(connection, cast(Table, Account.__table__), _blank_account, records, now)
    changes.touch(ACCOUNTS_CHANGED, upserted.changed)
    recall_objections(connection, upserted.after.keys() - upserted.before.keys(), now, changes)
    return upserted


def _blank_account(account_id: str) -> dict[str, Any]:
    return {"account_id": account_id, "name": None, "parent_account_id": None, "attributes": {}, "is_strategic": False}


def described_accounts() -> Select[str]:
    """The accounts that someone described."""
    return select(Account.account_id).where(~Account.is_stub)


def undescribe_accounts(connection: Connection, account_ids: Sequence[str], now: datetime) -> None:
    """Make stubs of accounts: nothing is known of them but what they bought."""
    for chunk in in_chunks(account_ids):
        blank = {name: value for name, value in _blank_account("").items() if name != "account_id"}
        statement = update(Account).where(Account.account_id.in_(chunk))
        connection.execute(statement.values(**blank, is_stub=True, updated_at=now))


def find_account(session: Session, account_id: str, group: Sequence[str] | None) -> AccountOut:
    """An account with its orders in numbers and what it owns; raises UnknownAccount.

    group: the account and its subsidiaries, whose orders count together; None to look them up.
    """
    account = session.get(Account, account_id)
    if account is None:
        raise UnknownAccount(account_id)
    order_count, first, last = _order_span(session, account_id)
    owned_count, owned = _owned(session, account_id)
    return AccountOut(
        account_id=account.account_id,
        name=account.name,
        parent_account_id=account.parent_account_id,
        attributes=account.attributes,
        marketing=find_consent(session, account_id).marketing,
        is_strategic=account.is_strategic,
        is_stub=account.is_stub,
        updated_at=account.updated_at,
        order_count=order_count,
        first_order_at=first,
        last_order_at=last,
        totals=_totals(session, account_id),
        owned_count=owned_count,
        owned=owned,
        notes=notes_of(session.connection(), account_id),
        group=find_group(session, stored_group(session.connection(), account_id) if group is None else group),
    )


def set_consent(
    connection: Connection, account_id: str, consent: ConsentIn, now: datetime, changes: ChangeLog
) -> ConsentOut:
    """Store an account's choice about marketing; an account that is not stored yet is added as a stub."""
    is_objecting = consent.marketing == Marketing.OBJECTED.value
    stub = {"account_id": account_id, "attributes": {}, "is_stub": True, "updated_at": now}
    add_stubs(connection, cast(Table, Account.__table__), [stub])
    # It is settled by what the account says now.
    recall_objections(connection, [account_id], now, changes)
    row = {"account_id": account_id, "is_objecting": is_objecting, "origin": consent.origin, "updated_at": now}
    upsert_rows(connection, cast(Table, Consent.__table__), [row])
    changes.touch(CONSENT_CHANGED, [account_id])
    changes.touch(ACCOUNTS_CHANGED, [account_id])  # it may be new
    return _consent_out(account_id, is_objecting, consent.origin, now)


def find_consent(session: Session, account_id: str) -> ConsentOut:
    """An account's latest choice about marketing; ``not-asked`` also for an unknown account."""
    stored = session.get(Consent, account_id)
    if stored is None:
        return ConsentOut(account_id=account_id, marketing=Marketing.NOT_ASKED, origin=None, updated_at=None)
    return _consent_out(account_id, stored.is_objecting, stored.origin, stored.updated_at)


def _consent_out(account_id: str, is_objecting: bool, origin: str | None, updated_at: datetime) -> ConsentOut:
    marketing = Marketing.OBJECTED if is_objecting else Marketing.GRANTED
    return ConsentOut(account_id=account_id, marketing=marketing, origin=origin, updated_at=updated_at)


def _is_kept(account_id: str) -> ColumnElement[bool]:
    """The condition for an account's orders that were not cancelled."""
    return (Order.account_id == account_id) & ~Order.is_cancelled


def _order_span(session: Session, account_id: str) -> tuple[int, datetime | None, datetime | None]:
    has_purchase = select(OrderLine).where(OrderLine.order_id == Order.order_id, OrderLine.quantity > 0).exists()
    query = select(func.count(), func.min(Order.ordered_at), func.max(Order.ordered_at))
    count, first, last = session.execute(query.where(_is_kept(account_id), has_purchase)).one()
    return count, first, last


def _totals(session: Session, account_id: str) -> list[CurrencyTotal]:
    total = func.sum(OrderLine.amount_minor)
    query = (
        select(Order.currency, total).join(OrderLine, OrderLine.order_id == Order.order_id).where(_is_kept(account_id))
    )
    rows = session.execute(query.group_by(Order.currency).having(total.is_not(None)).order_by(Order.currency))
    return [CurrencyTotal(currency=currency, amount_minor=int(amount or 0)) for currency, amount in rows]


def _owned(session: Session, account_id: str) -> tuple[int, list[OwnedProduct]]:
    quantity = func.sum(OrderLine.quantity)
    bought_at = case((OrderLine.quantity > 0, Order.ordered_at))
    owned = (
        select(
            OrderLine.product_id,
            quantity.label("quantity"),
            func.min(bought_at).label("first_bought_at"),
            func.max(bought_at).label("last_bought_at"),
        )
        .join(Order, Order.order_id == OrderLine.order_id)
        .where(_is_kept(account_id))
        .group_by(OrderLine.product_id)
        .having(quantity > 0)
        .subquery()
    )
    count = session.scalar(select(func.count()).select_from(owned)) or 0
    query = select(owned, Product.name).join(Product, Product.product_id == owned.c.product_id)
    rows = session.execute(
        query.order_by(owned.c.last_bought_at.desc(), owned.c.product_id).limit(MAX_OWNED)
    ).mappings()
    return count, [OwnedProduct(**row) for row in rows]
