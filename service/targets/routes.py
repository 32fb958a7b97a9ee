"""Targets over HTTP, answered from memory."""

from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from models.artifact import ReportingCurrency
from service.accounts.names import with_account_names
from service.base.clock import Clock, as_date
from service.base.components import components_of
from service.catalogue.queries import find_product
from service.readmodel.listed_policies import ListedPolicies
from service.rows.field_types import MAX_IDENTIFIER
from service.targets.answers import page_of_targets
from service.targets.do_not_pitch import count_excluded, page_of_excluded
from service.targets.exclusions import Exclusions
from service.targets.ranking import TargetProduct, TargetRankings, find_target_product
from service.targets.schemas import DoNotPitch, ExclusionReason, ProductTargets
from service.web.columns import CURRENCY, TEXT_WIDTH, WIDE, flag, money, share, text
from service.web.dependencies import open_read_session
from service.web.etag import etag_response
from service.web.list_files import FormatOfList, ListFile, ListFormat, list_file
from service.web.parameters import DEFAULT_PAGE_ITEMS, Cursor, Limit, ProductInPath, text_filter
from service.web.routing import Router
from service.whitespace.routes import in_use

router = Router("targets")
TARGET_COLUMNS: Final = (
    text("account_id"),
    text("account_name", width=WIDE),
    text("product_id"),
    text("product", "name", width=WIDE),
    share("propensity"),
    text("basis"),
    money("expected_revenue"),
    money("expected_margin"),
    CURRENCY,
    flag("has_open_deal"),
)
EXCLUDED_COLUMNS: Final = (
    text("account_id"),
    text("account_name", width=WIDE),
    text("reason_codes", width=WIDE),
    text("reasons", width=TEXT_WIDTH),
)


@router.live_route(
    "/products/{product_id:identifier}/targets",
    "List the accounts most likely to buy a product",
    "nothing-learned",
    "unknown-product",
    "unknown-segment",
    model=ProductTargets,
    has_files=True,
)
def list_targets(
    request: Request,
    product_id: ProductInPath,
    segment: Annotated[str | None, text_filter("Only accounts of this segment.", MAX_IDENTIFIER)] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE_ITEMS,
    file_format: FormatOfList = ListFormat.JSON,
) -> Response:
    """The targeted list: who does not own the product and is most likely to buy it within the horizon, with the
    expected revenue and margin.

    Who has it among their candidates has a probability of their own; the others have the rate at which accounts of
    their segment buy it. A product that is new since the training has the rate of its category. Who owns it by now,
    or a variant, predecessor or successor of it, who returned one of these recently, and who objects to marketing, is
    left out. So is from whom a policy of eligibility, applicability or suitability withholds the product, whatever the
    placement, channel, basket and context of a request are; of a product that is new since the training policies are
    not asked.
    """
    live = in_use(request)
    known = find_target_product(live.catalogue.products, product_id)
    product = known or new_product(request, product_id, live.segments.content.currency)
    chosen = None if segment is None else live.segments.find(segment)
    rankings = live.derived(TargetRankings)
    policies = ListedPolicies.from_state(live.state, components_of(request.app).get(Clock).now())

    def fetch(cursor: str | None, limit: int) -> dict[str, Any]:
        page = page_of_targets(rankings, live.state, product, chosen, policies, cursor, limit)
        return page | {"items": with_account_names(request.app, page["items"])}

    if file_format is ListFormat.JSON:
        return etag_response(request, fetch(cursor, limit))
    at_most = len(live.segments.content.account_ids) if chosen is None else chosen.measured["size"]
    about: dict[str, object] = {"product": product.name, "segment": chosen.name if chosen else "All accounts"}
    about |= {"as_of": as_date(live.segments.as_of_day), "artifact_version": live.segments.version}
    file = ListFile(("targets", product_id, segment or ""), TARGET_COLUMNS, fetch, at_most, about)
    return list_file(request, file_format, file)


def new_product(request: Request, product_id: str, currency: ReportingCurrency) -> TargetProduct:
    """Return a product that is new since the training; raises UnknownProduct."""
    with open_read_session(request.app) as session:
        product = find_product(session, product_id)
        return TargetProduct(
            product_id=product_id,
            name=product.name,
            category=product.category,
            price_minor=currency.convert(product.price_minor, product.currency),
            margin_minor=currency.convert(product.margin_minor, product.currency),
            currency=currency.code,
            is_active=product.is_active,
            row=None,
        )


@router.live_route(
    "/accounts/do-not-pitch", "List whom not to ask", "nothing-learned", model=DoNotPitch, has_files=True
)
def list_do_not_pitch(
    request: Request,
    reason: Annotated[ExclusionReason | None, Query(description="Only accounts with this reason.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE_ITEMS,
    file_format: FormatOfList = ListFormat.JSON,
) -> Response:
    """Accounts that should not be asked now, each with its reasons: it objects to marketing; a deal with it was lost
    within 90 days; it is unlikely to buy anything (its likeliest candidate is below a quarter of the median account's,
    or P(still buying) is below .1); it brought less than nothing in the last 365 days, unless it is strategic; or
    policies of eligibility, applicability and suitability withhold every product from it, whatever the placement,
    channel, basket and context of a request are.
    """
    live = in_use(request)
    now = components_of(request.app).get(Clock).now()

    def fetch(cursor: str | None, limit: int) -> dict[str, Any]:
        page = page_of_excluded(live.derived(Exclusions), live.state, now, reason, cursor, limit)
        return page | {"items": with_account_names(request.app, page["items"])}

    if file_format is ListFormat.JSON:
        return etag_response(request, fetch(cursor, limit))

    def fetch_rows(cursor: str | None, limit: int) -> dict[str, Any]:
        page = fetch(cursor, limit)
        return {"items": [flatten_reasons(item) for item in page["items"]], "next_cursor": page["next_cursor"]}

    about = {"as_of": as_date(live.segments.as_of_day), "artifact_version": live.segments.version}
    at_most = count_excluded(live.derived(Exclusions), live.state, now, reason)
    file = ListFile(("do-not-pitch", reason or ""), EXCLUDED_COLUMNS, fetch_rows, at_most, about)
    return list_file(request, file_format, file)


def flatten_reasons(item: dict[str, Any]) -> dict[str, Any]:
    """Lay the reasons of an account out as texts."""
    codes, texts = ([reason[name] for reason in item["reasons"]] for name in ("code", "text"))
    return {**item, "reason_codes": codes, "reasons": " ".join(texts)}
