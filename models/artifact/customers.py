"""What each account is worth, as arrays with one entry per account row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
"""Of revenue and of value ahead: the largest accounts that make 80 % of it together, those up to 95 %, and the rest."""
TRENDS = ("growing", "steady", "falling")
"""Whether an account buys more or less often of late than before, beyond chance."""
NOT_SEGMENTED = -1
"""The code of an account that is in none of them: it never bought, or its history is too short to tell."""
NO_DAY = -1


@dataclass(frozen=True)
class Customers:
    """A accounts. A purchase is a day with an order. Money is in minor units; NaN is what can't be told.

    n_purchases:     int32 (A,). first_day, last_day: int32 (A,), days since 1970 (UTC), NO_DAY without a purchase.
    spend_minor:     int64 (A,), of all orders, returns subtracted.
    rfm:             int8 (A, 3), quintiles of recency, frequency and money, 5 the best; 0 without a purchase.
    rfm_segment, revenue_tier, value_tier, trend: int8 (A,), positions in RFM_SEGMENTS, TIERS and TRENDS, or
                     NOT_SEGMENTED.
    is_alive:        float32 (A,), P(still buying).
    purchases:       float32 (A, H), expected purchases within each of the report's horizons.
    purchase_spend:  float32 (A,), expected money per purchase.
    value:           float32 (A, 3), discounted money ahead: expected, and the interval that four of five are in.
    usual_gap:       float32 (A,), median days between purchases. is_contractual: bool (A,), buys at regular intervals.
    """

    n_purchases: NDArray[np.int32]
    first_day: NDArray[np.int32]
    last_day: NDArray[np.int32]
    spend_minor: NDArray[np.int64]
    rfm: NDArray[np.int8]
    rfm_segment: NDArray[np.int8]
    revenue_tier: NDArray[np.int8]
    value_tier: NDArray[np.int8]
    trend: NDArray[np.int8]
    is_alive: NDArray[np.float32]
    purchases: NDArray[np.float32]
    purchase_spend: NDArray[np.float32]
    value: NDArray[np.float32]
    usual_gap: NDArray[np.float32]
    is_contractual: NDArray[np.bool_]

    @classmethod
    def unknown(cls, n_accounts: int, n_horizons: int = 3) -> "Customers":
        """Accounts of which nothing is known."""
        none = np.full(n_accounts, NOT_SEGMENTED, dtype=np.int8)
        unknown = np.full(n_accounts, np.nan, dtype=np.float32)
        return cls(
            n_purchases=np.zeros(n_accounts, dtype=np.int32),
            first_day=np.full(n_accounts, NO_DAY, dtype=np.int32),
            last_day=np.full(n_accounts, NO_DAY, dtype=np.int32),
            spend_minor=np.zeros(n_accounts, dtype=np.int64),
            rfm=np.zeros((n_accounts, 3), dtype=np.int8),
            rfm_segment=none,
            revenue_tier=none,
            value_tier=none,
            trend=none,
            is_alive=unknown,
            purchases=np.full((n_accounts, n_horizons), np.nan, dtype=np.float32),
            purchase_spend=unknown,
            value=np.full((n_accounts, 3), np.nan, dtype=np.float32),
            usual_gap=unknown,
            is_contractual=np.zeros(n_accounts, dtype=np.bool_),
        )

    def __len__(self) -> int:
        return len(self.n_purchases)
