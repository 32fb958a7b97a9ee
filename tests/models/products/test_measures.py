"""Each measure against the four cells of its table, counted basket by basket."""

from dataclasses import replace
from itertools import combinations
from math import log, sqrt

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import chi2

from models.products.measures import (
    Counts,
    added_confidence,
    attraction_p,
    confidence,
    cosine,
    discovered,
    lift,
    log_likelihood_ratio,
    support,
)
from models.products.pairs import Baskets, baskets_of, count_pairs
from tests.models.products.samples import guests, interactions_of

MANY_BASKETS = st.lists(st.sets(st.integers(0, 4), min_size=1), min_size=1, max_size=40)


def counts_of(baskets: list[set[int]], first: int, second: int) -> Counts:
    """Count one pair, basket by basket."""
    both = sum(first in basket and second in basket for basket in baskets)
    with_first, with_second = (sum(product in basket for basket in baskets) for product in (first, second))
    return Counts(np.array([float(both)]), np.array([float(with_first)]), np.array([float(with_second)]), len(baskets))


def dunning(cells: list[list[int]]) -> float:
    """G squared of a contingency table: twice the sum of observed ln(observed / expected)."""
    n = sum(map(sum, cells))
    total = 0.0
    for row in cells:
        for j, observed in enumerate(row):
            expected = sum(row) * sum(other[j] for other in cells) / n
            total += observed * log(observed / expected) if observed else 0
    return 2 * total


@given(MANY_BASKETS)
def test_measures_follow_from_the_four_cells(baskets: list[set[int]]) -> None:
    for a, b in combinations(range(5), 2):
        cells = [[0, 0], [0, 0]]
        for basket in baskets:
            cells[a not in basket][b not in basket] += 1
        (both, only_a), (only_b, _) = cells
        if not (both + only_a and both + only_b):
            continue
        n = len(baskets)
        p_a, p_b, p_both = (both + only_a) / n, (both + only_b) / n, both / n
        counts = counts_of(baskets, a, b)
        assert support(counts)[0] == pytest.approx(p_both)
        assert confidence(counts)[0] == pytest.approx(p_both / p_a)
        assert lift(counts)[0] == pytest.approx(p_both / (p_a * p_b))
        assert cosine(counts)[0] == pytest.approx(p_both / sqrt(p_a * p_b))
        assert added_confidence(counts)[0] == pytest.approx(p_both / p_a - p_b)
        assert log_likelihood_ratio(counts)[0] == pytest.approx(dunning(cells), abs=1e-8)


@given(MANY_BASKETS)
def test_symmetric_measures_are_symmetric_and_a_pair_turned_is_the_other_way_round(baskets: list[set[int]]) -> None:
    counts = counts_of(baskets, 0, 1)
    assume(counts.a[0] and counts.b[0])

    for measure in (support, lift, cosine, log_likelihood_ratio, attraction_p):
        assert measure(counts)[0] == measure(counts.swapped())[0]
    assert confidence(counts.swapped())[0] == counts.ab[0] / counts.b[0]
    assert counts_of(baskets, 1, 0).swapped().a[0] == counts.a[0]


@given(st.integers(1, 50), st.integers(1, 50), st.integers(2, 20))
def test_independent_products_have_no_likelihood_ratio_and_lift_one(a: int, b: int, scale: int) -> None:
    counts = Counts(np.array([a * b * 1.0]), np.array([a * 50.0 * scale]), np.array([b * 1.0 * 50]), 2500.0 * scale)

    assert lift(counts)[0] == pytest.approx(1)
    assert log_likelihood_ratio(counts)[0] == pytest.approx(0, abs=1e-6)


def test_the_p_value_is_half_of_chi_squareds_above_chance_and_one_below() -> None:
    above = Counts(np.array([30.0]), np.array([50.0]), np.array([60.0]), 200.0)
    below = Counts(np.array([3.0]), np.array([50.0]), np.array([60.0]), 200.0)

    assert attraction_p(above)[0] == pytest.approx(chi2.sf(log_likelihood_ratio(above)[0], 1) / 2)
    assert attraction_p(below)[0] == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 20), st.sampled_from([0.01, 0.1, 0.5]))
