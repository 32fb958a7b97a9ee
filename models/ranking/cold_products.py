"""Cold products: sold for so short a time that what they are says more of their buyers than their sales do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.preprocessing import normalize

from models.data.interactions import Interactions
from models.data.split import DAY_SECONDS

COLD_DAYS = 60
"""A product that was first sold within so many days is cold."""
PRIOR_DAYS = 7
"""Days without a sale that are added to each product's, so that one sale of yesterday is no trend."""
MAX_COLD = 1_000
"""So many, those that sell fastest, can become candidates."""


@dataclass(frozen=True)
class ColdProducts:
    """Scores cold products by how much they resemble what an account owns, times their sales per day.

    products: int32 (n,), ascending. velocity: float32 (n,), sales per day since the first. vectors: float32 (n, d).
    profiles: float32 (A, d), the direction of what each account owns.
    """

    products: NDArray[np.int32]
    velocity: NDArray[np.float32]
    vectors: NDArray[np.float32]
    profiles: NDArray[np.float32]

    @classmethod
    def from_past(
        cls,
        past: Interactions,
        as_of: int,
        is_offerable: NDArray[np.bool_],
        strength: csr_matrix,
        vectors: NDArray[np.float32],
    ) -> "ColdProducts":
        """Find what was first sold shortly before ``as_of`` (local seconds).

        strength: (A, P), of what each account owns. vectors: (P, d), see ``content_vectors``.
        """
        is_cold = past.is_sold & is_offerable & (past.first_sold >= as_of - COLD_DAYS * DAY_SECONDS)
        cold = np.flatnonzero(is_cold)
        days = (as_of - past.first_sold[cold]) / DAY_SECONDS + PRIOR_DAYS
        velocity = np.bincount(past.product[past.quantity > 0], minlength=past.n_products)[cold] / days
        fastest = np.sort(np.argsort(-velocity, kind="stable")[:MAX_COLD])
        cold = cold[fastest]
        profiles = normalize(np.asarray(strength @ vectors, dtype=np.float32))
        return cls(cold.astype(np.int32), velocity[fastest].astype(np.float32), vectors[cold], profiles)

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (len(rows), n), at least 0. Where nothing is known of any product, sales alone count."""
        if not self.vectors.any():
            return np.tile(self.velocity, (len(rows), 1))
        scores: NDArray[np.float32] = np.maximum(self.profiles[rows] @ self.vectors.T, 0) * self.velocity
        return scores
