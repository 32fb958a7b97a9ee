"""Orders over HTTP."""

from datetime import date
from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Path, Query, Request, Response
from pydantic import TypeAdapter

from service.base.pagination import Page
from service.orders.listing import COLUMNS, OrderFilter, find_order, page_of_orders
from service.orders.queries import matcher_for, replace_orders
from service.orders.resolve import resolve_orders, split_by_date, without_placeholder
from service.orders.schemas import OrderIn, OrderOut, OrderSummary
from service.rows.field_types import MAX_IDENTIFIER, NO_NUL, Timestamp
from service.rows.plausible_dates import DateLimits, PlausibleDates, by_parameter
from service.web.bulk import (
    BulkRows,
    Guests,
    MatchProductsInQuery,
    UnknownProductsInQuery,
    bulk_response,
    bulk_route,
    validate_body,
)
from service.web.dependencies import ReadSession, open_read_session
from service.web.list_files import FormatOfList, ListFile, ListFormat, list_file
from service.web.parameters import DEFAULT_PAGE_ITEMS, Cursor, Limit, text_filter
from service.web.responses import JsonResponse
from service.web.routing import Router
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep

router = Router("orders")


def accepted_dates(
    earliest: Annotated[date | None, Query(description="Accept orders from this day on; by default from 1980.")] = None,
    latest: Annotated[
        date | None, Query(description="Accept orders up to this day; by default up to tomorrow.")
    ] = None,
) -> DateLimits:
    """The dates that a request accepts."""
    return DateLimits.of_days(earliest, latest)


AcceptedDates = Annotated[DateLimits, Depends(accepted_dates)]
_ORDERS: Final = TypeAdapter(list[OrderIn])
OrderInPath = Annotated[str, Path(max_length=MAX_IDENTIFIER, pattern=NO_NUL)]


@bulk_route(router, "/orders", "Create or replace orders", OrderIn)
def import_orders(
    rows: BulkRows,
    writing: UnitOfWorkDep,
    limits: AcceptedDates,
    guests: Guests,
    unknown_products: UnknownProductsInQuery = "add",
    match_products: MatchProductsInQuery = "exactly",
) -> Response:
    """Create or replace orders, many at once: a JSON array, or one object per line as `application/x-ndjson`.

    An order that is sent again replaces what was stored of it: lines that are no longer in it are deleted. Accounts
    that it names are added if they are unknown. Each order is judged by itself: good ones are stored even if others
    are rejected, and the answer says what became of each. Sending the same orders again changes nothing.

    An order dated more than two days ahead, or before 1980, is rejected unless `latest` or `earliest` accepts it. An
    `account_id` such as `0`, `guest`, `n/a` or `null` is a guest's, unless `keep_account_values` is true.
    """
    valid, faults = validate_body(_ORDERS, rows)
    valid = {index: without_placeholder(order, guests) for index, order in valid.items()}
    named = {line.product_id for order in valid.values() for line in order.lines}

    def work(write: UnitOfWork) -> Response:
        dated, implausible = split_by_date(valid, PlausibleDates(limits, write.now, hint=by_parameter))
        good, unresolved = resolve_orders(dated, matcher_for(write.connection, named, unknown_products, match_products))
        statuses = replace_orders(write.connection, list(good.values()), write.now, write.changes)
        return bulk_response(
            "order_id", rows, {index: valid[index] for index in good}, statuses, faults | implausible | unresolved
        )

    return writing.answer(work)


def _wanted(
    account_id: Annotated[str | None, text_filter("Only this account's orders.", MAX_IDENTIFIER)] = None,
    product_id: Annotated[str | None, text_filter("Only orders with a line of this product.", MAX_IDENTIFIER)] = None,
    ordered_after: Annotated[Timestamp | None, Query(description="Only orders of this time or later.")] = None,
    ordered_before: Annotated[Timestamp | None, Query(description="Only orders before this time.")] = None,
    is_cancelled: Annotated[bool | None, Query(description="Only orders that were, or were not, cancelled.")] = None,
) -> OrderFilter:
    return OrderFilter(account_id, product_id, ordered_after, ordered_before, is_cancelled)


@router.read_route("/orders", "List orders", model=Page[OrderSummary], has_files=True)
def list_orders(
    request: Request,
    wanted: Annotated[OrderFilter, Depends(_wanted)],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE_ITEMS,
    file_format: FormatOfList = ListFormat.JSON,
) -> Response:
    """List orders, the newest first, a page at a time, each with what its lines sum up to. All filters must be met.

    A product that few orders have takes a search through all orders; name an account or a period where there are
    millions.
    """

    def fetch(cursor: str | None, limit: int) -> dict[str, Any]:
        with open_read_session(request.app) as session:
            orders, next_cursor = page_of_orders(session, wanted, cursor, limit)
        return {"items": [order.model_dump(mode="json") for order in orders], "next_cursor": next_cursor}

    if file_format is not ListFormat.JSON:
        return list_file(request, file_format, ListFile(("orders", wanted.account_id or ""), COLUMNS, fetch))
    return JsonResponse(orjson.dumps(fetch(cursor, limit)))


@router.read_route("/orders/{order_id:identifier}", "Show an order", "unknown-order")
def get_order(order_id: OrderInPath, session: ReadSession) -> OrderOut:
    """One order with its lines, as it is stored now."""
    return find_order(session, order_id)
