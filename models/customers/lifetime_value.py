"""Lifetime value: P(active), expected purchases and money, with intervals; or why they can't be estimated."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.customers.buying import BuyingModel, fit_buying
from models.customers.errors import NotEstimable
from models.customers.history import PurchaseHistory
from models.customers.spending import SpendingModel, fit_spending

Array = NDArray[np.float64]

YEAR_DAYS: Final = 365.0
NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)
DRAWS: Final = 100
BLOCK: Final = 5_000
INTERVAL: Final = (0.1, 0.9)
"""Quantiles of the 80 % interval."""


@dataclass(frozen=True)
class ValueParameters:
    """How value is estimated.

    horizons_days: for which periods purchases are expected. value_days: how far lifetime value looks ahead.
    annual_rate: at which future money is discounted. min_gaps, max_spread: an account with at least so many gaps
    between purchases, and a standard deviation of at most this share of their mean, looks contractual.
    """

    horizons_days: tuple[float, ...] = (30, 90, 365)
    value_days: int = 3 * 365
    annual_rate: float = 0.1
    min_gaps: int = 4
    max_spread: float = 0.2
    seed: int = 0


@dataclass(frozen=True)
class AccountValue:
    """One entry per account; NaN without a purchase or without a model.

    is_alive:        float32 (A,), P(still active).
    purchases:       float32 (A, H), expected number of purchases within each of the horizons.
    spend:           float32 (A,), expected minor units per purchase; NaN also where no money of the account is known.
    value:           float32 (A, 3), minor units that will be spent within ``value_days``, discounted: expected, and the
                     80 % interval. That covers chance in one account, not the uncertainty of the model's parameters.
    is_contractual:  bool (A,), buys at regular intervals, as by a contract or a subscription: the model, which assumes
                     random purchases, does not describe it. Its figures are kept, and labelled.
    buying, spending: the models, or None. notes: why one is missing.
    """

    is_alive: NDArray[np.float32]
    purchases: NDArray[np.float32]
    spend: NDArray[np.float32]
    value: NDArray[np.float32]
    is_contractual: NDArray[np.bool_]
    buying: BuyingModel | None
    spending: SpendingModel | None
    notes: list[str] = field(default_factory=list)


def estimate_value(
    history: PurchaseHistory, parameters: ValueParameters, *, has_intervals: bool = True
) -> AccountValue:
    """Fit both models on all accounts that bought, and estimate each account's value.

    has_intervals: whether to estimate intervals of the value, which takes most of the time.
    """
    n = len(history.n_purchases)
    bought = history.has_bought
    x, last, age = (a[bought].astype(np.float64) for a in (history.n_repeat, history.last_days, history.age_days))
    made = AccountValue(
        is_alive=np.full(n, np.nan, dtype=np.float32),
        purchases=np.full((n, len(parameters.horizons_days)), np.nan, dtype=np.float32),
        spend=np.full(n, np.nan, dtype=np.float32),
        value=np.full((n, 3), np.nan, dtype=np.float32),
        is_contractual=is_contractual(history, parameters),
        buying=None,
        spending=None,
    )
    notes: list[str] = []
    try:
        buying = fit_buying(x, last, age)
    except NotEstimable as error:
        return AccountValue(**{**vars(made), "notes": [f"purchases ahead are unknown: {error}"]})
    made.is_alive[bought] = buying.is_alive(x, last, age)
    for place, days in enumerate(parameters.horizons_days):
        made.purchases[bought, place] = buying.expected_purchases(days, x, last, age)
    spending = None
    try:
        valued = history.n_valued[bought].astype(np.float64)
        spending = fit_spending(valued, history.mean_spend[bought])
    except NotEstimable as error:
        notes.append(f"money ahead is unknown: {error}")
    if spending is not None:
        mean_spend = history.mean_spend[bought]
        spend = spending.expected_spend(valued, mean_spend)
        spend = np.where(history.is_money_known[bought], spend, np.nan)
        made.spend[bought] = spend
        made.value[bought, 0] = spend * discounted_purchases(buying, parameters, x, last, age)
        if has_intervals:
            intervals = value_intervals(buying, spending, parameters, x, last, age, mean_spend, valued)
            made.value[bought, 1:] = np.where(np.isnan(spend)[:, None], np.nan, intervals)
    return AccountValue(**{**vars(made), "buying": buying, "spending": spending, "notes": notes})


def discounted_purchases(buying: BuyingModel, parameters: ValueParameters, x: Array, last: Array, age: Array) -> Array:
    """Expected purchases within ``value_days``, each discounted from its day on.

    The integral of exp(-d t) over the rise of expected purchases E(t), by parts:
    exp(-d H) E(H) + d * integral of exp(-d t) E(t), by Gauss and Legendre's rule.
    """
    horizon = float(parameters.value_days)
    daily = np.log1p(parameters.annual_rate) / YEAR_DAYS
    total = np.exp(-daily * horizon) * buying.expected_purchases(horizon, x, last, age)
    if daily:
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            days = float(horizon * (node + 1) / 2)
            share = daily * weight * horizon / 2 * np.exp(-daily * days)
            total = total + share * buying.expected_purchases(days, x, last, age)
    return np.asarray(total)


def value_intervals(
    buying: BuyingModel,
    spending: SpendingModel,
    parameters: ValueParameters,
    x: Array,
    last: Array,
    age: Array,
    mean_spend: Array,
    valued: Array | None = None,
) -> Array:
    """Return (n, 2): the 80 % interval of each account's discounted spend.

    Drawn from both models' posteriors of the account: whether it is active, its rate, leaving probability and mean
    spend. With these, the number of purchases is the lesser of a Poisson and a geometric number. A purchase is
    discounted as the mean one is. Accounts are drawn in blocks, each from its place and the seed.
    valued: how many of the x repeat purchases ``mean_spend`` is the mean of; None for all of them.
    """
    discount = discounted_purchases(buying, parameters, x, last, age) / np.maximum(
        buying.expected_purchases(float(parameters.value_days), x, last, age), np.finfo(float).tiny
    )
    is_alive = buying.is_alive(x, last, age)
    answer = np.empty((len(x), 2))
    valued = x if valued is None else valued
    is_known = (valued > 0) & (mean_spend > 0)
    repeats, spend_known = np.where(is_known, valued, 0.0), np.where(is_known, mean_spend, 0.0)

    def draw(begin: int) -> None:
        rows = slice(begin, begin + BLOCK)
        random = np.random.default_rng((parameters.seed, begin))
        total = np.zeros((len(x[rows]), DRAWS))
        # The spend of accounts that have left or buy nothing is not drawn, which saves half of the work.
        drawn = np.flatnonzero(random.random(total.shape) < is_alive[rows, None])
        account = begin + drawn // DRAWS
        rate = random.standard_gamma(buying.r + x[account]) / (buying.alpha + age[account])
        bought = random.poisson(rate * parameters.value_days)
        drawn, account, bought = (column[bought > 0] for column in (drawn, account, bought))
        leaving = random.beta(buying.a, buying.b + x[account])
        bought = np.minimum(bought, random.geometric(np.clip(leaving, 1e-12, 1.0)))
        known, spent = repeats[account], spend_known[account]
        scale = random.standard_gamma(spending.q + spending.p * known)
        mean = spending.p * (spending.gamma + known * spent) / scale
        # Of a sum of purchases, each gamma distributed with shape p around the account's mean.
        total.flat[drawn] = random.standard_gamma(np.maximum(spending.p * bought, 1e-9)) * mean / spending.p
        answer[rows] = np.quantile(total * discount[rows, None], INTERVAL, axis=1).T

    with ThreadPoolExecutor() as pool:
        list(pool.map(draw, range(0, len(x), BLOCK)))
    return answer


def is_contractual(history: PurchaseHistory, parameters: ValueParameters) -> NDArray[np.bool_]:
    """Find accounts that buy at intervals too regular for chance, which gives a relative spread of about 1."""
    with np.errstate(invalid="ignore", divide="ignore"):
        is_regular = history.gap_spread / history.gap_days <= parameters.max_spread
    return np.asarray((history.n_repeat >= parameters.min_gaps) & is_regular)
