"""Exchange rates over HTTP."""

from typing import Annotated, Final

from fastapi import Path, Query, Response
from pydantic import TypeAdapter

from service.base.errors import InvalidCursor
from service.base.pagination import IDENTIFIER, Page, cut_page, decode_cursor
from service.exchange_rates.errors import UnknownExchangeRate
from service.exchange_rates.queries import RateFilter, delete_rate, page_of_rates, put_rates
from service.exchange_rates.schemas import ExchangeRateIn, ExchangeRateOut, RateKey, key_of
from service.exchange_rates.tables import ExchangeRate
from service.rows.field_types import NO_NUL
from service.web.bulk import BulkRows, bulk_response, bulk_route, validate_body
from service.web.dependencies import ReadSession
from service.web.parameters import DEFAULT_PAGE_ITEMS, Cursor, Limit
from service.web.routing import Router
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep

router = Router("exchange rates")
_LIST_NAME: Final = ("exchange-rates",)
_RATES: Final = TypeAdapter(list[ExchangeRateIn])
_CODE: Final = r"^[A-Z]{3}$"
ExchangeRateInPath = Annotated[
    str, Path(max_length=20, pattern=NO_NUL, description="`exchange_rate_id`.", examples=["EUR-USD-2017-03-01"])
]


@bulk_route(router, "/exchange-rates", "Create or replace exchange rates", ExchangeRateIn)
def import_exchange_rates(rows: BulkRows, writing: UnitOfWorkDep) -> Response:
    """Create or replace rates, many at once: a JSON array, or one object per line as `application/x-ndjson`.

    Training converts each amount into the reporting currency at the last rate on or before the day of its order. The
    inverse of a rate serves as well as the rate, and currencies without a rate of their own are converted through one
    that both have a rate with. Figures change with the next training. Sending the same rows again changes nothing.
    """
    valid, faults = validate_body(_RATES, rows)

    def work(write: UnitOfWork) -> Response:
        statuses = put_rates(
            write.connection, [(row.key, row.rate) for row in valid.values()], write.now, write.changes
        )
        return bulk_response("exchange_rate_id", rows, valid, statuses, faults)

    return writing.answer(work)


@router.read_route("/exchange-rates", "List exchange rates")
def list_exchange_rates(
    session: ReadSession,
    base_currency: Annotated[str | None, Query(pattern=_CODE, description="Only rates of this currency.")] = None,
    quote_currency: Annotated[str | None, Query(pattern=_CODE, description="Only rates in this currency.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE_ITEMS,
) -> Page[ExchangeRateOut]:
    """List rates in the order of their currencies and days, a page at a time."""
    after = _decode(decode_cursor(cursor, _LIST_NAME, IDENTIFIER))
    rows = page_of_rates(session, RateFilter(base_currency, quote_currency), after, limit + 1)
    rates, next_cursor = cut_page(rows, limit, _LIST_NAME, lambda rate: _key_of(rate).exchange_rate_id)
    items = [
        ExchangeRateOut(
            exchange_rate_id=_key_of(rate).exchange_rate_id,
            **_key_of(rate)._asdict(),
            rate=rate.rate,
            updated_at=rate.updated_at,
        )
        for rate in rates
    ]
    return Page(items=items, next_cursor=next_cursor)


@router.write_route(
    "DELETE",
    "/exchange-rates/{exchange_rate_id}",
    "Delete an exchange rate",
    "unknown-exchange-rate",
)
def delete_exchange_rate(exchange_rate_id: ExchangeRateInPath, writing: UnitOfWorkDep) -> Response:
    """Delete one rate: the one before it is valid again on its days. Figures change with the next training."""
    key = key_of(exchange_rate_id)

    def work(write: UnitOfWork) -> Response:
        if key is None or not delete_rate(write.connection, key, write.changes):
            raise UnknownExchangeRate(exchange_rate_id)
        return Response()

    return writing.answer(work)


def _key_of(rate: ExchangeRate) -> RateKey:
    return RateKey(rate.base_currency, rate.quote_currency, rate.valid_from)


def _decode(position: str | None) -> RateKey | None:
    key = key_of(position) if position is not None else None
    if position is not None and key is None:
        raise InvalidCursor
    return key
