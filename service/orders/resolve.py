"""From an order as it was posted to the order that is stored."""

from collections import Counter
from collections.abc import Mapping

from service.base.money import AMOUNT_FIELDS, line_amount
from service.orders.queries import Line, WholeOrder
from service.orders.schemas import LineIn, OrderIn
from service.rows.chunks import RowError
from service.rows.guest_values import GuestValues
from service.rows.plausible_dates import PlausibleDates
from service.rows.product_matching import ProductMatcher, UnknownProductRejected
from service.rows.validation import RowErrors


def without_placeholder(order: OrderIn, guests: GuestValues) -> OrderIn:
    """A guest's order, if its account is a placeholder."""
    return order.model_copy(update={"account_id": None}) if order.account_id in guests else order


def split_by_date(orders: Mapping[int, OrderIn], dates: PlausibleDates) -> tuple[dict[int, OrderIn], RowErrors]:
    """The orders of plausible dates, and the errors of the others, by index.

    Each date is judged by itself: a request may well hold one old order.
    """
    reasons = {index: dates.out_of_limits(order.ordered_at) for index, order in orders.items()}
    row_errors: RowErrors = {index: (RowError("ordered_at", reason),) for index, reason in reasons.items() if reason}
    return {index: order for index, order in orders.items() if index not in row_errors}, row_errors


def resolve_orders(orders: Mapping[int, OrderIn], matcher: ProductMatcher) -> tuple[dict[int, WholeOrder], RowErrors]:
    """Resolve products and amounts; return the good orders and the errors of the others, by index."""
    good: dict[int, WholeOrder] = {}
    row_errors: RowErrors = {}
    for index, order in orders.items():
        lines: list[Line] = []
        line_errors: list[RowError] = []
        ordinals: Counter[str] = Counter()
        for place, line in enumerate(order.lines):
            resolved = _resolve_line(line, order.currency, matcher)
            if isinstance(resolved, RowError):
                line_errors.append(RowError(f"lines.{place}.{resolved.field}", resolved.reason))
                continue
            product_id, amount_minor = resolved
            lines.append((product_id, ordinals[product_id], line.quantity, amount_minor))
            ordinals[product_id] += 1
        if line_errors:
            row_errors[index] = tuple(line_errors)
        else:
            good[index] = _whole_order(order, lines)
    return good, row_errors


def _whole_order(order: OrderIn, lines: list[Line]) -> WholeOrder:
    is_cancelled = order.status == "cancelled"
    return WholeOrder(
        order.order_id, order.account_id, order.ordered_at, order.currency, is_cancelled, frozenset(lines)
    )


def _resolve_line(line: LineIn, currency: str | None, matcher: ProductMatcher) -> tuple[str, int | None] | RowError:
    try:
        product_id = matcher.resolve(line.product_id)
    except UnknownProductRejected as error:
        return RowError("product_id", str(error))
    amounts = {name: value for name in AMOUNT_FIELDS if (value := getattr(line, name)) is not None}
    if len(amounts) > 1:
        return RowError(list(amounts)[1], "is given beside another amount; give one of them")
    for name, value in amounts.items():
        try:
            return product_id, line_amount(name, value, line.quantity, currency)
        except ValueError as error:
            return RowError(name, str(error))
    return product_id, None
