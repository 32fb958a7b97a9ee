"""P(the next product of a basket is a given one): learned from what completed the baskets of a later window."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from models.arrays import first_of_each, run_starts
from models.artifact import BasketChances
from models.artifact.basket_chances import N_WEIGHTS, features_of
from models.data.interactions import Interactions
from models.evaluate.baskets import HiddenProducts, hide_products
from models.evaluate.calibration import Predictions, measure
from models.evaluate.intervals import Estimate, estimate_ratio
from models.ranking.baskets import Neighbours
from models.ranking.top import NO_PRODUCT

MAX_BASKETS: Final = 2_000
RECENT_SECONDS: Final = 90 * 86_400
"""Orders from which the rate of each product is counted."""
PRIOR_ORDERS: Final = 1.0
"""Orders at the mean rate that are added to each product's count."""
MEASURED: Final = ("auc", "calibration_error", "observed_over_expected", "top_tenth_observed_over_expected")
MIN_COMPLETED: Final = 50
"""Baskets whose hidden product was among the neighbours: with fewer nothing is learned."""


@dataclass(frozen=True)
class BasketPairs:
    """What could complete n baskets, as pairs of a basket and a product that its neighbours name.

    basket: int64 (m,), ascending. features: float64 (m, F), see ``features_of``. is_hidden: bool (m,).
    n_missed: baskets whose hidden product is no neighbour. other_rates: the sum of the rates of all products that are
        neither in the basket nor among its neighbours, over all baskets.
    rates: float32 (P,), see ``order_rates``.
    """

    basket: NDArray[np.int64]
    features: NDArray[np.float64]
    is_hidden: NDArray[np.bool_]
    n_missed: int
    other_rates: float
    rates: NDArray[np.float32]

    def predictions(self, chances: BasketChances) -> Predictions:
        """Return the probability of each pair with what happened; intervals draw baskets."""
        _, number = np.unique(self.basket, return_inverse=True)
        return Predictions(chances.of_neighbours(self.features).astype(np.float64), self.is_hidden, number)


def order_rates(orders: Interactions, as_of: int) -> NDArray[np.float32]:
    """Return float32 (P,): the share of the orders of the last 90 days that hold each product, shrunk to the mean."""
    is_recent = (orders.quantity > 0) & (orders.time >= as_of - RECENT_SECONDS)
    lines = np.flatnonzero(is_recent)
    lines = lines[first_of_each(orders.order[lines], orders.product[lines])]
    n_orders = len(np.unique(orders.order[lines]))
    counts = np.bincount(orders.product[lines], minlength=orders.n_products)
    mean = counts.sum() / max(orders.n_products, 1) / max(n_orders, 1)
    return np.asarray((counts + PRIOR_ORDERS * mean) / (n_orders + PRIOR_ORDERS), dtype=np.float32)


def describe_baskets(neighbours: Neighbours, rates: NDArray[np.float32], baskets: HiddenProducts) -> BasketPairs:
    """Score what could complete each basket, as the service does."""
    n_baskets, n_products = len(baskets.hidden), len(rates)
    basket = np.repeat(np.arange(n_baskets), np.diff(baskets.ends, prepend=0))
    inside = csr_matrix((np.ones(len(basket)), (basket, baskets.rest)), (n_baskets, n_products))
    is_listed = neighbours.products != NO_PRODUCT
    entries = neighbours.scores[is_listed], (np.nonzero(is_listed)[0], neighbours.products[is_listed])
    scores = (inside @ csr_matrix(entries, (n_products, n_products))).tocoo()
    is_new = ~np.isin(scores.row.astype(np.int64) * n_products + scores.col, basket * n_products + baskets.rest)
    order = np.lexsort((scores.col[is_new], scores.row[is_new]))
    owner, product = scores.row[is_new][order].astype(np.int64), scores.col[is_new][order]
    size = np.diff(baskets.ends, prepend=0)
    is_hidden = product == baskets.hidden[owner]
    known = rates[product].sum() + rates[baskets.rest].sum()
    return BasketPairs(
        owner,
        features_of(scores.data[is_new][order], rates[product], size[owner]),
        is_hidden,
        n_baskets - int(is_hidden.sum()),
        float(n_baskets * rates.sum(dtype=np.float64) - known),
        rates,
    )


def basket_pairs(
    neighbours: Neighbours, learned: Interactions, window: Interactions, start: int, seed: int
) -> BasketPairs:
    """Describe the baskets of a window after the one that neighbours were learned from.

    start: where the window begins, local seconds.
    """
    baskets = hide_products(window, learned.is_sold, MAX_BASKETS, seed)
    return describe_baskets(neighbours, order_rates(learned, start), baskets)


def learn_basket_chances(pairs: BasketPairs) -> BasketChances:
    """Fit a logistic model; where too few baskets were completed by neighbours, nothing is learned."""
    if pairs.is_hidden.sum() < MIN_COMPLETED:
        return BasketChances.unlearned(len(pairs.rates))
    model = LogisticRegression(C=np.inf, max_iter=200)
    with threadpool_limits(1):
        model.fit(pairs.features, pairs.is_hidden)
    weights = np.empty(N_WEIGHTS, dtype=np.float32)
    weights[:-1] = (*model.coef_[0], model.intercept_[0])
    weights[-1] = pairs.n_missed / pairs.other_rates
    return BasketChances(weights, pairs.rates)


def measure_basket_chances(chances: BasketChances, pairs: BasketPairs, seed: int) -> dict[str, Estimate]:
    """Measure the probabilities on the baskets of a later window, and those of the first product of each basket.

    Empty where nothing was learned, or nothing completed. Intervals are over baskets.
    """
    if not chances.has_any or not pairs.is_hidden.any():
        return {}
    predicted = pairs.predictions(chances)
    measured = {name: estimate for name, estimate in measure(predicted, seed).items() if name in MEASURED}
    first = np.lexsort((-predicted.p, pairs.basket))[np.flatnonzero(run_starts(pairs.basket))]
    is_first_bought = pairs.is_hidden[first].astype(np.float64)
    return measured | {"first_observed_over_expected": estimate_ratio(is_first_bought, predicted.p[first], seed)}
