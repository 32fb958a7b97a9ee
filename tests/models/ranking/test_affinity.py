"""Affinity against its formula written out."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.ranking import affinity
from models.ranking.affinity import fit_affinity
from models.ranking.settings import RankingParameters
from models.ranking.weights import strength_matrix
from tests.models.ranking.samples import AS_OF, random_interactions

PARAMETERS = RankingParameters(account_discount=0.7, product_discount=0.4, least_support=1.5)
STRENGTH = strength_matrix(random_interactions(seed=2), AS_OF, 100)


def written_out(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """B_ij of the docstring, one pair at a time."""
    d_account, d_product = np.maximum(x.sum(1), 1.5), np.maximum(x.sum(0), 1.5)
    B = np.zeros((x.shape[1], x.shape[1]))
    for i in range(len(B)):
        for j in range(len(B)):
            if i != j:
                shared = sum(x[v, i] * d_account[v] ** -0.7 * x[v, j] for v in range(len(x)))
                B[i, j] = d_product[i] ** -0.4 * shared * d_product[j] ** -0.4
    return B


@pytest.mark.parametrize("dense_from", [0, 2])
def test_scores_are_the_sum_over_what_the_account_owns(dense_from: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(affinity, "DENSE_FROM", dense_from)
    x = np.minimum(STRENGTH.toarray().astype(np.float64), 1)
    rows = np.array([5, 0, 17], dtype=np.int32)

    scores = fit_affinity(STRENGTH, PARAMETERS).score(rows)

    assert scores.dtype == np.float32
    assert scores == pytest.approx(x[rows] @ written_out(x), abs=1e-5)


def test_more_discount_of_products_lowers_the_popular_against_the_rare() -> None:
    buyers = np.asarray((STRENGTH > 0).sum(0)).ravel()
    rows = np.arange(STRENGTH.shape[0], dtype=np.int32)

    def popularity_of_scores(discount: float) -> float:
        scores = fit_affinity(STRENGTH, replace(PARAMETERS, product_discount=discount)).score(rows)
        return float(np.corrcoef(scores.sum(0), buyers)[0, 1])

    assert popularity_of_scores(0.8) < popularity_of_scores(0.1)
