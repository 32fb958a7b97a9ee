"""From a deal as it was given, and as it is stored, to the deal that is to be stored."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any

from service.base.money import to_minor
from service.deals.schemas import DealIn, DealLineIn, as_line_fields
from service.deals.stages import DealStatus, status_of
from service.deals.whole_deal import WholeDeal, WholeDealLine
from service.rows.chunks import RowError
from service.rows.product_matching import ProductMatcher, UnknownProductRejected

STATUS_FIELDS = frozenset({"stage", "status", "is_won", "is_closed"})
VALUE_FIELDS = frozenset({"value", "value_minor"})


@dataclass(frozen=True)
class DealTerms:
    """What deals are resolved by.

    default_currency: of deals that neither name one nor are stored with one.
    value_map:        what the caller's own stages mean.
    zone:             of days.
    """

    matcher: ProductMatcher
    now: datetime
    default_currency: str | None = None
    value_map: Mapping[str, DealStatus] = field(default_factory=dict)
    zone: tzinfo = UTC


def resolve_deal(given: DealIn, stored: WholeDeal | None, terms: DealTerms) -> WholeDeal | tuple[RowError, ...]:
    """Return the deal to be stored, or what is wrong with it."""
    errors: list[RowError] = []
    currency = _currency_of(given, stored, terms)
    stage: str | None = given.stage or getattr(stored, "stage", None)
    status = _status_of(given, stored, stage, terms, errors)
    closed_at = _kept(given, stored, "closed_at")
    if status == "won" and closed_at is None:
        errors.append(RowError("closed_at", "is empty, but the deal is won: an order needs the time at which it was"))
    value_minor = _deal_value(given, stored, currency, errors)
    lines = _lines_of(given, stored, currency, terms.matcher, errors)
    if errors or stage is None or status is None:
        return tuple(errors)
    return WholeDeal(
        deal_id=given.deal_id,
        account_id=_kept(given, stored, "account_id"),
        stage=stage,
        status=status,
        value_minor=value_minor,
        currency=currency,
        opened_at=_kept(given, stored, "opened_at"),
        closed_at=None if status == "open" else closed_at,
        expected_close=_expected_close(given, stored, status, terms),
        lines=lines,
    )


def _kept(given: DealIn, stored: WholeDeal | None, name: str) -> Any:
    return getattr(given, name) if name in given.model_fields_set else getattr(stored, name, None)


def _currency_of(given: DealIn, stored: WholeDeal | None, terms: DealTerms) -> str | None:
    return given.currency or _kept(given, stored, "currency") or terms.default_currency


def _status_of(
    given: DealIn, stored: WholeDeal | None, stage: str | None, terms: DealTerms, errors: list[RowError]
) -> DealStatus | None:
    if stage is None:
        reason = "is missing, and no such deal is stored yet: import the deal itself first"
        errors.append(RowError("stage", reason))
        return None
    if stored and not STATUS_FIELDS & given.model_fields_set:
        return stored.status
    try:
        by_flags = given.is_won is not None or given.is_closed is not None
        if given.status and not by_flags:
            return given.status
        closed_at = given.closed_at and given.closed_at.astimezone(terms.zone)
        status = status_of(stage, given.is_won, given.is_closed, closed_at, terms.value_map, terms.now)
    except ValueError as error:
        errors.append(RowError("stage", str(error)))
        return None
    if given.status and given.status != status:
        errors.append(RowError("status", f"is {given.status}, but is_won and is_closed mean {status}"))
    return status


def _expected_close(given: DealIn, stored: WholeDeal | None, status: DealStatus, terms: DealTerms) -> date | None:
    """Of an open deal, CRMs keep the expected day in the field that holds the real one later."""
    if status == "open" and given.closed_at is not None and given.expected_close is None:
        return given.closed_at.astimezone(terms.zone).date()
    expected_close: date | None = _kept(given, stored, "expected_close")
    return expected_close


def _deal_value(given: DealIn, stored: WholeDeal | None, currency: str | None, errors: list[RowError]) -> int | None:
    """The value of the deal as a whole. Beside a product_id, the value is the product's."""
    if given.product_id is not None or not VALUE_FIELDS & given.model_fields_set:
        return stored.value_minor if stored else None
    return _value_of(given.value, given.value_minor, currency, "", errors)


def _value_of(
    value: Decimal | None, value_minor: int | None, currency: str | None, path: str, errors: list[RowError]
) -> int | None:
    reason = ""
    if value is not None and value_minor is not None:
        reason = "is given beside value_minor; give one of them"
    elif (value or value_minor or 0) < 0:
        reason = "is negative"
    if reason:
        errors.append(RowError(f"{path}value" if value is not None else f"{path}value_minor", reason))
        return None
    if value is None:
        return value_minor
    try:
        return to_minor(value, currency)
    except ValueError as error:
        errors.append(RowError(f"{path}value", str(error)))
        return None


def _lines_of(
    given: DealIn, stored: WholeDeal | None, currency: str | None, matcher: ProductMatcher, errors: list[RowError]
) -> frozenset[WholeDealLine]:
    known = stored.lines if stored else frozenset()
    lines = _given_lines(given, errors)
    if lines is None:
        return known
    before = {(line.product_id, line.ordinal): line for line in known}
    ordinals: Counter[str] = Counter()
    resolved: list[WholeDealLine] = []
    for place, line in enumerate(lines):
        path = "" if given.lines is None else f"lines.{place}."
        product_id = _product_of(line, matcher, path, errors)
        value_minor = _value_of(line.value, line.value_minor, currency, path, errors)
        if line.quantity <= 0:
            errors.append(RowError(f"{path}quantity", "must be more than 0"))
        ordinal = ordinals[product_id]
        ordinals[product_id] += 1
        resolved.append(_with_kept(line, WholeDealLine(product_id, ordinal, line.quantity, value_minor), before))
    return frozenset(resolved)


def _given_lines(given: DealIn, errors: list[RowError]) -> Sequence[DealLineIn] | None:
    """The products that are given; None where none are spoken of, so that the stored ones stay."""
    if given.lines is not None and given.product_id is not None:
        errors.append(RowError("product_id", "is given beside lines; give one of them"))
    if given.lines is not None or given.product_id is None:
        is_cleared = {"lines", "product_id"} & given.model_fields_set
        return given.lines if given.lines is not None else () if is_cleared else None
    fields = as_line_fields(given)
    return [DealLineIn.model_construct(set(fields), **fields)]


def _product_of(line: DealLineIn, matcher: ProductMatcher, path: str, errors: list[RowError]) -> str:
    try:
        return matcher.resolve(line.product_id)
    except UnknownProductRejected as error:
        errors.append(RowError(f"{path}product_id", str(error)))
        return line.product_id


def _with_kept(
    given: DealLineIn, line: WholeDealLine, before: Mapping[tuple[str, int], WholeDealLine]
) -> WholeDealLine:
    """Take what a line leaves out from the stored line of the same product."""
    stored = before.get((line.product_id, line.ordinal))
    if stored is None:
        return line
    is_valued = bool(VALUE_FIELDS & given.model_fields_set)
    return line._replace(
        quantity=line.quantity if "quantity" in given.model_fields_set else stored.quantity,
        value_minor=line.value_minor if is_valued else stored.value_minor,
    )
