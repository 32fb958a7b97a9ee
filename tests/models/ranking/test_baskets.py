"""Neighbours: the strongest pairs of each product, added up over a basket."""

from dataclasses import replace

import numpy as np
import pytest

from models.ranking.baskets import Neighbours, fit_neighbours
from models.ranking.settings import PairExponents, RankingParameters
from tests.models.histories import START, make_history
from tests.models.ranking.samples import AS_OF, random_interactions

HISTORY = random_interactions(seed=4)
PARAMETERS = RankingParameters(basket_regularization=3)
EXPONENTS = PairExponents()


@pytest.mark.parametrize("dense_products", [0, 6_000])
def test_lists_hold_the_strongest_pairs_best_first(dense_products: int) -> None:
    parameters = replace(PARAMETERS, dense_products=dense_products)

    full = fit_neighbours(HISTORY, AS_OF, parameters, EXPONENTS, k=25)
    short = fit_neighbours(HISTORY, AS_OF, parameters, EXPONENTS, k=4)

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

    neighbours = fit_neighbours(interactions, START, replace(PARAMETERS, dense_products=dense_products), EXPONENTS, k=2)

    assert neighbours.products[row["p"]].tolist() == [row["q"], -1]
    assert neighbours.products[row["s"]].tolist() == [-1, -1]


def test_a_basket_adds_up_its_products_and_leaves_them_out() -> None:
    products = np.array([[2, 1], [2, -1], [0, -1], [-1, -1]], dtype=np.int32)
    scores = np.array([[0.5, 0.2], [0.25, 0], [0.1, 0], [0, 0]], dtype=np.float32)

    total = Neighbours(products, scores).complete(np.array([0, 1], dtype=np.int32))

    assert total.tolist() == [-np.inf, -np.inf, 0.5 + 0.25, 0]
