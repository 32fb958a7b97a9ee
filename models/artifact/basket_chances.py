"""How likely a product is to be the next one in a basket."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Final, Self

import numpy as np
from numpy.typing import NDArray

from models.artifact.dimensions import PRODUCTS
from models.artifact.sections import Section, Shape

N_FEATURES: Final = 4
N_WEIGHTS: Final = N_FEATURES + 2
"""Of each feature, the intercept, and what rates of products that are no neighbours are multiplied by."""
LEAST: Final = 1e-9


@dataclass(frozen=True)
class BasketChances(Section):
    """P(the next product that is put into a basket is a given one). NaN where nothing was learned.

    weights: see N_WEIGHTS. rates: share of recent orders that hold each product.
    """

    weights: Annotated[NDArray[np.float32], Shape(N_WEIGHTS, empty=np.nan)]
    rates: Annotated[NDArray[np.float32], Shape(PRODUCTS, empty=np.nan)]

    @classmethod
    def unlearned(cls, n_products: int) -> Self:
        """The section where nothing was learned."""
        return cls.empty({PRODUCTS: n_products})

    @cached_property
    def has_any(self) -> bool:
        """Whether anything was learned."""
        return not bool(np.isnan(self.weights[0]))

    def of_neighbours(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return float64 (m,): P of products that the basket's neighbours name. features: see ``features_of``."""
        score = features @ self.weights[:N_FEATURES].astype(np.float64) + float(self.weights[N_FEATURES])
        return np.asarray(1 / (1 + np.exp(-score)))

    def of_others(self, products: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return float64 (m,): P of products that no neighbour names."""
        return np.minimum(self.rates[products].astype(np.float64) * float(self.weights[-1]), 1)


def features_of(
    scores: NDArray[np.float64], rates: NDArray[np.float32], sizes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return float64 (m, N_FEATURES): what the chance of a product to be next in a basket follows from.

    scores: (m,), the basket's, > 0. rates: (m,), of the products. sizes: (m,), products in the basket.
    """
    log_score = np.log(np.maximum(scores, LEAST))
    return np.stack((log_score, np.square(log_score), np.log(np.maximum(rates, LEAST)), np.log(sizes)), axis=1)
