"""What was known of accounts and products at a moment: nothing that came after it."""

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
from models.propensity.calibration import NoveltyRate

RECENT_SHARE = 3
"""What is recent: the last third of a horizon."""
N_SEGMENTS = len(RFM_SEGMENTS)


@dataclass(frozen=True)
class Moment:
    """A history cut off at ``as_of`` (epoch seconds), to foretell the ``horizon_days`` after it."""

    past: Interactions
    products: Products
    facts: AccountFacts
    as_of: int
    horizon_days: float

    @property
    def recent_days(self) -> float:
        """How many days before the moment are recent; purchases are told by the day, so at least one."""
        return max(self.horizon_days / RECENT_SHARE, 1.0)

    @cached_property
    def lines(self) -> "Lines":
        """What known accounts bought, line by line."""
        past = self.past
        which = past.is_known & (past.quantity > 0)
        age = (self.as_of - past.time[which]) / DAY_SECONDS
        return Lines(past.account[which], past.product[which], age.astype(np.float32), past.amount_minor[which])

    @cached_property
    def firsts(self) -> "Firsts":
        """What accounts bought for the first time."""
        found: FirstPurchases = first_purchases(self.past)
        product = numbers_of_ranges(found.starts, np.int32)
        return Firsts(found.account, product, (self.as_of / DAY_SECONDS - found.day).astype(np.float32))

    @cached_property
    def prices(self) -> NDArray[np.float64]:
        """Float64 (P,), minor units per unit, NaN where nothing tells."""
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
    def accounts(self) -> "Accounts":
        """How much, how often and how lately each account bought."""
        return describe_accounts(self)

    @cached_property
    def was_here(self) -> NDArray[np.bool_]:
        """Bool (A,): accounts that had bought before what is recent, as those of the candidates have before it all."""
        oldest = np.zeros(self.past.n_accounts, dtype=np.float32)
        np.maximum.at(oldest, self.firsts.account, self.firsts.age)
        return np.asarray(oldest > self.recent_days)

    def tide(self, per_account: float) -> NoveltyRate:
        """First purchases of late of accounts that were here: how much of what is bought is new to who buys it.

        per_account: how many products each could have bought. What new accounts begin with is left out, or the tide
        would rise with their number.
        """
        is_recent = self.firsts.age <= self.recent_days
        firsts = (is_recent & self.was_here[self.firsts.account]).sum()
        return NoveltyRate(float(firsts), float(self.was_here.sum() * per_account))


@dataclass(frozen=True)
class Lines:
    """One entry per line: whose, what, how many days ago (float32), and for how much (int64, minor units)."""

    account: NDArray[np.int32]
    product: NDArray[np.int32]
    age: NDArray[np.float32]
    amount: NDArray[np.int64]


@dataclass(frozen=True)
class Firsts:
    """One entry per account and product that it ever bought: how many days ago for the first time (float32)."""

    account: NDArray[np.int32]
    product: NDArray[np.int32]
    age: NDArray[np.float32]


@dataclass(frozen=True)
class Accounts:
    """One entry per account, float32. Logarithms of one plus the number, so that twice as much is one step more.

    recency:   of days since the last purchase. frequency: of days with a purchase of late. lines: of order lines of
               late. novelty: of products first bought of late.
    price:     mean logarithm of the unit prices that it paid, that of all where it paid none.
    """

    recency: NDArray[np.float32]
    frequency: NDArray[np.float32]
    lines: NDArray[np.float32]
    novelty: NDArray[np.float32]
    price: NDArray[np.float32]


def describe_accounts(moment: Moment) -> Accounts:
    """Count what each account bought, and when."""
    n, lines, recent = moment.past.n_accounts, moment.lines, moment.recent_days
    history = moment.history
    age = moment.as_of / DAY_SECONDS - history.day
    last = np.full(n, moment.horizon_days * 100, dtype=np.float64)
    np.minimum.at(last, history.account, age)
    firsts = moment.firsts
    return Accounts(
        recency=_log(last),
        frequency=_log(np.bincount(history.account[age <= recent], minlength=n)),
        lines=_log(np.bincount(lines.account[lines.age <= recent], minlength=n)),
        novelty=_log(np.bincount(firsts.account[firsts.age <= recent], minlength=n)),
        price=usual_price(moment),
    )


def usual_price(moment: Moment) -> NDArray[np.float32]:
    """Float32 (A,): the mean logarithm of the unit prices of what an account bought."""
    n, lines = moment.past.n_accounts, moment.lines
    with np.errstate(invalid="ignore", divide="ignore"):
        price = np.log(moment.prices)[lines.product]
    told = np.isfinite(price)
    if not told.any():
        return np.zeros(n, dtype=np.float32)
    count = np.bincount(lines.account[told], minlength=n)
    total = np.bincount(lines.account[told], weights=price[told], minlength=n)
    return np.where(count > 0, total / np.maximum(count, 1), price[told].mean()).astype(np.float32)


def _log(counts: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.log1p(counts.astype(np.float64)).astype(np.float32)
