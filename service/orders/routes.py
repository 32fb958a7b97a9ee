"""Orders over HTTP."""

from typing import Final

from fastapi import Response
from pydantic import TypeAdapter

from service.orders.queries import matcher_for, replace_orders
from service.orders.resolve import resolve_orders
from service.orders.schemas import OrderIn
from service.web.bulk import (
    BulkRows,
    MatchProductsInQuery,
    UnknownProductsInQuery,
    bulk_response,
    bulk_route,
    validate_body,
)
from service.web.routing import Router
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep

router = Router("orders")
_ORDERS: Final = TypeAdapter(list[OrderIn])


@bulk_route(router, "/orders", "Create or replace orders", OrderIn)
def import_orders(
    rows: BulkRows,
    writing: UnitOfWorkDep,
    unknown_products: UnknownProductsInQuery = "add",
    match_products: MatchProductsInQuery = "exactly",
) -> Response:
    """Create or replace orders, many at once: a JSON array, or one object per line as `application/x-ndjson`.

    An order that is sent again replaces what was stored of it: lines that are no longer in it are deleted. Accounts
    that it names are added if they are unknown. Each order is judged by itself: good ones are stored even if others
    are rejected, and the answer says what became of each. Sending the same orders again changes nothing.
    """
    valid, faults = validate_body(_ORDERS, rows)
    named = {line.product_id for order in valid.values() for line in order.lines}

    def work(write: UnitOfWork) -> Response:
        good, unresolved = resolve_orders(valid, matcher_for(write.connection, named, unknown_products, match_products))
        statuses = replace_orders(write.connection, list(good.values()), write.now, write.changes)
        return bulk_response("order_id", rows, {index: valid[index] for index in good}, statuses, faults | unresolved)

    return writing.answer(work)
