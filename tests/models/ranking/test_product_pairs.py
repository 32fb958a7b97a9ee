"""Figures of pairs against counts by hand, and regression weights against a regression of each product."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.ranking import product_pairs
from models.ranking.product_pairs import MIN_FIGURE, collect_pairs, regression_weights
from models.ranking.settings import PairExponents, RankingParameters
from tests.models.histories import DAY, START, make_history
from tests.models.ranking.samples import AS_OF, random_interactions

PARAMETERS = RankingParameters(basket_half_life_days=30, basket_pair_discount=0.5, basket_regularization=3)
LINES = [
    *((None, order, product, 0, 1) for order in ("1", "2") for product in ("p", "q")),
    *((None, "3", product, 30, 1) for product in ("p", "q", "r", "s")),
    *((None, "4", product, 30, 1) for product in ("r", "s")),
]


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


def test_figures_are_weights_of_orders_by_age_and_size() -> None:
    interactions = make_history(LINES).interactions
    row = {name: position for position, name in enumerate(interactions.product_ids)}

    pairs = collect_pairs(interactions, START + 30 * DAY, PARAMETERS)

    begin, end = pairs.offsets[row["p"]], pairs.offsets[row["p"] + 1]
    of_target = dict(zip(pairs.target[begin:end].tolist(), np.exp(pairs.features[begin:end]), strict=True))
    old, large, new = 0.5 * 2**-0.5, 4**-0.5, 2**-0.5
    assert of_target[row["q"]][:3] == pytest.approx([2 * old + large] * 3)
    assert of_target.get(row["r"], [large])[0] == pytest.approx(large)
    begin, end = pairs.offsets[row["r"]], pairs.offsets[row["r"] + 1]
    of_target = dict(zip(pairs.target[begin:end].tolist(), np.exp(pairs.features[begin:end]), strict=True))
    assert of_target[row["s"]][:3] == pytest.approx([large + new] * 3)


def test_pairs_that_are_seen_once_and_are_not_regressed_are_left_out() -> None:
    interactions = make_history(LINES).interactions
    row = {name: position for position, name in enumerate(interactions.product_ids)}

    pairs = collect_pairs(interactions, START, replace(PARAMETERS, dense_products=0, regressed_products=1))

    assert pairs.target[pairs.offsets[row["p"]] : pairs.offsets[row["p"] + 1]].tolist() == [row["q"]]
    assert np.exp(pairs.features[:, 3]) == pytest.approx(MIN_FIGURE)


def test_pairs_do_not_depend_on_the_size_of_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    interactions = random_interactions(seed=5)

    whole = collect_pairs(interactions, AS_OF, PARAMETERS)
    monkeypatch.setattr(product_pairs, "STEPS_PER_CHUNK", 300)
    chunked = collect_pairs(interactions, AS_OF, PARAMETERS)

    assert np.array_equal(whole.offsets, chunked.offsets)
    assert np.array_equal(whole.target, chunked.target)
    assert chunked.features == pytest.approx(whole.features, abs=1e-5)


def test_a_strength_is_the_product_of_powers_and_the_largest_is_1() -> None:
    pairs = collect_pairs(random_interactions(seed=5), AS_OF, PARAMETERS)
    exponents = PairExponents(together=2, source=-1, target=-0.5, regression=0.25)

    strengths = pairs.strengths(exponents)

    figures = np.exp(pairs.features.astype(np.float64))
    expected = figures[:, 0] ** 2 / figures[:, 1] / figures[:, 2] ** 0.5 * figures[:, 3] ** 0.25
    assert strengths == pytest.approx(expected / expected.max(), rel=1e-4)
