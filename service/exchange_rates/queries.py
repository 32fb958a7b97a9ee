"""The SQL of exchange rates."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, cast

from sqlalchemy import Connection, Table, delete, func, select, tuple_
from sqlalchemy.orm import Session

from service.exchange_rates.live import RATES_CHANGED
from service.exchange_rates.schemas import RateKey
from service.exchange_rates.tables import ExchangeRate
from service.storage.bulk import RowStatus, upsert_rows
from service.storage.changes import ChangeLog

_RATES: Final = cast(Table, ExchangeRate.__table__)
_KEY: Final = tuple_(ExchangeRate.base_currency, ExchangeRate.quote_currency, ExchangeRate.valid_from)
_ROWS_PER_WRITE: Final = 2000


@dataclass(frozen=True)
class RateFilter:
    """Which rates to list; None lets all pass."""

    base_currency: str | None = None
    quote_currency: str | None = None


def put_rates(
    connection: Connection, rates: Sequence[tuple[RateKey, float]], now: datetime, changes: ChangeLog
) -> list[RowStatus]:
    """Store rates, each in place of that of the same currencies and day; return the status of each, in order."""
    current = stored_rates(connection, {(key.base_currency, key.quote_currency) for key, _ in rates})
    statuses: list[RowStatus] = []
    changed: dict[RateKey, float] = {}
    for key, rate in rates:
        before = current.get(key)
        statuses.append("created" if before is None else "unchanged" if before == rate else "updated")
        if before != rate:
            current[key] = changed[key] = rate
    _write(connection, changed, now)
    changes.touch(RATES_CHANGED, (f"{key.base_currency}-{key.quote_currency}" for key in changed))
    return statuses


def _write(connection: Connection, rates: Mapping[RateKey, float], now: datetime) -> None:
    rows: list[dict[str, Any]] = [{**key._asdict(), "rate": rate, "updated_at": now} for key, rate in rates.items()]
    for start in range(0, len(rows), _ROWS_PER_WRITE):
        upsert_rows(connection, _RATES, rows[start : start + _ROWS_PER_WRITE])


def stored_rates(connection: Connection, pairs: Iterable[tuple[str, str]]) -> dict[RateKey, float]:
    """The stored rates of some pairs of currencies."""
    rates: dict[RateKey, float] = {}
    for base_currency, quote_currency in sorted(pairs):
        query = select(ExchangeRate.valid_from, ExchangeRate.rate).where(
            ExchangeRate.base_currency == base_currency, ExchangeRate.quote_currency == quote_currency
        )
        for valid_from, rate in connection.execute(query):
            rates[RateKey(base_currency, quote_currency, valid_from)] = rate
    return rates


def all_rates(connection: Connection) -> list[tuple[str, str, date, float]]:
    """Return every rate: base currency, quote currency, first day, rate."""
    query = select(ExchangeRate.base_currency, ExchangeRate.quote_currency, ExchangeRate.valid_from, ExchangeRate.rate)
    return [(base, quote, valid_from, rate) for base, quote, valid_from, rate in connection.execute(query)]


def delete_rate(connection: Connection, key: RateKey, changes: ChangeLog) -> bool:
    """Delete one rate; return whether it was stored."""
    statement = delete(ExchangeRate).where(
        ExchangeRate.base_currency == key.base_currency,
        ExchangeRate.quote_currency == key.quote_currency,
        ExchangeRate.valid_from == key.valid_from,
    )
    is_deleted = connection.execute(statement).rowcount > 0
    if is_deleted:
        changes.touch(RATES_CHANGED, [f"{key.base_currency}-{key.quote_currency}"])
    return is_deleted


def page_of_rates(session: Session, wanted: RateFilter, after: RateKey | None, limit: int) -> Sequence[ExchangeRate]:
    """Rates in the order of their currencies and days, from the one after ``after`` on."""
    query = select(ExchangeRate).order_by(
        ExchangeRate.base_currency, ExchangeRate.quote_currency, ExchangeRate.valid_from
    )
    if after is not None:
        query = query.where(tuple_(*after) < _KEY)
    if wanted.base_currency is not None:
        query = query.where(ExchangeRate.base_currency == wanted.base_currency)
    if wanted.quote_currency is not None:
        query = query.where(ExchangeRate.quote_currency == wanted.quote_currency)
    return session.scalars(query.limit(limit)).all()


def first_days(connection: Connection) -> dict[tuple[str, str], date]:
    """The first day on which each pair of currencies has a rate, in either direction."""
    query = select(ExchangeRate.base_currency, ExchangeRate.quote_currency, func.min(ExchangeRate.valid_from))
    first: dict[tuple[str, str], date] = {}
    for base, quote, day in connection.execute(query.group_by(ExchangeRate.base_currency, ExchangeRate.quote_currency)):
        for pair in ((base, quote), (quote, base)):
            first[pair] = min(day, first.get(pair, day))
    return first
