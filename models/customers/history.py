"""Each account's purchase history, summed up in the figures from which its value is estimated."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.arrays import distinct_keys, median_of_groups, offsets_of
from models.data.interactions import Interactions
from models.data.split import DAY_SECONDS

MIN_GAPS = 2
"""A spread needs two."""


@dataclass(frozen=True)
class PurchaseHistory:
    """One entry per account. A purchase is a day on which something was bought: two orders of one day are one.

    n_purchases: int64 (A,), days with a purchase; 0 for an account that never bought.
    n_repeat:    int64 (A,), purchases after the first (x).
    last_days:   float64 (A,), days from the first purchase to the last (t_x); 0 where there is no repeat.
    age_days:    float64 (A,), days from the first purchase to ``as_of`` (T); 0 where there is none.
    n_valued:    int64 (A,), repeat purchases whose money is known: all lines of the day are in the reporting currency.
    mean_spend:  float64 (A,), minor units per repeat purchase whose money is known (z), NaN where there is none. The
                 first purchase is left out, as its kind differs from later ones. Returns are subtracted on the day they
                 came.
    spend:       float64 (A,), minor units in all, returns subtracted, as far as it is known.
    unconverted_lines: int64 (A,), order lines whose amount is not known in the reporting currency.
    is_money_known: bool (A,), whether the money of any line is known, if there is an unconverted one.
    gap_days, gap_spread, usual_gap: float64 (A,), mean, standard deviation and median of the days between purchases
                 that follow each other; NaN where there are fewer than two such gaps.
    account, day: int64 (N,), every purchase but those of guests, ascending in both; days since 1970.
    """

    n_purchases: NDArray[np.int64]
    n_repeat: NDArray[np.int64]
    n_valued: NDArray[np.int64]
    last_days: NDArray[np.float64]
    age_days: NDArray[np.float64]
    mean_spend: NDArray[np.float64]
    spend: NDArray[np.float64]
    unconverted_lines: NDArray[np.int64]
    is_money_known: NDArray[np.bool_]
    gap_days: NDArray[np.float64]
    gap_spread: NDArray[np.float64]
    usual_gap: NDArray[np.float64]
    account: NDArray[np.int64]
    day: NDArray[np.int64]

    @property
    def has_bought(self) -> NDArray[np.bool_]:
        """Bool (A,)."""
        return self.n_purchases > 0


def purchase_history(interactions: Interactions, as_of: int) -> PurchaseHistory:
    """Sum up lines before ``as_of`` (local seconds). Guests are left out; mere returns are no purchase."""
    known = interactions.is_known
    return history_of_events(
        interactions.account[known],
        interactions.time[known],
        interactions.amount_minor[known].astype(np.float64),
        interactions.quantity[known] > 0,
        interactions.n_accounts,
        as_of,
        interactions.is_unconverted[known],
    )


def history_of_events(
    account: NDArray[np.int32],
    time: NDArray[np.int64],
    amount: NDArray[np.float64],
    is_purchase: NDArray[np.bool_],
    n_accounts: int,
    as_of: int,
    is_unconverted: NDArray[np.bool_] | None = None,
) -> PurchaseHistory:
    """Sum up events, one entry each: account row, time (local seconds), amount, and whether something was bought.

    is_unconverted: bool (n,), events whose amount is not known, and therefore 0; None where there are none.
    """
    day = time // DAY_SECONDS
    first_day, n_days = (int(day.min()), int(day.max() - day.min()) + 1) if len(day) else (0, 1)
    key = account.astype(np.int64) * n_days + (day - first_day)
    bought = distinct_keys(key[is_purchase])
    owner, purchase_day = bought // n_days, bought % n_days
    n_purchases = np.bincount(owner, minlength=n_accounts)
    offsets = offsets_of(n_purchases)
    has_bought = n_purchases > 0
    first = np.zeros(n_accounts, dtype=np.int64)
    last = np.zeros(n_accounts, dtype=np.int64)
    first[has_bought] = purchase_day[offsets[:-1][has_bought]]
    last[has_bought] = purchase_day[offsets[1:][has_bought] - 1]
    age = np.where(has_bought, as_of / DAY_SECONDS - first_day - first, 0.0)
    spend = np.bincount(account, weights=amount, minlength=n_accounts).astype(np.float64)
    is_later = key > (account * np.int64(n_days) + first[account])
    n_repeat = np.maximum(n_purchases - 1, 0)
    n_valued = n_repeat
    unknown = np.zeros(len(key), dtype=np.bool_) if is_unconverted is None else is_unconverted
    if unknown.any():
        unknown_days = distinct_keys(key[unknown])
        is_repeat = purchase_day > first[owner]
        n_valued = np.bincount(owner[is_repeat & ~np.isin(bought, unknown_days)], minlength=n_accounts)
        is_later &= ~np.isin(key, unknown_days)
    later_spend = np.bincount(account[is_later], weights=amount[is_later], minlength=n_accounts)
    unconverted_lines = np.bincount(account[unknown], minlength=n_accounts)
    n_known = np.bincount(account[~unknown & (amount != 0)], minlength=n_accounts)
    mean, spread, usual = _gaps(owner, purchase_day, n_accounts)
    with np.errstate(divide="ignore", invalid="ignore"):
        return PurchaseHistory(
            n_purchases=n_purchases,
            n_repeat=n_repeat,
            n_valued=n_valued,
            last_days=(last - first).astype(np.float64),
            age_days=age,
            mean_spend=np.where(n_valued > 0, later_spend / n_valued, np.nan),
            spend=spend,
            unconverted_lines=unconverted_lines,
            is_money_known=(unconverted_lines == 0) | (n_known > 0),
            gap_days=mean,
            gap_spread=spread,
            usual_gap=usual,
            account=owner,
            day=purchase_day + first_day,
        )


def _gaps(
    owner: NDArray[np.int64], day: NDArray[np.int64], n_accounts: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean, standard deviation and median of the days between an account's purchases; both ascending, by account."""
    is_gap = owner[1:] == owner[:-1]
    gap, gap_owner = np.diff(day)[is_gap].astype(np.float64), owner[1:][is_gap]
    n = np.bincount(gap_owner, minlength=n_accounts)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(gap_owner, weights=gap, minlength=n_accounts) / n
        squares = np.bincount(gap_owner, weights=(gap - mean[gap_owner]) ** 2, minlength=n_accounts)
        spread = np.sqrt(squares / (n - 1))
    usual = median_of_groups(gap, gap_owner, n_accounts)
    is_enough = n >= MIN_GAPS
    mean, spread, usual = (np.where(is_enough, figure, np.nan) for figure in (mean, spread, usual))
    return mean, spread, usual
