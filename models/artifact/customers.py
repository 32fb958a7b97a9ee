"""What each account is worth, as arrays with one entry per account row."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from models.artifact.dimensions import ACCOUNTS, HORIZONS
from models.artifact.sections import Section, Shape

RFM_SEGMENTS = (
    "Champions",
    "Loyal",
    "Potential Loyalist",
    "New",
    "Promising",
    "Need Attention",
    "About To Sleep",
    "At Risk",
    "Cannot Lose",
    "Hibernating",
    "Lost",
)
TIERS = ("A", "B", "C")
"""By revenue and by value ahead: the largest accounts that make 80 % of it together, those up to 95 %, the rest."""
TRENDS = ("growing", "steady", "falling")
"""Whether an account recently buys more or less often than before, beyond chance."""
NOT_SEGMENTED = -1
"""The code of an account that is in no segment: it never bought, or its history is too short."""
NO_DAY = -1


Codes = Annotated[NDArray[np.int8], Shape(ACCOUNTS, empty=NOT_SEGMENTED)]
Days = Annotated[NDArray[np.int32], Shape(ACCOUNTS, empty=NO_DAY)]
Estimates = Annotated[NDArray[np.float32], Shape(ACCOUNTS, empty=np.nan)]


@dataclass(frozen=True)
class Customers(Section):
    """A purchase is a day with an order. Money is in minor units of the reporting currency; NaN is what can't be
    estimated.

    first_day, last_day: days since 1970 in the manifest's time zone, NO_DAY without a purchase.
    spend_minor:     of all orders, returns subtracted, as far as it is known.
    unconverted_lines: order lines whose amount is not known in the reporting currency; they are left out of money.
    is_money_known:  whether any money of the account is known; where it is not, spend_minor is 0 and means nothing.
    rfm:             quintiles of recency, frequency and money, 5 the best; 0 without a purchase or known money.
    rfm_segment, revenue_tier, value_tier, trend: positions in RFM_SEGMENTS, TIERS and TRENDS, or NOT_SEGMENTED.
    is_alive:        P(still buying).
    purchases:       expected purchases within each of the report's horizons.
    purchase_spend:  expected money per purchase.
    value:           discounted money ahead: expected, and the lower and upper bound of the 80 % interval.
    usual_gap:       median days between purchases. is_contractual: buys at regular intervals.
    """

    n_purchases: Annotated[NDArray[np.int32], Shape(ACCOUNTS)]
    first_day: Days
    last_day: Days
    spend_minor: Annotated[NDArray[np.int64], Shape(ACCOUNTS)]
    unconverted_lines: Annotated[NDArray[np.int32], Shape(ACCOUNTS)]
    is_money_known: Annotated[NDArray[np.bool_], Shape(ACCOUNTS, empty=True)]
    rfm: Annotated[NDArray[np.int8], Shape(ACCOUNTS, 3)]
    rfm_segment: Codes
    revenue_tier: Codes
    value_tier: Codes
    trend: Codes
    is_alive: Estimates
    purchases: Annotated[NDArray[np.float32], Shape(ACCOUNTS, HORIZONS, empty=np.nan)]
    purchase_spend: Estimates
    value: Annotated[NDArray[np.float32], Shape(ACCOUNTS, 3, empty=np.nan)]
    usual_gap: Estimates
    is_contractual: Annotated[NDArray[np.bool_], Shape(ACCOUNTS)]

    def __len__(self) -> int:
        return len(self.n_purchases)
