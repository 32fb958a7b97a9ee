"""Neighbours against a regression of each product on the others."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.ranking.baskets import Neighbours, fit_neighbours, regression_weights
from models.ranking.settings import RankingParameters
from tests.models.histories import START, make_history
from tests.models.ranking.samples import AS_OF, random_interactions

HISTORY = random_interactions(seed=4)
PARAMETERS = RankingParameters(basket_regularization=3)


def random_matrix(shape: tuple[int, int], density: float, seed: int) -> csr_matrix:
    rng = np.random.default_rng(seed)
    return csr_matrix(np.where(rng.random(shape) < density, rng.random(shape), 0).astype(np.float32))


def test_one_inverse_gives_each_column_its_ridge_regression_on_the_others() -> None:
    matrix = random_matrix((30, 8), density=0.4, seed=0)
    X = matrix.toarray().astype(np.float64)

    weights = regression_weights(matrix, regularization=2)

    for j in range(8):
        others = np.delete(X, j, axis=1)
        slopes = np.linalg.solve(others.T @ others + 2 * np.eye(7), others.T @ X[:, j])
        assert weights[:, j] == pytest.approx(np.insert(slopes, j, 0), abs=1e-4)


def test_the_primal_inverse_agrees_with_the_dual_one() -> None:
    """X (X'X + l I)^-1 = (X X' + l I)^-1 X: the same regression through the orders instead of the products."""
    matrix = random_matrix((12, 30), density=0.3, seed=1)
    X, ridge = matrix.toarray().astype(np.float64), 1.5

    inverse = (np.eye(30) - X.T @ np.linalg.solve(X @ X.T + ridge * np.eye(12), X)) / ridge

    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    assert regression_weights(matrix, ridge) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("dense_products", [0, 6_000])
def test_lists_hold_the_largest_positive_weights_best_first(dense_products: int) -> None:
    parameters = replace(PARAMETERS, dense_products=dense_products)

    full = fit_neighbours(HISTORY, AS_OF, parameters, k=25)
    short = fit_neighbours(HISTORY, AS_OF, parameters, k=4)

    assert np.array_equal(short.products, full.products[:, :4])
    assert np.array_equal(short.scores, full.scores[:, :4])
    assert (np.diff(full.scores) <= 0).all()
    assert ((full.scores > 0) == (full.products >= 0)).all()
    assert (full.products != np.arange(25)[:, None]).all()


@pytest.mark.parametrize("dense_products", [0, 6_000])
def test_neighbours_are_learnt_from_guests_and_not_from_returns(dense_products: int) -> None:
    lines = [(None, str(i), product, i, 1.0) for i in range(9) for product in ("p", "q")]
    returned = [("a", f"r{i}", product, i, -1.0) for i in range(9) for product in ("p", "s")]
    interactions = make_history([*lines, *returned]).interactions
    row = {name: position for position, name in enumerate(interactions.product_ids)}

    neighbours = fit_neighbours(interactions, START, replace(PARAMETERS, dense_products=dense_products), k=2)

    assert neighbours.products[row["p"]].tolist() == [row["q"], -1]
    assert neighbours.products[row["s"]].tolist() == [-1, -1]


def test_a_basket_adds_up_its_products_and_leaves_them_out() -> None:
    products = np.array([[2, 1], [2, -1], [0, -1], [-1, -1]], dtype=np.int32)
    scores = np.array([[0.5, 0.2], [0.25, 0], [0.1, 0], [0, 0]], dtype=np.float32)

    total = Neighbours(products, scores).complete(np.array([0, 1], dtype=np.int32))

    assert total.tolist() == [-np.inf, -np.inf, 0.5 + 0.25, 0]
