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
