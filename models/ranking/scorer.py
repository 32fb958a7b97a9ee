"""What every ranker can do."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Scorer(Protocol):
    """Scores all products for some accounts; a higher score ranks first, and only the order has a meaning."""

    @property
    def name(self) -> str:
        """Kebab-case, for reports."""

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return finite float32 (len(rows), n_products) that the caller may write into."""


class AdditiveScorer(Scorer, Protocol):
    """A scorer whose score is a sum over the products that an account owns."""

    def contributions(self, rows: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (m, K, n) for accounts (m,) and candidates (m, K): what each owned product adds to a score.

        candidates: -1 padded; what stands there for padding means nothing.
        n is the longest history of the accounts; the others are padded with 0.
        """
