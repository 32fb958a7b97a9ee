"""How much of a score each owned product is responsible for."""

import numpy as np
from numpy.typing import NDArray

from models.ranking.als import AlsScorer
from models.ranking.weights import row_slice


class AlsContributions:
    """Splits an ALS score over the owned products: ``y_j' W_u y_i c_ui`` with ``W_u = (Y' C_u Y + lambda I)^-1``.

    Source: Hu, Koren, Volinsky (ICDM 2008), section 5.
    """

    def __init__(self, scorer: AlsScorer) -> None:
        self.scorer = scorer
        Y = scorer.product_factors.astype(np.float64)
        self._base = Y.T @ Y + scorer.regularization * np.eye(Y.shape[1])
        self._factors = Y
        self._solved = np.linalg.solve(self._base, Y.T).T

    def of(self, row: np.int32, owned: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (len(candidates), len(owned)); ``owned`` is all that the account holds."""
        confidence = row_slice(self.scorer.confidence, row).astype(np.float64)
        solve = self._by_products if len(owned) < self._base.shape[0] else self._by_factors
        share: NDArray[np.float32] = (solve(owned, candidates, confidence) * confidence).astype(np.float32)
        return share

    def _by_factors(
        self, owned: NDArray[np.int32], candidates: NDArray[np.int32], confidence: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        Y = self._factors[owned]
        inverse_of = self._base + Y.T @ ((confidence - 1)[:, None] * Y)
        share: NDArray[np.float64] = (Y @ np.linalg.solve(inverse_of, self._factors[candidates].T)).T
        return share

    def _by_products(
        self, owned: NDArray[np.int32], candidates: NDArray[np.int32], confidence: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The same by Woodbury's identity, a system as large as the account's history: most accounts hold little."""
        Y: NDArray[np.float64] = self._factors[owned]
        extra = 1 / (confidence - 1)
        system = self._solved[owned] @ Y.T
        system[np.diag_indices_from(system)] += extra
        share: NDArray[np.float64] = np.linalg.solve(system.T, Y @ self._solved[candidates].T).T * extra
        return share


def strongest(share: NDArray[np.float32], owned: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Return int32 (len(share), count): the owned products with the largest positive shares, -1 padded.

    share: (n_candidates, n_owned). Ties go to the lower product row.
    """
    order = np.argsort(-share, axis=1, kind="stable")[:, :count]
    found = np.full((len(share), count), -1, dtype=np.int32)
    is_positive = np.take_along_axis(share, order, axis=1) > 0
    found[:, : order.shape[1]] = np.where(is_positive, owned[order], -1)
    return found
