"""Deals over HTTP."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import TypeAdapter

from service.auth.dependencies import require
from service.base.examples import ACCOUNT_ID
from service.base.pagination import decode_identifier, encode_cursor
from service.deals.queries import DealFilter, page_of_deals, upsert_deals
from service.deals.resolve import resolve_deals
from service.deals.schemas import DealIn, DealOut, DealPage, DealStatus
from service.orders.queries import matcher_for
from service.rows.field_types import MAX_IDENTIFIER, NO_NUL
from service.web.bulk import (
    RESPONSES,
    BulkRows,
    UnknownProductsInQuery,
    body_schema,
    bulk_response,
    validate_body,
)
from service.web.dependencies import ReadSession
from service.web.openapi_parts import problems
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep

router = APIRouter(prefix="/v1", tags=["deals"])
_DEALS: Final = TypeAdapter(list[DealIn])
OfAccount = Annotated[
    str | None,
    Query(max_length=MAX_IDENTIFIER, pattern=NO_NUL, description="Only this account's deals.", examples=[ACCOUNT_ID]),
]


@router.post(
    "/deals",
    operation_id="import_deals",
    summary="Create or update deals",
    dependencies=[Depends(require("write"))],
    responses=RESPONSES,
    openapi_extra=body_schema(DealIn),
)
def import_deals(
    rows: BulkRows, writing: UnitOfWorkDep, unknown_products: UnknownProductsInQuery = "match"
) -> Response:
    """Create or update deals, many at once: a JSON array, or one object per line as `application/x-ndjson`.

    Open deals are the account's pipeline. A won one is an order, too: `deal:` and its identifier, of one unit at the
    deal's value on `closed_at`; the order is cancelled if the deal is won no more. Don't send the same purchase as an
    order of its own. Accounts and products that a deal names are added if they are unknown. Each row is judged by
    itself: good rows are stored even if others are rejected, and the answer says what became of each. A field that is
    left out keeps its stored value. Sending the same rows again changes nothing.
    """
    valid, faults = validate_body(_DEALS, rows)
    named = {deal.product_id for deal in valid.values()}

    def work(write: UnitOfWork) -> Response:
        good, unresolved = resolve_deals(valid, matcher_for(write.connection, named, unknown_products))
        done = upsert_deals(write.connection, list(good.values()), write.now, write.changes)
        kept = {index: valid[index] for index in good}
        return bulk_response("deal_id", rows, kept, done.statuses, faults | unresolved)

    return writing.answer(work)


@router.get(
    "/deals",
    operation_id="list_deals",
    summary="List deals",
    dependencies=[Depends(require("read"))],
    responses=problems("key-missing", "key-invalid", "scope-missing", "invalid-cursor", "request-invalid"),
)
def list_deals(
    session: ReadSession,
    account_id: OfAccount = None,
    status: Annotated[DealStatus | None, Query(description="Only deals that stand like this.")] = None,
    cursor: Annotated[str | None, Query(max_length=2000, description="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Most deals to return.")] = 100,
) -> DealPage:
    """List deals in the order of their identifiers, a page at a time."""
    after = decode_identifier(cursor) if cursor is not None else None
    found = page_of_deals(session, DealFilter(account_id, status), after, limit + 1)
    items = [DealOut.model_validate(deal, from_attributes=True) for deal in found[:limit]]
    return DealPage(items=items, next_cursor=encode_cursor(items[-1].deal_id) if len(found) > limit else None)
