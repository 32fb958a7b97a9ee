"""Scores of pairs of an account and a product that another system made, to be blended with those of the rankers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

MAX_SCORE = 1e30


@dataclass(frozen=True)
class ExtraScores:
    """What a file of scores holds of the accounts and products of a history.

    scores:  float32 (n_accounts, n_products), sparse, from 0 to 1: shares of the highest score. What was not given is
             0, and where scores are below 0 as little as the lowest of them.
    sha256:  of the file, in hexadecimal.
    left_out: rows of accounts and of products that the history does not know; a row of neither counts for the account.
    """

    scores: csr_matrix
    sha256: str
    left_out: dict[str, int]

    @classmethod
    def from_pairs(
        cls,
        account: NDArray[np.int32],
        product: NDArray[np.int32],
        score: NDArray[np.float64],
        shape: tuple[int, int],
        sha256: str,
        left_out: dict[str, int],
    ) -> "ExtraScores":
        """Scale scores. account, product, score: (n,), of distinct pairs, finite, at most MAX_SCORE from 0."""
        low = score.min(initial=0.0)
        high = score.max(initial=low)
        scaled = (score - low) / (high - low) if high > low else np.zeros(len(score))
        scores = csr_matrix((scaled.astype(np.float32), (account, product)), shape=shape)
        scores.sort_indices()
        return cls(scores, sha256, left_out)

    def describe(self) -> dict[str, Any]:
        """The file for the report."""
        return {"sha256": self.sha256, "pairs": int(self.scores.nnz), **self.left_out}
