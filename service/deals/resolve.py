"""From a deal as it was given to the columns that it sets."""

from collections.abc import Mapping
from typing import Any

from service.base.money import to_minor
from service.deals.schemas import DealIn, DealStatus, status_of
from service.rows.chunks import RowError
from service.rows.product_matching import ProductMatcher, UnknownProductRejected
from service.rows.validation import RowErrors


def resolve_deals(
    deals: Mapping[int, DealIn], matcher: ProductMatcher, default_currency: str | None = None
) -> tuple[dict[int, dict[str, Any]], RowErrors]:
    """Resolve products, statuses and values; return the good records and the row_errors of the others, by index."""
    good: dict[int, dict[str, Any]] = {}
    row_errors: RowErrors = {}
    for index, deal in deals.items():
        currency = deal.currency or default_currency
        status = deal.status or status_of(deal.stage)
        product_id, value_minor = _product_of(deal, matcher), _value_of(deal, currency)
        results = (product_id, value_minor, _missing_end(deal, status))
        if deal_errors := tuple(result for result in results if isinstance(result, RowError)):
            row_errors[index] = deal_errors
            continue
        columns = deal.model_dump(exclude_unset=True, exclude={"value"})
        if {"value", "value_minor"} & deal.model_fields_set:
            columns |= {"value_minor": value_minor, "currency": currency}
        good[index] = {**columns, "product_id": product_id, "status": status}
    return good, row_errors


def _product_of(deal: DealIn, matcher: ProductMatcher) -> str | RowError:
    try:
        return matcher.resolve(deal.product_id)
    except UnknownProductRejected as error:
        return RowError("product_id", str(error))


def _value_of(deal: DealIn, currency: str | None) -> int | RowError | None:
    if deal.value is None:
        is_negative = (deal.value_minor or 0) < 0
        return RowError("value_minor", "is negative") if is_negative else deal.value_minor
    if deal.value_minor is not None:
        return RowError("value", "is given beside value_minor; give one of them")
    if deal.value < 0:
        return RowError("value", "is negative")
    try:
        return to_minor(deal.value, currency)
    except ValueError as error:
        return RowError("value", str(error))


def _missing_end(deal: DealIn, status: DealStatus) -> RowError | None:
    is_undated = status == "won" and deal.closed_at is None
    return (
        RowError("closed_at", "is empty, but the deal is won: an order needs the time at which it was")
        if is_undated
        else None
    )
