"""Snapshots: a history as it was known at a time in the past, and the figures that features are made of."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.arrays import numbers_of_ranges
from models.artifact import Products
from models.artifact.customers import NOT_SEGMENTED, RFM_SEGMENTS
from models.customers.history import PurchaseHistory, purchase_history
from models.customers.rfm import rfm_of
from models.data.accounts import AccountFacts
from models.data.interactions import Interactions
from models.data.split import DAY_SECONDS
from models.products.prices import unit_prices
from models.products.timing import FirstPurchases, first_purchases
from models.propensity.calibration import RecentRate

RECENT_SHARE = 3
"""Recent: the last third of a horizon."""
N_SEGMENTS = len(RFM_SEGMENTS)


@dataclass(frozen=True)
class Snapshot:
    """A history cut off at ``as_of`` (local seconds), to predict the ``horizon_days`` after it."""

    past: Interactions
    products: Products
    facts: AccountFacts
    as_of: int
    horizon_days: float

    @property
    def recent_days(self) -> float:
        """How many days before the snapshot are recent; at least one, since purchases are dated by the day."""
        return max(self.horizon_days / RECENT_SHARE, 1.0)

    @cached_property
    def lines(self) -> "Lines":
        """Purchases of known accounts, line by line."""
        past = self.past
        which = past.is_known & (past.quantity > 0)
        age = (self.as_of - past.time[which]) / DAY_SECONDS
        return Lines(past.account[which], past.product[which], age.astype(np.float32), past.amount_minor[which])

    @cached_property
    def firsts(self) -> "Firsts":
        """First purchases of each account and product."""
        firsts: FirstPurchases = first_purchases(self.past)
        product = numbers_of_ranges(firsts.starts, np.int32)
        return Firsts(firsts.account, product, (self.as_of / DAY_SECONDS - firsts.day).astype(np.float32))

    @cached_property
    def prices(self) -> NDArray[np.float64]:
        """Float64 (P,), minor units per unit, NaN where unknown."""
        return unit_prices(self.past, self.products)

    @cached_property
    def history(self) -> PurchaseHistory:
        """The days on which each account bought."""
        return purchase_history(self.past, self.as_of)

    @cached_property
    def segment(self) -> NDArray[np.int64]:
        """Int64 (A,): the segment by recency, frequency and money; N_SEGMENTS for an account that never bought."""
        code = rfm_of(self.history).segment
        return np.where(code == NOT_SEGMENTED, N_SEGMENTS, code).astype(np.int64)

    @cached_property
    def accounts(self) -> "AccountFeatures":
        """How recently, how often and how much each account bought."""
        return describe_accounts(self)

    @cached_property
    def is_established(self) -> NDArray[np.bool_]:
        """Bool (A,): accounts that had already bought before the recent days."""
        oldest = np.zeros(self.past.n_accounts, dtype=np.float32)
        np.maximum.at(oldest, self.firsts.account, self.firsts.age)
        return np.asarray(oldest > self.recent_days)

    def novelty_rate(self, per_account: float) -> RecentRate:
        """Recent first purchases of established accounts, relative to the pairs that could have been one.

        per_account: how many products each could have bought. New accounts are left out, or the rate would rise with
        their number.
        """
        is_recent = self.firsts.age <= self.recent_days
        firsts = (is_recent & self.is_established[self.firsts.account]).sum()
        return RecentRate(float(firsts), float(self.is_established.sum() * per_account))


@dataclass(frozen=True)
class Lines:
    """One entry per line. age: days ago. amount: minor units."""

    account: NDArray[np.int32]
    product: NDArray[np.int32]
    age: NDArray[np.float32]
    amount: NDArray[np.int64]


@dataclass(frozen=True)
class Firsts:
    """One entry per account and product that it ever bought. age: days since the first time."""

    account: NDArray[np.int32]
    product: NDArray[np.int32]
    age: NDArray[np.float32]


@dataclass(frozen=True)
class AccountFeatures:
    """One entry per account. Logarithms of one plus the number, so that twice as much is one step more.

    recency: of days since the last purchase. frequency: of recent days with a purchase. lines: of recent order lines.
    novelty: of products recently first bought.
    size, all_lines: of products ever bought, and of all order lines.
    price:   mean logarithm of the unit prices that it paid; the mean of all where it paid none.
    """

    recency: NDArray[np.float32]
    frequency: NDArray[np.float32]
    lines: NDArray[np.float32]
    novelty: NDArray[np.float32]
    size: NDArray[np.float32]
    all_lines: NDArray[np.float32]
    price: NDArray[np.float32]


def describe_accounts(snapshot: Snapshot) -> AccountFeatures:
    """Compute the features of each account."""
    n, lines, recent = snapshot.past.n_accounts, snapshot.lines, snapshot.recent_days
    history = snapshot.history
    age = snapshot.as_of / DAY_SECONDS - history.day
    last = np.full(n, snapshot.horizon_days * 100, dtype=np.float64)
    np.minimum.at(last, history.account, age)
    firsts = snapshot.firsts
    return AccountFeatures(
        recency=_log(last),
        frequency=_log(np.bincount(history.account[age <= recent], minlength=n)),
        lines=_log(np.bincount(lines.account[lines.age <= recent], minlength=n)),
        novelty=_log(np.bincount(firsts.account[firsts.age <= recent], minlength=n)),
        size=_log(np.bincount(firsts.account, minlength=n)),
        all_lines=_log(np.bincount(lines.account, minlength=n)),
        price=usual_price(snapshot),
    )


def usual_price(snapshot: Snapshot) -> NDArray[np.float32]:
    """Float32 (A,): the mean logarithm of the unit prices of what an account bought."""
    n, lines = snapshot.past.n_accounts, snapshot.lines
    with np.errstate(invalid="ignore", divide="ignore"):
        price = np.log(snapshot.prices)[lines.product]
    is_priced = np.isfinite(price)
    if not is_priced.any():
        return np.zeros(n, dtype=np.float32)
    count = np.bincount(lines.account[is_priced], minlength=n)
    total = np.bincount(lines.account[is_priced], weights=price[is_priced], minlength=n)
    return np.where(count > 0, total / np.maximum(count, 1), price[is_priced].mean()).astype(np.float32)


def _log(counts: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.log1p(counts.astype(np.float64)).astype(np.float32)
