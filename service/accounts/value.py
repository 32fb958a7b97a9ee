"""What the current artifact says an account is worth."""

from datetime import date, timedelta
from typing import Any

import numpy as np

from models.artifact.customers import NOT_SEGMENTED, RFM_SEGMENTS, TIERS, TRENDS
from service.accounts.schemas import AccountSegment, AccountValue, ExpectedPurchases, Rfm, ValueAhead
from service.readmodel.segment_catalog import SegmentCatalog

EPOCH = date(1970, 1, 1)


def value_of(segments: SegmentCatalog, account_id: str) -> AccountValue | None:
    """Return what training estimated for an account; None for one that it did not know, or that had not bought."""
    content, described = segments.content, segments.report.get("customers")
    row = content.account_ids.row_of(account_id)
    if row is None or not described or not content.customers.n_purchases[row]:
        return None
    customers, parameters = content.customers, described["parameters"]
    last, gap = int(customers.last_day[row]), number(customers.usual_gap[row])
    expected, low, high = (whole(amount) for amount in customers.value[row])
    recency, frequency, monetary = customers.rfm[row].tolist()
    return AccountValue(
        purchase_days=int(customers.n_purchases[row]),
        first_purchase_on=day(int(customers.first_day[row])),
        last_purchase_on=day(last),
        currency=content.currency.code,
        spend_minor=int(customers.spend_minor[row]) if customers.is_money_known[row] else None,
        unconverted_lines=int(customers.unconverted_lines[row]),
        rfm=Rfm(
            recency=recency,
            frequency=frequency,
            monetary=monetary or None,
            segment=RFM_SEGMENTS[customers.rfm_segment[row]],
        ),
        revenue_tier=named(TIERS, customers.revenue_tier[row]),
        value_tier=named(TIERS, customers.value_tier[row]),
        trend=named(TRENDS, customers.trend[row]),
        is_alive=number(customers.is_alive[row]),
        expected_purchases=[
            ExpectedPurchases(days=days, purchases=purchases)
            for days, value in zip(parameters["horizons_days"], customers.purchases[row], strict=True)
            if (purchases := number(value)) is not None
        ],
        purchase_spend_minor=whole(customers.purchase_spend[row]),
        value_ahead=None
        if expected is None
        else ValueAhead(
            days=parameters["value_days"],
            annual_rate=parameters["annual_rate"],
            expected_minor=expected,
            low_minor=low,
            high_minor=high,
        ),
        usual_gap_days=gap,
        next_purchase_on=None if gap is None else day(last + round(gap)),
        is_contractual=bool(customers.is_contractual[row]),
    )


def segments_of(segments: SegmentCatalog, account_id: str) -> list[AccountSegment]:
    """Return the segments that an account is in."""
    return [
        AccountSegment(segment_id=segment_id, name=name, since=None if since is None else day(since))
        for segment_id, name, since in segments.segments_of(account_id)
        if not segment_id.startswith("all.")
    ]


def named(names: tuple[str, ...], code: Any) -> str | None:
    """Return the name of a code; None for an account without one."""
    return None if code == NOT_SEGMENTED else names[code]


def number(stored: Any) -> float | None:
    """Return a number rounded to four decimals; None for one that is not known."""
    return round(float(stored), 4) if np.isfinite(stored) else None


def whole(stored: Any) -> int | None:
    """Return minor units; None where they are not known."""
    return round(float(stored)) if np.isfinite(stored) else None


def day(since_epoch: int) -> date:
    """Return the date of so many days since 1970."""
    return EPOCH + timedelta(days=since_epoch)
