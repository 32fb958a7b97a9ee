"""How likely a product is to be the next one in a basket: learned, and measured on later baskets."""

from dataclasses import replace

import numpy as np
import pytest

from models.artifact import BasketChances
from models.artifact.basket_chances import N_FEATURES, N_WEIGHTS, features_of
from models.data.interactions import Interactions
from models.evaluate.baskets import HiddenProducts
from models.ranking.basket_chances import (
    BasketPairs,
    describe_baskets,
    learn_basket_chances,
    measure_basket_chances,
    order_rates,
)
from models.ranking.baskets import Neighbours
from models.ranking.top import NO_PRODUCT

DAY = 86_400


def test_pairs_are_what_the_neighbours_name_and_the_basket_does_not_hold() -> None:
    neighbours = Neighbours(
        np.array([[1, 2], [0, NO_PRODUCT], [0, 3], [NO_PRODUCT] * 2], dtype=np.int32),
        np.array([[0.5, 0.25], [0.5, 0], [0.25, 1.0], [0, 0]], dtype=np.float32),
    )
    rates = np.array([0.4, 0.3, 0.2, 0.1], dtype=np.float32)
    # A basket of 0 and 2 whose hidden product is 3, and one of 1 whose hidden product is 3.
    baskets = HiddenProducts(np.array([0, 2, 1], np.int32), np.array([2, 3]), np.array([3, 3], np.int32))

    pairs = describe_baskets(neighbours, rates, baskets)

    assert pairs.basket.tolist() == [0, 0, 1]
    assert pairs.is_hidden.tolist() == [False, True, False]
    expected = features_of(np.array([0.5, 1.0, 0.5]), rates[[1, 3, 0]], np.array([2, 2, 1]))
    assert pairs.features == pytest.approx(expected)
    # The second basket's hidden product is none of its neighbours; 2 and 3 are neither in it nor named.
    assert pairs.n_missed == 1
    assert pairs.other_rates == pytest.approx(0.2 + 0.1)


def known_world(seed: int, n_baskets: int, weights: np.ndarray) -> BasketPairs:
    """Draw outcomes from known weights: 40 pairs of each basket."""
    rng = np.random.default_rng(seed)
    n = 40 * n_baskets
    scores, rates = rng.uniform(0.01, 2, n), rng.uniform(0.001, 0.1, n).astype(np.float32)
    features = features_of(scores, rates, rng.integers(1, 6, n))
    chance = 1 / (1 + np.exp(-(features @ weights[:N_FEATURES] + weights[N_FEATURES])))
    return BasketPairs(
        np.repeat(np.arange(n_baskets), 40), features, rng.random(n) < chance, 30, 1_000.0, np.full(5, 0.1, np.float32)
    )


TRUTH = np.array([0.8, 0.0, 0.3, -0.5, -2.0, 0.03])


def test_known_chances_are_learned_and_hold_on_later_baskets() -> None:
    chances = learn_basket_chances(known_world(1, 4_000, TRUTH))
    later = known_world(2, 4_000, TRUTH)

    measured = measure_basket_chances(chances, later, 0)

    assert chances.weights[-1] == pytest.approx(30 / 1_000)
    assert measured["calibration_error"].mean < 0.005
    assert measured["observed_over_expected"].mean == pytest.approx(1, abs=0.05)
    assert measured["first_observed_over_expected"].mean == pytest.approx(1, abs=0.1)


def test_chances_of_another_world_are_told_by_the_measure() -> None:
    chances = learn_basket_chances(known_world(1, 2_000, TRUTH))
    rarer = TRUTH - np.array([0, 0, 0, 0, 1.0, 0])

    measured = measure_basket_chances(chances, known_world(2, 2_000, rarer), 0)

    assert measured["observed_over_expected"].high < 0.6


def test_few_completed_baskets_teach_nothing() -> None:
    pairs = known_world(1, 2_000, TRUTH)
    few = np.zeros_like(pairs.is_hidden)
    few[:49] = True

    chances = learn_basket_chances(replace(pairs, is_hidden=few))

    assert not chances.has_any
    assert measure_basket_chances(chances, pairs, 0) == {}


def test_rates_are_shares_of_the_orders_of_the_last_ninety_days() -> None:
    # Tea in three orders, the first of them long ago; a cup in one, and returned in another.
    sold = Interactions(
        account=np.array([0, 0, 0, 1, 1], dtype=np.int32),
        product=np.array([0, 0, 1, 0, 1], dtype=np.int32),
        order=np.array([0, 1, 1, 2, 3], dtype=np.int32),
        time=np.array([0, 100, 100, 110, 111], dtype=np.int64) * DAY,
        quantity=np.array([1, 1, 2, 1, -1], dtype=np.float32),
        amount_minor=np.zeros(5, dtype=np.int64),
        account_ids=np.array(["ann", "bob"], dtype=object),
        product_ids=np.array(["tea", "cup"], dtype=object),
        order_count=4,
    )

    rates = order_rates(sold, 120 * DAY)

    # Of two orders with a purchase, tea is in both and cup in one; the mean of the shares is 3/4, which one order adds.
    assert rates == pytest.approx([(2 + 0.75) / 3, (1 + 0.75) / 3])


def test_probabilities_of_neighbours_are_logistic_and_of_others_follow_their_rate() -> None:
    weights = np.array([1, 0, 0, 0, -1, 2.0], dtype=np.float32)
    chances = BasketChances(weights, np.array([0.1, 0.9], dtype=np.float32))

    of_neighbours = chances.of_neighbours(features_of(np.array([np.e]), np.array([0.1], np.float32), np.array([1])))

    assert len(weights) == N_WEIGHTS
    assert of_neighbours == pytest.approx([0.5])
    assert chances.of_others(np.array([0, 1], dtype=np.int32)) == pytest.approx([0.2, 1])
