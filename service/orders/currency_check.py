"""After an import of orders: which of their currencies have no exchange rate."""

from collections.abc import Collection, Mapping
from datetime import date, tzinfo
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from models.currencies import USUAL_DIGITS, minor_digits
from service.exchange_rates.queries import first_days
from service.orders.tables import Order

_ADVICE: Final = (
    "nextoffer import exchange-rates FILE. Without a rate on or before an order's day, training leaves its money out."
)


class _Use(NamedTuple):
    """How many orders are in a currency, and the first day of them."""

    orders: int
    first_day: date


def currency_warnings(connection: Connection, brought: Collection[str | None], zone: tzinfo) -> list[str]:
    """Warn about currencies of a file whose orders can't be converted into that of most stored orders.

    brought: the currencies that the file's orders are in, None for those that name none. zone: of days.
    """
    uses = _stored_uses(connection, zone)
    named = {currency: use for currency, use in uses.items() if currency is not None}
    if len(uses) < 2 or not named:
        return []
    main = min(named, key=lambda currency: (-named[currency].orders, currency))
    warnings = []
    first = first_days(connection)
    # Orders that are cancelled, or not stored in a dry run, need no rate.
    for currency in sorted((named.keys() & set(brought)) - {main}):
        since = first_convertible_day(currency, main, first)
        if since is None or since > named[currency].first_day:
            reach = "no exchange rate" if since is None else f"no exchange rate before {since}"
            orders = f"{_orders(named[currency])} in {currency}, from {named[currency].first_day} on"
            warnings.append(f"{orders}, and there is {reach} between it and {main}, the currency of most: {_ADVICE}")
    if None in brought and None in uses and (len(named) > 1 or minor_digits(main) != USUAL_DIGITS):
        warnings.append(
            f"{_orders(uses[None])} without a currency, where others are in {', '.join(sorted(named))}: "
            "training leaves their money out. Import them again with --default-currency."
        )
    return warnings


def _orders(use: _Use) -> str:
    return f"{use.orders:,} orders are" if use.orders != 1 else "1 order is"


def first_convertible_day(source: str, target: str, first: Mapping[tuple[str, str], date]) -> date | None:
    """The first day with a rate between two currencies, directly or through one other; None where there is none."""
    days = [first[source, target]] if (source, target) in first else []
    others = {quote for base, quote in first if base == source} - {target}
    days += [max(first[source, other], first[other, target]) for other in others if (other, target) in first]
    return min(days, default=None)


def _stored_uses(connection: Connection, zone: tzinfo) -> dict[str | None, _Use]:
    query = select(Order.currency, func.count(), func.min(Order.ordered_at)).where(~Order.is_cancelled)
    return {
        currency: _Use(orders, first.astimezone(zone).date())
        for currency, orders, first in connection.execute(query.group_by(Order.currency))
    }
