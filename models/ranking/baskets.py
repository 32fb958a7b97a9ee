"""Basket neighbours: for each product a short list of weighted products that complete a basket, learned from orders."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.arrays import numbers_of_ranges, places_in_ranges
from models.data.interactions import Interactions
from models.ranking.product_pairs import ProductPairs, collect_pairs
from models.ranking.settings import PairExponents, RankingParameters
from models.ranking.top import NO_PRODUCT

MAX_NEIGHBOURS = 32
"""Of each product. More neighbours complete no more baskets of a later period, and scoring costs more."""


@dataclass(frozen=True)
class Neighbours:
    """For each product the ones that its presence in a basket suggests, best first.

    products: int32 (n_products, k), -1 padded.
    scores:   float32 (n_products, k), > 0, 0 where padded.
    A basket's score of a product is the sum over the basket's products of their neighbours' scores.
    """

    products: NDArray[np.int32]
    scores: NDArray[np.float32]

    def complete(self, basket: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (n_products,): the basket's scores, -inf for what is in it."""
        products, scores = self.products[basket].ravel(), self.scores[basket].ravel()
        is_listed = products != NO_PRODUCT
        total = np.bincount(products[is_listed], scores[is_listed], len(self.products)).astype(np.float32)
        total[basket] = -np.inf
        return total


def fit_neighbours(
    train: Interactions,
    as_of: int,
    parameters: RankingParameters,
    exponents: PairExponents,
    k: int = MAX_NEIGHBOURS,
) -> Neighbours:
    """Learn from all orders, guests' too, aged at ``as_of`` (local seconds), k neighbours for each product.

    exponents: learned on an earlier window, see ``learn_exponents``. k: at most ``POOL``.
    """
    return strongest_neighbours(collect_pairs(train, as_of, parameters), exponents, k)


def strongest_neighbours(pairs: ProductPairs, exponents: PairExponents, k: int = MAX_NEIGHBOURS) -> Neighbours:
    """List the k strongest pairs of each source; ties go to the lower product row."""
    strength, source = pairs.strengths(exponents), numbers_of_ranges(pairs.offsets)
    best_first = np.lexsort((pairs.target, -strength, source))
    # The sources are the slowest key of the sort, so places found before it still hold after it.
    place = places_in_ranges(np.diff(pairs.offsets))
    chosen, cells = best_first[place < k], (source[place < k], place[place < k])
    shape = (len(pairs.offsets) - 1, k)
    neighbours = Neighbours(np.full(shape, NO_PRODUCT, np.int32), np.zeros(shape, np.float32))
    neighbours.products[cells], neighbours.scores[cells] = pairs.target[chosen], strength[chosen]
    return neighbours
