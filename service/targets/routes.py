"""Targets over HTTP, answered from memory."""

from typing import Annotated

from fastapi import Query, Request, Response

from service.base.clock import Clock
from service.base.components import components_of
from service.catalogue.queries import find_product
from service.rows.field_types import MAX_IDENTIFIER
from service.targets.answers import page_of_targets
from service.targets.do_not_pitch import page_of_excluded
from service.targets.exclusions import Exclusions
from service.targets.ranking import TargetProduct, TargetRankings, find_target_product
from service.targets.schemas import DoNotPitch, ExclusionReason, ProductTargets
from service.web.dependencies import open_read_session
from service.web.etag import etag_response
from service.web.parameters import DEFAULT_PAGE_ITEMS, Cursor, Limit, ProductInPath, text_filter
from service.web.routing import Router
from service.whitespace.routes import in_use

router = Router("targets")


@router.live_route(
    "/products/{product_id:identifier}/targets",
    "List the accounts most likely to buy a product",
    "nothing-learned",
    "unknown-product",
    "unknown-segment",
    model=ProductTargets,
)
def list_targets(
    request: Request,
    product_id: ProductInPath,
    segment: Annotated[str | None, text_filter("Only accounts of this segment.", MAX_IDENTIFIER)] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE_ITEMS,
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
    with open_read_session(request.app) as session:
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


@router.live_route("/accounts/do-not-pitch", "List whom not to ask", "nothing-learned", model=DoNotPitch)
def list_do_not_pitch(
    request: Request,
    reason: Annotated[ExclusionReason | None, Query(description="Only accounts with this reason.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE_ITEMS,
) -> Response:
    """Accounts that should not be asked now, each with its reasons: it objects to marketing; a deal with it was lost
    within 90 days; it is unlikely to buy anything (its likeliest candidate is below a quarter of the median account's,
    or P(still buying) is below .1); or it brought less than nothing in the last 365 days, unless it is strategic.
    """
    live = in_use(request)
    now = components_of(request.app).get(Clock).now()
    return etag_response(request, page_of_excluded(live.derived(Exclusions), live.state, now, reason, cursor, limit))
