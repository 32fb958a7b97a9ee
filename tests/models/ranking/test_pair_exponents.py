"""The likelihood's gradient against differences, and what is learned from baskets that follow a rule."""

import numpy as np
import pytest

from models.evaluate.baskets import HiddenProducts, hide_products
from models.ranking.pair_exponents import collect_choices, learn_exponents, penalised_loss
from models.ranking.product_pairs import ProductPairs, collect_pairs
from models.ranking.settings import PairExponents, RankingParameters
from tests.models.histories import Line, make_history
from tests.models.ranking.samples import AS_OF, random_interactions

DEFAULT = np.append(PairExponents().as_tuple(), 0.0)
PAIRS = ProductPairs(
    np.array([0, 2, 4, 5]),
    np.array([1, 2, 0, 2, 0], dtype=np.int32),
    np.log(np.array([[4, 8, 2, 1], [1, 8, 2, 1], [3, 2, 8, 1], [2, 2, 2, 1], [1, 2, 8, 1]], dtype=np.float32)),
)


def test_the_loss_is_that_of_summed_strengths_without_what_is_in_the_basket() -> None:
    baskets = HiddenProducts(np.array([0, 0, 1]), np.array([1, 3]), np.array([1, 2], dtype=np.int32))
    choices = collect_choices(PAIRS, baskets)

    loss, _ = penalised_loss(choices, np.array([1.0, 0, 0, 0, 0]), np.array([1.0, 0, 0, 0, 0]))

    # The first basket holds product 0: its targets 1 and 2 have 4 and 1. In the second, product 2 is the only target.
    assert choices.n_baskets == 2
    assert loss == pytest.approx(-np.log(4 / 5) / 2)


def test_the_gradient_agrees_with_differences() -> None:
    history = random_interactions(seed=8)
    pairs = collect_pairs(history, AS_OF, RankingParameters())
    choices = collect_choices(pairs, hide_products(history, np.ones(25, dtype=np.bool_), 60, seed=0))
    x = np.array([0.8, -0.3, 0.2, 0.4, 0.1])

    _, gradient = penalised_loss(choices, x, DEFAULT)

    for place in range(5):
        step = np.zeros(5)
        step[place] = 1e-5
        above, below = (penalised_loss(choices, x + sign * step, DEFAULT)[0] for sign in (1, -1))
        assert gradient[place] == pytest.approx((above - below) / 2e-5, abs=1e-5)


def test_without_later_baskets_the_defaults_stand() -> None:
    history = random_interactions(seed=8)
    pairs = collect_pairs(history, AS_OF, RankingParameters())

    learned = learn_exponents(pairs, history, history.select(np.zeros(history.n_lines, dtype=np.bool_)), seed=0)

    assert learned == PairExponents()


def test_what_goes_with_everything_counts_less_where_baskets_hold_their_own_partner() -> None:
    """Each product has a partner; a bag is in nine of ten orders before the window, and in none of its baskets."""
    lines: list[Line] = []
    for order in range(400):
        products = [f"p{order % 20}", f"q{order % 20}"] if order % 2 else [f"p{order % 20}"]
        lines += [(None, str(order), product, 0, 1) for product in [*products, *(["bag"] if order % 10 else [])]]
    later: list[Line] = [(None, f"w{i}", f"{side}{i % 20}", 9, 1) for i in range(1, 400, 2) for side in "pq"]
    history = make_history(lines + later).interactions
    is_early = history.time == history.time.min()
    early, window = history.select(is_early), history.select(~is_early)
    pairs = collect_pairs(early, int(window.time.min()), RankingParameters(dense_products=0, regressed_products=1))

    learned = learn_exponents(pairs, early, window, seed=0)

    assert learned.target < PairExponents().target
    assert learned == learn_exponents(pairs, early, window, seed=0)
