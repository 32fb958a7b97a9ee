"""Targets over HTTP, answered from memory."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from service.auth.dependencies import require
from service.catalogue.queries import find_product
from service.catalogue.routes import ProductInPath
from service.rows.field_types import NO_NUL
from service.segments.routes import Cursor
from service.storage.database import session_scope
from service.targets.answers import page_of_targets
from service.targets.do_not_pitch import page_of_excluded
from service.targets.exclusions import Exclusions
from service.targets.ranking import TargetProduct, TargetRankings, find_target_product
from service.targets.schemas import DoNotPitch, ExclusionReason, ProductTargets
from service.web.dependencies import refuse_while_away
from service.web.etag import etag_response
from service.web.openapi_parts import NOT_MODIFIED, problems
from service.web.read_your_writes import wait_for_min_sequence
from service.whitespace.routes import in_use

router = APIRouter(prefix="/v1", tags=["targets"])
READ: Final = [Depends(require("read")), Depends(wait_for_min_sequence)]
PROBLEM_CODES: Final = (
    "key-missing", "key-invalid", "scope-missing", "nothing-learned", "request-invalid", "sequence-not-reached",
    "invalid-cursor",
)  # fmt: skip
Limit = Annotated[int, Query(ge=1, le=1000, description="Most accounts to return.")]


@router.get(
    "/products/{product_id:path}/targets",
    operation_id="list_targets",
    summary="List the accounts most likely to buy a product",
    response_model=ProductTargets,
    dependencies=READ,
    responses=NOT_MODIFIED | problems(*PROBLEM_CODES, "unknown-product", "unknown-segment", "database-unavailable"),
)
def list_targets(
    request: Request,
    product_id: ProductInPath,
    segment: Annotated[
        str | None, Query(max_length=200, pattern=NO_NUL, description="Only accounts of this segment.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """The targeted list: who does not own the product and is most likely to buy it within the horizon, with the
    expected revenue and margin.

    Who has it among their candidates has a probability of their own; the others have the rate at which accounts of
    their segment buy it. A product that is new since the training has the rate of its category. Who owns it by now,
    and who objects to marketing, is left out.
    """
    live = in_use(request)
    product = find_target_product(live.catalogue.products, product_id) or new_product(request, product_id)
    chosen = None if segment is None else live.segments.find(segment)
    rankings = live.derived(TargetRankings)
    return etag_response(request, page_of_targets(rankings, live.state, product, chosen, cursor, limit))


def new_product(request: Request, product_id: str) -> TargetProduct:
    """Return a product that is new since the training; raises UnknownProduct."""
    refuse_while_away(request.app.state.nextoffer)
    with session_scope(request.app.state.read_sessions) as session:
        product = find_product(session, product_id)
        return TargetProduct(
            product_id=product_id,
            name=product.name,
            category=product.category,
            price_minor=product.price_minor,
            margin_minor=product.margin_minor,
            currency=product.currency,
            is_active=product.is_active,
            row=None,
        )


@router.get(
    "/accounts/do-not-pitch",
    operation_id="list_do_not_pitch",
    summary="List whom not to ask",
    response_model=DoNotPitch,
    dependencies=READ,
    responses=NOT_MODIFIED | problems(*PROBLEM_CODES),
)
def list_do_not_pitch(
    request: Request,
    reason: Annotated[ExclusionReason | None, Query(description="Only accounts with this reason.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Accounts that should not be asked now, each with its reasons: it objects to marketing; a deal with it was lost
    within 90 days; it is unlikely to buy anything (its likeliest candidate is below a quarter of the median account's,
    or P(still buying) is below .1); or it brought less than nothing in the last 365 days, unless it is strategic.
    """
    live = in_use(request)
    now = request.app.state.nextoffer.now()
    exclusions = live.derived(Exclusions)
    return etag_response(request, page_of_excluded(exclusions, live.state, now, reason, cursor, limit))
