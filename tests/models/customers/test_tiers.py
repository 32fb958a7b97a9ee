"""Segments by one figure."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.artifact.customers import NOT_SEGMENTED
from models.customers.tiers import FALLING, GROWING, STEADY, tiers_of, trends_of
from tests.models.customers.test_history import history


def test_the_largest_make_four_fifths() -> None:
    assert tiers_of(np.array([50, 30, 10, 5, 5.0])).tolist() == [0, 0, 1, 1, 1]
    assert tiers_of(np.array([5, 79, 1, 15.0])).tolist() == [1, 0, 2, 0]
    assert tiers_of(np.array([10, -5, 0, np.nan])).tolist() == [0, 2, 2, NOT_SEGMENTED]
    assert tiers_of(np.array([-1.0, 0])).tolist() == [2, 2]


@given(st.lists(st.integers(-5, 100), min_size=1, max_size=60))
def test_who_has_more_is_never_in_a_lower_tier_and_who_has_as_much_is_in_the_same(amounts: list[int]) -> None:
    values = np.array(amounts, dtype=np.float64)

    tiers = tiers_of(values)

    assert (np.diff(tiers[np.argsort(-values, kind="stable")]) >= 0).all()
    assert len(set(zip(amounts, tiers.tolist(), strict=True))) == len(set(amounts))
    positive = values.clip(0)
    if positive.sum():
        assert positive[tiers == 0].sum() >= 0.8 * positive.sum() * (1 - 1e-9)


def test_recent_growth_and_decline_are_distinguished_from_chance() -> None:
    growing = [(0, day, 1.0, 1.0) for day in (0, *range(320, 360, 5))]
    falling = [(1, day, 1.0, 1.0) for day in range(0, 270, 15)]
    steady = [(2, day, 1.0, 1.0) for day in range(0, 360, 30)]
    young = [(3, day, 1.0, 1.0) for day in range(300, 360, 5)]
    once = [(4, 10, 1.0, 1.0)]

    trends = trends_of(history(*growing, *falling, *steady, *young, *once, n_accounts=6, as_of=360), 360)

    assert trends.tolist() == [GROWING, FALLING, STEADY, NOT_SEGMENTED, STEADY, NOT_SEGMENTED]


def test_where_nothing_changes_few_are_said_to_change() -> None:
    random = np.random.default_rng(0)
    n = 2_000
    events = [(account, day, 1.0, 1.0) for account in range(n) for day in random.integers(0, 360, 8)]

    trends = trends_of(history(*events, n_accounts=n, as_of=360), 360)

    assert (trends == GROWING).mean() <= 0.1
    assert (trends == FALLING).mean() <= 0.1
