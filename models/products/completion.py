"""What completes a basket by the measures of pairs alone: what the neighbours are compared with."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.data.interactions import Interactions
from models.products.measures import Counts, confidence, cosine, lift, log_likelihood_ratio
from models.products.pairs import baskets_of, count_pairs

Measure = Callable[[Counts], NDArray[np.float64]]


@dataclass(frozen=True)
class PairScorer:
    """Adds a measure of each pair up over the basket's products.

    weights: float32 (n_products, n_products), sparse, from the product in the basket to the other.
    """

    weights: csr_matrix

    def complete(self, basket: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (n_products,): -inf for what is in the basket."""
        scores = np.asarray(self.weights[basket].sum(axis=0), dtype=np.float32).ravel()
        scores[basket] = -np.inf
        return scores


def likely_and_clear(counts: Counts) -> NDArray[np.float64]:
    """``LLR confidence``: how sure a pair is, times how likely; 0 below chance."""
    return np.where(lift(counts) > 1, log_likelihood_ratio(counts) * confidence(counts), 0)


MEASURES: dict[str, Measure] = {"cosine": cosine, "llr": likely_and_clear}


def fit_pairs(interactions: Interactions, min_together: int = 2) -> dict[str, PairScorer]:
    """Measure every pair that is together in at min_together ``min_together`` baskets."""
    pairs = count_pairs(baskets_of(interactions), min_together)
    counts = pairs.counts()
    shape = (interactions.n_products, interactions.n_products)
    source, target = np.concatenate((pairs.first, pairs.second)), np.concatenate((pairs.second, pairs.first))
    scorers: dict[str, PairScorer] = {}
    for name, measure in MEASURES.items():
        weights = np.concatenate((measure(counts), measure(counts.swapped()))).astype(np.float32)
        scorers[name] = PairScorer(csr_matrix((weights, (source, target)), shape=shape))
    return scorers
