"""Recent popularity: the fallback for new accounts, and the baseline of every other ranker."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.data.interactions import Interactions
from models.ranking.settings import RankingParameters
from models.ranking.weights import decay, guest_orders, strength_matrix


@dataclass(frozen=True)
class PopularityScorer:
    """Scores every account alike.

    popularity: float32 (n_products,), decayed numbers of buyers, >= 0.
    """

    popularity: NDArray[np.float32]
    name: str = "popularity"

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (len(rows), n_products)."""
        return np.tile(self.popularity, (len(rows), 1))

    def complete(self, basket: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (n_products,): the same for every basket, -inf for what is in it."""
        scores = self.popularity.copy()
        scores[basket] = -np.inf
        return scores


def fit_popularity(train: Interactions, as_of: int, parameters: RankingParameters) -> PopularityScorer:
    """Count the buyers of each product, an account as at most one and a guest's order as an account of its own."""
    half_life_days = parameters.popularity_half_life_days
    strength = strength_matrix(train, as_of, half_life_days)
    buyers = np.bincount(strength.indices, np.minimum(strength.data, 1), train.n_products).astype(np.float64)
    guests = guest_orders(train)
    fresh = decay(as_of - train.time[guests], half_life_days)
    buyers += np.bincount(train.product[guests], fresh, train.n_products)
    return PopularityScorer(buyers.astype(np.float32))
