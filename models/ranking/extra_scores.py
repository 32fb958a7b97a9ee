"""Extra scores as a ranker: what another system gave each pair of account and product."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class ExtraScorer:
    """Scores by a table. They do not depend on a window: whatever was given counts for each.

    scores: float32 (n_accounts, n_products), sparse, >= 0; what is not stored scores 0.
    """

    scores: csr_matrix
    name: str = "extra-scores"

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (len(rows), n_products)."""
        scores: NDArray[np.float32] = self.scores[rows].toarray()
        return scores
