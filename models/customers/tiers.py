"""Segments by one figure: an account's share of the whole, and whether it recently buys more or less often."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from models.arrays import run_starts
from models.artifact.customers import NOT_SEGMENTED, TRENDS
from models.customers.history import PurchaseHistory

TIER_ENDS: Final = (0.8, 0.95)
"""Pareto's rule in its usual three classes (ABC analysis)."""
RECENT_DAYS: Final = 90
BEFORE_DAYS: Final = 270
CHANCE: Final = 0.1
GROWING, STEADY, FALLING = range(len(TRENDS))


def tiers_of(amounts: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return int8 (n,): 0 for the largest that make 80 % of the sum together, 1 for those up to 95 %, 2 for the rest.

    The account that crosses a border belongs to the higher tier, and so do accounts with the same amount. Accounts with
    no positive amount are in the last tier. NaN gives NOT_SEGMENTED.
    """
    known = np.isfinite(amounts)
    tiers = np.where(known, len(TIER_ENDS), NOT_SEGMENTED).astype(np.int8)
    positive = np.flatnonzero(known & (np.nan_to_num(amounts) > 0))
    if not len(positive):
        return tiers
    distinct, place, n_each = np.unique(-amounts[positive], return_inverse=True, return_counts=True)
    total = (-distinct * n_each).cumsum()
    before = (total - -distinct * n_each) / total[-1]
    tiers[positive] = np.searchsorted(TIER_ENDS, before, side="right")[place]
    return tiers


def trends_of(history: PurchaseHistory, as_of_day: float) -> NDArray[np.int8]:
    """Return int8 (A,), positions in TRENDS: the repeat purchases of the last 90 days against the 270 before them.

    If nothing changed, each of an account's purchases falls into the recent part with a probability in proportion to
    its length: binomial. Growing and falling have a probability of at most .1 then. An account whose first purchase is
    less than 180 days ago is NOT_SEGMENTED.
    """
    n = len(history.n_purchases)
    since = as_of_day - history.day
    is_repeat = ~run_starts(history.account)
    is_recent = is_repeat & (since < RECENT_DAYS)
    is_before = is_repeat & (since >= RECENT_DAYS) & (since < RECENT_DAYS + BEFORE_DAYS)
    recent, before = (np.bincount(history.account[mask], minlength=n) for mask in (is_recent, is_before))
    days_before = np.clip(history.age_days - RECENT_DAYS, 0, BEFORE_DAYS)
    share = RECENT_DAYS / (RECENT_DAYS + days_before)
    trend = np.full(n, STEADY, dtype=np.int8)
    trend[binom.sf(recent - 1, recent + before, share) <= CHANCE] = GROWING
    trend[binom.cdf(recent, recent + before, share) <= CHANCE] = FALLING
    trend[days_before < RECENT_DAYS] = NOT_SEGMENTED
    return trend
