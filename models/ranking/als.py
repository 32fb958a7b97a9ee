"""Matrix factorisation of implicit feedback by alternating least squares, fitted by the implicit library."""

from dataclasses import dataclass

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models.ranking.settings import RankingParameters


@dataclass(frozen=True)
class AlsScorer:
    """Scores by the inner product of an account's and a product's factors.

    account_factors: float32 (n_accounts, embedding_size).
    product_factors: float32 (n_products, embedding_size).
    confidence:      float32 (n_accounts, n_products), sparse: 1 + alpha * strength of what is owned.
    """

    account_factors: NDArray[np.float32]
    product_factors: NDArray[np.float32]
    confidence: csr_matrix
    regularization: float
    name: str = "als"

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (len(rows), n_products)."""
        scores: NDArray[np.float32] = self.account_factors[rows] @ self.product_factors.T
        return scores


def to_confidence(strength: csr_matrix, alpha: float) -> csr_matrix:
    """Weigh what is owned as ``1 + alpha * strength``.

    implicit takes the confidence itself: its own ``alpha`` would multiply the data and lose the 1.
    Source: Hu, Koren, Volinsky (ICDM 2008).
    """
    return csr_matrix((1 + np.float32(alpha) * strength.data, strength.indices, strength.indptr), strength.shape)


def fit_als(
    strength: csr_matrix, parameters: RankingParameters, warm: AlsScorer | None = None, iterations: int | None = None
) -> AlsScorer:
    """Factorise the strengths, shape (n_accounts, n_products).

    warm: factors of an earlier fit with the same rows, which saves iterations. iterations: in place of the parameters'.
    The same strengths, parameters and warm start give the same bytes on any number of threads: each row is solved by
    itself, and BLAS is held to one thread.
    """
    confidence = to_confidence(strength, parameters.alpha)
    # Creating the model warns of a threaded BLAS, so the limit has to stand around that too.
    with threadpool_limits(1, user_api="blas"):
        model = AlternatingLeastSquares(
            factors=parameters.embedding_size,
            regularization=parameters.regularization,
            alpha=1.0,
            iterations=iterations or parameters.iterations_of_fit(is_warm=warm is not None),
            random_state=parameters.seed,
        )
        if warm is not None:
            model.user_factors, model.item_factors = warm.account_factors.copy(), warm.product_factors.copy()
        model.fit(confidence, show_progress=False)
    return AlsScorer(model.user_factors, model.item_factors, confidence, parameters.regularization)
