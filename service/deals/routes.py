"""Deals over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import orjson
from fastapi import Query, Request, Response
from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from service.accounts.names import account_names
from service.base.pagination import IDENTIFIER, Page, cut_page, decode_cursor
from service.catalogue.queries import product_names
from service.deals.queries import DealFilter, apply_deals, page_of_deals
from service.deals.resolve import DealTerms
from service.deals.schemas import DealIn, DealOut
from service.deals.split_deals import without_split_deals
from service.deals.stages import DealStatus
from service.orders.queries import matcher_for
from service.rows.field_types import MAX_IDENTIFIER
from service.web.bulk import (
    BulkRows,
    Guests,
    MatchProductsInQuery,
    UnknownProductsInQuery,
    bulk_response,
    bulk_route,
    validate_body,
    without_placeholders,
)
from service.web.columns import CURRENCY, WIDE, day, money, number, text, time
from service.web.dependencies import open_read_session
from service.web.list_files import FormatOfList, ListFile, ListFormat, list_file
from service.web.parameters import DEFAULT_PAGE_ITEMS, Cursor, Limit, text_filter
from service.web.responses import JsonResponse
from service.web.routing import Router
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep

router = Router("deals")
_LIST_NAME: Final = ("deals",)
_DEALS: Final = TypeAdapter(list[DealIn])
DEAL_COLUMNS: Final = (
    text("deal_id"),
    text("account_id"),
    text("account_name", width=WIDE),
    text("product_id"),
    text("product_name", width=WIDE),
    number("quantity"),
    money("value"),
    text("stage"),
    text("status"),
    money("deal_value"),
    CURRENCY,
    time("opened_at"),
    time("closed_at"),
    day("expected_close"),
    time("updated_at"),
)


@bulk_route(router, "/deals", "Create or update deals", DealIn)
def import_deals(
    rows: BulkRows,
    writing: UnitOfWorkDep,
    guests: Guests,
    unknown_products: UnknownProductsInQuery = "add",
    match_products: MatchProductsInQuery = "exactly",
) -> Response:
    """Create or update deals, many at once: a JSON array, or one object per line as `application/x-ndjson`.

    A deal has `lines`, one for each product; a deal of one product may name it as `product_id`. Open deals are the
    account's pipeline. A won one that has any product is an order, too: `deal:` and its identifier, with the same lines
    on `closed_at`; the order is cancelled if the deal is won no more. Don't send the same purchase as an order of its
    own. Accounts and products that a deal names are added if they are unknown. Each row is a whole deal and is judged
    by itself: good rows are stored even if others are rejected, and the answer says what became of each. A field that
    is left out keeps its stored value. Sending the same rows again changes nothing.

    An `account_id` such as `0`, `guest`, `n/a` or `null` stands for a guest: the row is rejected, unless
    `keep_account_values` is true. Leave the field out if nobody knows the account.
    """
    valid, faults = validate_body(_DEALS, rows)
    named_accounts, placeholders = without_placeholders(valid, guests)
    whole, split = without_split_deals(named_accounts)
    named = {line.product_id for deal in whole.values() for line in deal.lines or ()}
    named |= {deal.product_id for deal in whole.values() if deal.product_id is not None}

    def work(write: UnitOfWork) -> Response:
        terms = DealTerms(matcher_for(write.connection, named, unknown_products, match_products), write.now)
        applied = apply_deals(write.connection, whole, terms, write.changes)
        kept = {index: whole[index] for index in applied.statuses}
        statuses = list(applied.statuses.values())
        return bulk_response("deal_id", rows, kept, statuses, faults | placeholders | split | applied.errors)

    return writing.answer(work)


@router.read_route("/deals", "List deals", model=Page[DealOut], has_files=True)
def list_deals(
    request: Request,
    account_id: Annotated[str | None, text_filter("Only this account's deals.", MAX_IDENTIFIER)] = None,
    status: Annotated[DealStatus | None, Query(description="Only deals that stand like this.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE_ITEMS,
    file_format: FormatOfList = ListFormat.JSON,
) -> Response:
    """List deals in the order of their identifiers, a page at a time."""
    wanted = DealFilter(account_id, status)

    def fetch(cursor: str | None, limit: int) -> dict[str, Any]:
        after = decode_cursor(cursor, _LIST_NAME, IDENTIFIER)
        with open_read_session(request.app) as session:
            rows = page_of_deals(session, wanted, after, limit + 1)
            deals, next_cursor = cut_page(rows, limit, _LIST_NAME, lambda deal: deal["deal_id"])
            items = describe_deals(session, deals)
            if file_format is not ListFormat.JSON:
                items = _file_rows(items)
        return {"items": items, "next_cursor": next_cursor}

    if file_format is not ListFormat.JSON:
        name = ("deals", status or "", account_id or "")
        return list_file(request, file_format, ListFile(name, DEAL_COLUMNS, fetch))
    return JsonResponse(orjson.dumps(fetch(cursor, limit)))


def describe_deals(session: Session, deals: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Describe deals with the names of their accounts and products."""
    accounts = account_names(session, [deal["account_id"] for deal in deals if deal["account_id"] is not None])
    products = product_names(session, [line["product_id"] for deal in deals for line in deal["lines"]])
    return [
        DealOut.model_validate(
            {
                **deal,
                "account_name": accounts.get(deal["account_id"] or ""),
                "lines": [
                    {**line, "product_name": products.get(line["product_id"], line["product_id"])}
                    for line in deal["lines"]
                ],
            }
        ).model_dump(mode="json")
        for deal in deals
    ]


def _file_rows(deals: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each product of a deal; one for a deal without any."""
    return [
        {**deal, **line, "deal_value_minor": deal["value_minor"], "value_minor": line.get("value_minor")}
        for deal in deals
        for line in deal["lines"] or [{}]
    ]
