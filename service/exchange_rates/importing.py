"""Import exchange rates from files: a whole file in one transaction."""

from datetime import datetime
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import Engine

from service.exchange_rates.queries import put_rates
from service.exchange_rates.schemas import ExchangeRateIn, RateKey
from service.rows.errors import UnreadableFile
from service.rows.import_kind import ImportKind
from service.rows.import_run import ImportRun, import_transaction
from service.rows.validation import validate_rows
from service.storage.changes import ChangeLog

_RATES: Final = TypeAdapter(list[ExchangeRateIn])


def read_rates(import_run: ImportRun, rates: dict[RateKey, float]) -> None:
    """Add the rates of one file, refusing invalid rows; of rows for the same currencies and day, the last counts."""
    for chunk in import_run.chunks():
        good, row_errors = validate_rows(_RATES, import_run.rows(chunk))
        import_run.refuse(chunk, row_errors)
        for row in good.values():
            import_run.summary.repeated += row.key in rates
            rates[row.key] = row.rate


def import_rates(engine: Engine, import_run: ImportRun, now: datetime) -> None:
    """Import the rates of one file. What precedes an unreadable part of it is imported."""
    rates: dict[RateKey, float] = {}
    broken: UnreadableFile | None = None
    try:
        read_rates(import_run, rates)
    except UnreadableFile as error:
        broken = error
    with import_transaction(engine, import_run.options) as connection:
        changes = ChangeLog()
        statuses = put_rates(connection, list(rates.items()), now, changes)
        changes.write(connection, now)
    import_run.summary.rows.add(statuses.count("created"), statuses.count("updated"), len(statuses))
    if broken:
        raise broken


EXCHANGE_RATE_IMPORT: Final = ImportKind(
    name="exchange-rates",
    help="""Import exchange rates: base_currency, quote_currency, valid_from, rate.

    One unit of the base currency is worth so many of the quote currency from that day on, until the next rate. The
    columns may be named base or from, quote or to, and date, too. Training converts each amount into the reporting
    currency at the last rate on or before the day of its order.

    A row replaces the rate of the same two currencies and day. A file goes in whole, or not at all.
    """,
    fields=tuple(ExchangeRateIn.model_fields),
    mandatory=tuple(ExchangeRateIn.model_fields),
    import_rows=import_rates,
    row_noun="exchange rates",
    aliases={
        "base": "base_currency",
        "from": "base_currency",
        "from_currency": "base_currency",
        "quote": "quote_currency",
        "to": "quote_currency",
        "to_currency": "quote_currency",
        "date": "valid_from",
        "day": "valid_from",
    },
)
