"""Products over HTTP."""

from typing import Annotated, Any, Final

import orjson
from fastapi import Query, Request, Response
from pydantic import TypeAdapter

from service.base.pagination import IDENTIFIER, Page, cut_page, decode_cursor
from service.catalogue.links_to_products import LinkCheck, stored_links
from service.catalogue.queries import ProductFilter, find_product, page_of_products, upsert_products
from service.catalogue.schemas import ProductIn, ProductOut
from service.web.bulk import BulkRows, bulk_response, bulk_route, validate_body
from service.web.columns import CURRENCY, TEXT_WIDTH, WIDE, flag, money, number, text, time, whole
from service.web.dependencies import ReadSession, open_read_session
from service.web.list_files import FormatOfList, ListFile, ListFormat, list_file
from service.web.parameters import DEFAULT_PAGE_ITEMS, Cursor, Limit, ProductInPath, text_filter
from service.web.responses import JsonResponse
from service.web.routing import Router
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep

router = Router("products")
_LIST_NAME: Final = ("products",)
_PRODUCTS: Final = TypeAdapter(list[ProductIn])
PRODUCT_COLUMNS: Final = (
    text("product_id"),
    text("name", width=WIDE),
    text("line"),
    text("category"),
    text("family"),
    whole("tier"),
    money("price"),
    money("margin"),
    CURRENCY,
    flag("active"),
    flag("is_merchandise"),
    text("parent_product_id"),
    text("replaces"),
    time("available_from"),
    time("available_until"),
    number("stock"),
    text("attributes", width=TEXT_WIDTH),
    time("updated_at"),
)
"""By the names that `nextoffer import products` reads."""


@bulk_route(router, "/products", "Create or update products", ProductIn)
def import_products(rows: BulkRows, writing: UnitOfWorkDep) -> Response:
    """Create or update products, many at once: a JSON array, or one object per line as `application/x-ndjson`.

    Each row is judged by itself: good rows are stored even if others are rejected, and the answer says what became of
    each. A field that is left out keeps its stored value. Sending the same rows again changes nothing.
    """
    good, faults = validate_body(_PRODUCTS, rows)

    def work(write: UnitOfWork) -> Response:
        circles = LinkCheck(stored_links(write.connection)).refuse_circles(good)
        kept = {index: row for index, row in good.items() if index not in circles}
        records = [row.record() for row in kept.values()]
        done = upsert_products(write.connection, records, write.now, write.changes)
        return bulk_response("product_id", rows, kept, done.statuses, {**faults, **circles})

    return writing.answer(work)


@router.read_route("/products", "List products", model=Page[ProductOut], has_files=True)
def list_products(
    request: Request,
    search: Annotated[
        str | None, text_filter("Only products whose name or identifier contains this text, whatever its case.")
    ] = None,
    line: Annotated[str | None, text_filter("Only products of this line.")] = None,
    category: Annotated[str | None, text_filter("Only products of this category.")] = None,
    active: Annotated[bool | None, Query(description="Only products that may, or may not, be offered.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE_ITEMS,
    file_format: FormatOfList = ListFormat.JSON,
) -> Response:
    """List products in the order of their identifiers, a page at a time. All filters must be met."""
    wanted = ProductFilter(line, category, active, search)

    def fetch(cursor: str | None, limit: int) -> dict[str, Any]:
        after = decode_cursor(cursor, _LIST_NAME, IDENTIFIER)
        with open_read_session(request.app) as session:
            rows = page_of_products(session, wanted, after, limit + 1)
            products, next_cursor = cut_page(rows, limit, _LIST_NAME, lambda product: product.product_id)
            items = [ProductOut.model_validate(product, from_attributes=True) for product in products]
        return {"items": [item.model_dump(mode="json") for item in items], "next_cursor": next_cursor}

    if file_format is not ListFormat.JSON:
        return list_file(request, file_format, ListFile(("products", line or category or ""), PRODUCT_COLUMNS, fetch))
    return JsonResponse(orjson.dumps(fetch(cursor, limit)))


@router.read_route("/products/{product_id:identifier}", "Show a product", "unknown-product")
def get_product(product_id: ProductInPath, session: ReadSession) -> ProductOut:
    """One product."""
    return ProductOut.model_validate(find_product(session, product_id), from_attributes=True)
