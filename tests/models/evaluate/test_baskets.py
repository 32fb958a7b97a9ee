"""One product of each basket is hidden, and its rank counted."""

import numpy as np
import pytest

from models.evaluate.baskets import HiddenProducts, completion_at, hide_products, ranks_of_hidden
from models.ranking.baskets import Neighbours
from tests.models.histories import make_history
from tests.models.ranking.samples import random_interactions


def test_each_basket_loses_one_product_and_keeps_the_rest() -> None:
    window = random_interactions(seed=6)
    is_known = np.arange(window.n_products) != 3

    baskets = hide_products(window, is_known, limit=30, seed=1)

    bought = (window.quantity > 0) & is_known[window.product]
    orders = {frozenset(window.product[bought & (window.order == order)].tolist()) for order in np.unique(window.order)}
    rests = np.split(baskets.rest, baskets.ends[:-1])
    assert len(rests) == len(baskets.hidden) == 30
    for rest, hidden in zip(rests, baskets.hidden, strict=True):
        assert hidden not in rest
        assert frozenset([*rest.tolist(), int(hidden)]) in orders


def test_a_basket_of_one_is_not_used() -> None:
    window = make_history([("a", "1", "p", 0, 1), ("a", "2", "p", 0, 1), (None, "2", "q", 0, 1)]).interactions

    baskets = hide_products(window, np.ones(2, dtype=np.bool_), limit=10, seed=0)

    assert len(baskets.hidden) == 1


def test_rank_counts_what_scores_above_and_half_of_what_ties() -> None:
    products = np.array([[1, 2], [0, -1], [0, -1], [0, -1], [0, -1]], dtype=np.int32)
    scores = np.array([[0.5, 0.2], [0.1, 0], [0.1, 0], [0.1, 0], [0.1, 0]], dtype=np.float32)
    baskets = HiddenProducts(np.zeros(2, np.int32), np.array([1, 2]), np.array([2, 3], dtype=np.int32))

    ranks = ranks_of_hidden(Neighbours(products, scores), baskets)

    assert ranks.tolist() == [1, 2 + 1 / 2]


def test_completion_is_the_share_of_ranks_below_the_cut() -> None:
    products = np.array([[1, 2], [0, -1], [0, -1]], dtype=np.int32)
    neighbours = Neighbours(products, np.array([[0.5, 0.2], [0.1, 0], [0.1, 0]], dtype=np.float32))
    baskets = HiddenProducts(np.zeros(4, np.int32), np.arange(1, 5), np.array([1, 1, 1, 2], dtype=np.int32))

    completion = completion_at(ranks_of_hidden(neighbours, baskets), cuts=(1, 2), seed=0)

    assert completion[1].mean == pytest.approx(3 / 4)
    assert completion[2].mean == 1
    assert completion[1].n == 4
