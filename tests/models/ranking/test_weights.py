"""Strength is counted by order, fades with age, and is given back by a return."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from models.ranking.weights import DAY_SECONDS, MIN_DECAY, decay, look_up, strength_matrix
from tests.models.histories import DAY, START, make_history


def test_two_orders_add_up_and_two_lines_of_one_order_do_not() -> None:
    history = make_history([("a", "1", "p", 0, 1), ("a", "1", "p", 0, 3), ("a", "2", "p", 30, 1)])

    strength = strength_matrix(history.interactions, START + 60 * DAY, half_life_days=30)

    assert strength.toarray().item() == 0.5**2 + 0.5**1


def test_a_returned_product_has_no_strength() -> None:
    history = make_history([("a", "1", "p", 0, 2), ("a", "2", "p", 1, -2), ("a", "3", "q", 1, 1)])

    strength = strength_matrix(history.interactions, START + DAY, half_life_days=30)

    assert strength.nnz == 1
    assert history.interactions.product_ids[strength.indices[0]] == "q"


def test_guests_have_no_strength() -> None:
    history = make_history([(None, "1", "p", 0, 1), ("a", "2", "p", 0, 1)])

    strength = strength_matrix(history.interactions, START, half_life_days=30)

    assert strength.toarray().tolist() == [[1]]


@given(st.lists(st.integers(0, 10**9), min_size=1), st.floats(1, 1000))
def test_decay_never_rises_with_age_and_never_reaches_zero(ages: list[int], half_life_days: float) -> None:
    fresh = decay(np.sort(np.array(ages, dtype=np.int64)), half_life_days)

    assert (np.diff(fresh) <= 0).all()
    assert fresh.min() >= MIN_DECAY
    assert fresh.max() <= 1


def test_an_event_loses_half_its_weight_in_each_half_life() -> None:
    ages = np.array([0, 45, 90]) * DAY_SECONDS

    assert decay(ages, 45).tolist() == pytest.approx([1, 1 / 2, 1 / 4])


@given(seed=st.integers(0, 10**6), density=st.sampled_from([0, 0.1, 0.6, 1]))
def test_looking_up_entries_finds_those_of_the_dense_matrix(seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    dense = (rng.random((5, 9)) * (rng.random((5, 9)) < density)).astype(np.float32)
    rows = rng.integers(0, 5, (7, 1)).astype(np.int32)
    columns = rng.integers(-1, 9, (7, 4)).astype(np.int32)

    values = look_up(csr_matrix(dense), rows, columns)

    assert (values == np.where(columns >= 0, dense[rows, columns], 0)).all()
