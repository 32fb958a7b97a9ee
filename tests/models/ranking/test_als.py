"""ALS against the paper's normal equations."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from models.ranking.als import AlsScorer, fit_als, to_confidence
from models.ranking.settings import RankingParameters
from models.ranking.weights import strength_matrix
from tests.models.ranking.samples import AS_OF, random_interactions

PARAMETERS = RankingParameters(embedding_size=6, regularization=2, iterations=300, alpha=4)
STRENGTH = strength_matrix(random_interactions(seed=1), AS_OF, 60)


@pytest.fixture(scope="module")
def fitted() -> AlsScorer:
    return fit_als(STRENGTH, PARAMETERS)


def test_fixed_point_solves_the_normal_equations_with_confidence_one_plus_alpha_r(fitted: AlsScorer) -> None:
    r, Y = STRENGTH.toarray().astype(np.float64), fitted.product_factors.astype(np.float64)

    solved = [
        np.linalg.solve(Y.T @ np.diag(1 + 4 * row) @ Y + 2 * np.eye(6), Y.T @ ((1 + 4 * row) * (row > 0))) for row in r
    ]

    assert np.array(solved) @ Y.T == pytest.approx(fitted.score(np.arange(len(r), dtype=np.int32)), abs=2e-3)


def test_a_better_fit_than_a_few_iterations(fitted: AlsScorer) -> None:
    def loss(model: AlsScorer) -> float:
        X, Y, r = model.account_factors, model.product_factors, STRENGTH.toarray()
        error = ((1 + 4 * r) * ((r > 0) - X @ Y.T) ** 2).sum()
        return float(error + 2 * ((X**2).sum() + (Y**2).sum()))

    assert loss(fitted) < loss(fit_als(STRENGTH, replace(PARAMETERS, iterations=1)))


@pytest.mark.parametrize("threads", [1, 2])
def test_same_data_and_seed_give_the_same_bytes_whatever_the_threads(fitted: AlsScorer, threads: int) -> None:
    with threadpool_limits(threads):
        again = fit_als(STRENGTH, PARAMETERS)

    assert again.account_factors.tobytes() == fitted.account_factors.tobytes()
    assert again.product_factors.tobytes() == fitted.product_factors.tobytes()


def test_a_warm_start_leaves_the_earlier_factors_alone(fitted: AlsScorer) -> None:
    before = fitted.product_factors.copy()

    fit_als(STRENGTH, replace(PARAMETERS, seed=2), warm=fitted)

    assert np.array_equal(before, fitted.product_factors)


def test_a_warm_start_at_the_optimum_stays_there(fitted: AlsScorer) -> None:
    rows = np.arange(STRENGTH.shape[0], dtype=np.int32)

    warm = fit_als(STRENGTH, PARAMETERS, warm=fitted)

    assert warm.score(rows) == pytest.approx(fitted.score(rows), abs=2e-3)


def test_confidence_keeps_the_one_that_implicit_would_lose() -> None:
    assert to_confidence(STRENGTH, 4).data == pytest.approx(1 + 4 * STRENGTH.data)
