"""Windows follow each other in time, and nothing is in two of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.data.interactions import Interactions
from models.data.split import midnight_after, split_by_time
from tests.models.histories import DAY, START, Line, make_history


def history_of(days: list[int]) -> Interactions:
    return make_history([("a", str(i), f"p{i}", day, 1) for i, day in enumerate(days)]).interactions


@given(days=st.lists(st.integers(0, 500), min_size=2, max_size=40), horizon=st.integers(1, 120))
def test_windows_are_disjoint_and_complete(days: list[int], horizon: int) -> None:
    interactions = history_of(days)

    split = split_by_time(interactions, midnight_after(interactions.time), horizon, seed=1)

    total = split.learn.astype(int) + split.validation + split.holdout
    assert (total == 1).all()


def test_the_last_horizon_is_held_out_and_the_one_before_it_validates() -> None:
    interactions = history_of([0, 180, 269, 270, 359, 360, 449])

    split = split_by_time(interactions, START + 450 * DAY, 90, seed=1)

    day = (interactions.time - START) // DAY
    assert sorted(day[split.learn]) == [0, 180, 269]
    assert sorted(day[split.validation]) == [270, 359]
    assert sorted(day[split.holdout]) == [360, 449]
    assert split.is_by_time


def test_a_short_history_gets_windows_of_a_third_and_says_so() -> None:
    interactions = history_of(list(range(60)))

    split = split_by_time(interactions, START + 60 * DAY, 90, seed=1)

    assert split.as_of - split.holdout_start == 20 * DAY
    assert "60 days" in split.notice


def test_lines_of_one_day_are_split_at_random_without_repeats_on_both_sides() -> None:
    lines: list[Line] = [(f"a{i % 20}", str(i), f"p{i % 33}", 0, 1) for i in range(2000)]
    interactions = make_history(lines).interactions

    split = split_by_time(interactions, midnight_after(interactions.time), 90, seed=1)

    pairs = interactions.account.astype(int) * interactions.n_products + interactions.product
    assert not split.is_by_time
    assert not np.intersect1d(pairs[split.holdout], pairs[~split.holdout]).size
    assert 0.1 < split.holdout.mean() < 0.3
