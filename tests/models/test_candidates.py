"""Candidate lists hold the best products that an account does not own."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.artifact import NO_ROW
from models.candidates import list_candidates


class TableScorer:
    """Scores from a table; the reason for product j is product j - 1."""

    def __init__(self, table: NDArray[np.float32]) -> None:
        self.table = table

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        return self.table[rows].copy()

    def explain(
        self, rows: NDArray[np.int32], products: NDArray[np.int32], is_reason: NDArray[np.bool_]
    ) -> NDArray[np.int32]:
        return np.stack([products - 1, np.full_like(products, NO_ROW)], axis=2)


def test_owned_and_inactive_products_are_no_candidates() -> None:
    scorer = TableScorer(np.array([[5, 4, 3, 2], [1, 2, 3, 4]], dtype=np.float32))
    owned = csr_matrix(np.array([[1, 0, 0, 0], [0, 0, 2, 0]], dtype=np.float32))

    lists = list_candidates(scorer, owned, np.array([True, False, True, True]))

    assert lists.products.tolist() == [[2, 3, NO_ROW, NO_ROW], [3, 0, NO_ROW, NO_ROW]]
    assert lists.scores.tolist() == [[3, 2, 0, 0], [4, 1, 0, 0]]
    assert lists.owned_scores.tolist() == [5, 3]


def test_an_account_that_owns_nothing_has_no_candidates() -> None:
    scorer = TableScorer(np.ones((1, 3), dtype=np.float32))

    lists = list_candidates(scorer, csr_matrix((1, 3), dtype=np.float32), np.ones(3, dtype=np.bool_))

    assert lists.products.tolist() == [[NO_ROW] * 3]
