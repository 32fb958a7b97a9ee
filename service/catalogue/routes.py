"""Products over HTTP."""

from typing import Annotated, Final

from fastapi import Query, Response
from pydantic import TypeAdapter

from service.base.pagination import IDENTIFIER, Page, cut_page, decode_cursor
from service.catalogue.queries import ProductFilter, find_product, page_of_products, upsert_products
from service.catalogue.schemas import ProductIn, ProductOut
from service.web.bulk import BulkRows, bulk_response, bulk_route, validate_body
from service.web.dependencies import ReadSession
from service.web.parameters import DEFAULT_PAGE_ITEMS, Cursor, Limit, ProductInPath, text_filter
from service.web.routing import Router
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep

router = Router("products")
_LIST_NAME: Final = ("products",)
_PRODUCTS: Final = TypeAdapter(list[ProductIn])


@bulk_route(router, "/products", "Create or update products", ProductIn)
def import_products(rows: BulkRows, writing: UnitOfWorkDep) -> Response:
    """Create or update products, many at once: a JSON array, or one object per line as `application/x-ndjson`.

    Each row is judged by itself: good rows are stored even if others are rejected, and the answer says what became of
    each. A field that is left out keeps its stored value. Sending the same rows again changes nothing.
    """
    good, faults = validate_body(_PRODUCTS, rows)
    records = [row.record() for row in good.values()]

    def work(write: UnitOfWork) -> Response:
        done = upsert_products(write.connection, records, write.now, write.changes)
        return bulk_response("product_id", rows, good, done.statuses, faults)

    return writing.answer(work)


@router.read_route("/products", "List products")
def list_products(
    session: ReadSession,
    line: Annotated[str | None, text_filter("Only products of this line.")] = None,
    category: Annotated[str | None, text_filter("Only products of this category.")] = None,
    active: Annotated[bool | None, Query(description="Only products that may, or may not, be offered.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE_ITEMS,
) -> Page[ProductOut]:
    """List products in the order of their identifiers, a page at a time."""
    after = decode_cursor(cursor, _LIST_NAME, IDENTIFIER)
    rows = page_of_products(session, ProductFilter(line, category, active), after, limit + 1)
    products, next_cursor = cut_page(rows, limit, _LIST_NAME, lambda product: product.product_id)
    items = [ProductOut.model_validate(product, from_attributes=True) for product in products]
    return Page(items=items, next_cursor=next_cursor)


@router.read_route("/products/{product_id:identifier}", "Show a product", "unknown-product")
def get_product(product_id: ProductInPath, session: ReadSession) -> ProductOut:
    """One product."""
    return ProductOut.model_validate(find_product(session, product_id), from_attributes=True)
