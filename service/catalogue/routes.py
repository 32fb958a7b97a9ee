"""Products over HTTP."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import TypeAdapter

from service.auth.dependencies import require
from service.base.examples import PRODUCT_ID
from service.base.pagination import decode_identifier, encode_cursor
from service.catalogue.queries import ProductFilter, find_product, page_of_products, upsert_products
from service.catalogue.schemas import ProductIn, ProductOut, ProductPage
from service.rows.field_types import MAX_IDENTIFIER, MAX_TEXT, NO_NUL
from service.web.bulk import RESPONSES, BulkRows, body_schema, bulk_response, validate_body
from service.web.dependencies import ReadSession
from service.web.openapi_parts import problems
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep


def _exactly(description: str) -> Any:
    return Query(max_length=MAX_TEXT, pattern=NO_NUL, description=description)


ProductInPath = Annotated[str, Path(max_length=MAX_IDENTIFIER, pattern=NO_NUL, examples=[PRODUCT_ID])]
router = APIRouter(prefix="/v1", tags=["products"])
_PRODUCTS: Final = TypeAdapter(list[ProductIn])


@router.post(
    "/products",
    operation_id="import_products",
    summary="Create or update products",
    dependencies=[Depends(require("write"))],
    responses=RESPONSES,
    openapi_extra=body_schema(ProductIn),
)
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


@router.get(
    "/products",
    operation_id="list_products",
    summary="List products",
    dependencies=[Depends(require("read"))],
    responses=problems("key-missing", "key-invalid", "scope-missing", "invalid-cursor", "request-invalid"),
)
def list_products(
    session: ReadSession,
    line: Annotated[str | None, _exactly("Only products of this line.")] = None,
    category: Annotated[str | None, _exactly("Only products of this category.")] = None,
    active: Annotated[bool | None, Query(description="Only products that may, or may not, be offered.")] = None,
    cursor: Annotated[str | None, Query(max_length=2000, description="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Most products to return.")] = 100,
) -> ProductPage:
    """List products in the order of their identifiers, a page at a time."""
    after = decode_identifier(cursor) if cursor is not None else None
    found = page_of_products(session, ProductFilter(line, category, active), after, limit + 1)
    items = [ProductOut.model_validate(product, from_attributes=True) for product in found[:limit]]
    return ProductPage(items=items, next_cursor=encode_cursor(items[-1].product_id) if len(found) > limit else None)


@router.get(
    "/products/{product_id:path}",
    operation_id="get_product",
    summary="Show a product",
    dependencies=[Depends(require("read"))],
    responses=problems("key-missing", "key-invalid", "scope-missing", "unknown-product", "request-invalid"),
)
def get_product(product_id: ProductInPath, session: ReadSession) -> ProductOut:
    """One product."""
    return ProductOut.model_validate(find_product(session, product_id), from_attributes=True)
