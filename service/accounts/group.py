"""An account and all its subsidiaries together, in the account's profile."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.accounts.schemas import AccountGroup, CurrencyTotal, GroupValue
from service.accounts.value import whole
from service.orders.tables import Order, OrderLine
from service.readmodel.segment_catalog import SegmentCatalog
from service.storage.bulk import in_chunks

MAX_LISTED: Final = 100
"""Accounts of a group that a profile lists."""


def find_group(session: Session, account_ids: Sequence[str]) -> AccountGroup | None:
    """Return the totals of a group's orders; None for an account without subsidiaries.

    account_ids: the account, then its subsidiaries.
    """
    if len(account_ids) < 2:
        return None
    n_orders, times, totals = 0, list[datetime](), defaultdict[str | None, int](int)
    for chunk in in_chunks(account_ids):
        count, first, last = _order_span(session, chunk)
        n_orders += count
        times += [time for time in (first, last) if time is not None]
        for currency, amount in _totals(session, chunk):
            totals[currency] += amount
    return AccountGroup(
        accounts=len(account_ids),
        account_ids=list(account_ids[:MAX_LISTED]),
        order_count=n_orders,
        first_order_at=min(times, default=None),
        last_order_at=max(times, default=None),
        totals=[
            CurrencyTotal(currency=currency, amount_minor=totals[currency])
            for currency in sorted(totals, key=lambda code: code or "")
        ],
    )


def value_of_group(segments: SegmentCatalog, rows: NDArray[np.int32]) -> GroupValue | None:
    """Return what training estimated for a group; None where it estimated nothing for any of its accounts.

    rows: int32 (n,), those of its accounts that the artifact knows.
    """
    content, described = segments.content, segments.report.get("customers")
    customers = content.customers
    known = rows[customers.n_purchases[rows] > 0]
    if not described or not len(known):
        return None
    ahead = customers.value[known]
    ahead = ahead[np.isfinite(ahead).all(axis=1)].astype(np.float64)
    expected, low, high = (whole(total) if len(ahead) else None for total in ahead.sum(axis=0))
    is_money_known = customers.is_money_known[known]
    return GroupValue(
        currency=content.currency.code,
        spend_minor=int(customers.spend_minor[known][is_money_known].sum()) if is_money_known.any() else None,
        spend_accounts=int(is_money_known.sum()),
        days=described["parameters"]["value_days"],
        expected_minor=expected,
        low_minor=low,
        high_minor=high,
        valued_accounts=len(ahead),
    )


def _order_span(session: Session, account_ids: Sequence[str]) -> tuple[int, datetime | None, datetime | None]:
    has_purchase = select(OrderLine).where(OrderLine.order_id == Order.order_id, OrderLine.quantity > 0).exists()
    query = select(func.count(), func.min(Order.ordered_at), func.max(Order.ordered_at))
    is_kept = Order.account_id.in_(account_ids) & ~Order.is_cancelled
    count, first, last = session.execute(query.where(is_kept, has_purchase)).one()
    return count, first, last


def _totals(session: Session, account_ids: Sequence[str]) -> list[tuple[str | None, int]]:
    total = func.sum(OrderLine.amount_minor)
    query = select(Order.currency, total).join(OrderLine, OrderLine.order_id == Order.order_id)
    query = query.where(Order.account_id.in_(account_ids), ~Order.is_cancelled)
    rows = session.execute(query.group_by(Order.currency).having(total.is_not(None)))
    return [(currency, int(amount or 0)) for currency, amount in rows]