def test_discoveries_are_those_of_benjamini_and_hochberg(p: list[float], unseen: int, rate: float) -> None:
    n_tests = len(p) + unseen
    ordered = sorted(p)
    ranks = [k for k in range(1, len(p) + 1) if ordered[k - 1] <= rate * k / n_tests]
    bar = ordered[max(ranks) - 1] if ranks else -1

    assert discovered(np.array(p), n_tests, rate).tolist() == [value <= bar for value in p]


@given(MANY_BASKETS)
def test_pairs_are_counted_and_valued_as_basket_by_basket(baskets: list[set[int]]) -> None:
    held = [sorted(basket) for basket in baskets]
    interactions = interactions_of(guests(*held), 5, amount=7)

    pairs = count_pairs(baskets_of(interactions), min_together=1)

    expected = {
        (a, b): [7 * len(basket) for basket in held if a in basket and b in basket]
        for a, b in combinations(range(5), 2)
    }
    counted = zip(
        pairs.first.tolist(), pairs.second.tolist(), pairs.together.tolist(), pairs.value.tolist(), strict=True
    )
    assert {(a, b): (n, value) for a, b, n, value in counted} == {
        pair: (len(values), sum(values)) for pair, values in expected.items() if values
    }
    assert pairs.held.tolist() == [sum(i in basket for basket in held) for i in range(5)]
    assert pairs.held_value.tolist() == [sum(7 * len(basket) for basket in held if i in basket) for i in range(5)]


@given(MANY_BASKETS)
def test_baskets_whose_value_is_not_known_are_counted_and_left_out_of_the_values(baskets: list[set[int]]) -> None:
    interactions = interactions_of(guests(*(sorted(basket) for basket in baskets)), 5, amount=7)
    interactions.amount_minor[interactions.order % 2 == 1] = 0
    mixed = replace(interactions, unconverted=interactions.order % 2 == 1)

    pairs = count_pairs(baskets_of(mixed), min_together=1)

    whole, known = count_pairs(baskets_of(interactions), 1), baskets[::2]
    for name in ("first", "second", "together", "value", "held"):
        np.testing.assert_array_equal(getattr(pairs, name), getattr(whole, name))
    both = zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
    assert pairs.n_valued.tolist() == [sum({a, b} <= basket for basket in known) for a, b in both]
    assert pairs.held_valued.tolist() == [sum(i in basket for basket in known) for i in range(5)]


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    baskets = baskets_of(interactions_of(guests(*(sorted({*rng.integers(0, 30, 6).tolist()}) for _ in range(80))), 30))
    whole = count_pairs(baskets)
    monkeypatch.setattr("models.products.pairs.STEPS_PER_CHUNK", 25)

    in_chunks = count_pairs(baskets)

    for name in ("first", "second", "together", "value", "buyers"):
        np.testing.assert_array_equal(getattr(in_chunks, name), getattr(whole, name))


def test_values_too_large_to_be_exact_leave_the_counts_exact() -> None:
    baskets = baskets_of(interactions_of(guests(*([[0, 1]] * 9), [0]), 2))
    huge = Baskets(baskets.holds, np.full(10, 2**57, dtype=np.int64), baskets.buyer)

    pairs = count_pairs(huge)

    assert pairs.together.tolist() == [9]
    assert pairs.value[0] == pytest.approx(9 * 2**57, rel=1e-9)


def test_returns_are_no_purchases_and_a_product_twice_in_an_order_counts_once() -> None:
    interactions = interactions_of(guests([0, 1, 1], [0, 1], [0, 1]), 2)
    interactions.quantity[-1] = -1

    pairs = count_pairs(baskets_of(interactions))

    assert (pairs.together.tolist(), pairs.held.tolist(), pairs.n_baskets) == ([2], [3, 2], 3)
