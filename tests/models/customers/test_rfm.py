"""Quintiles and the segments that are read from them."""

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.artifact.customers import NOT_SEGMENTED, RFM_SEGMENTS
from models.customers.rfm import quintiles, rfm_of, segment_codes
from tests.models.customers.test_history import history


def named(recency: int, frequency: int, monetary: int) -> str:
    """The segment of one cell."""
    return RFM_SEGMENTS[
        segment_codes(*(np.array([score], dtype=np.int8) for score in (recency, frequency, monetary)))[0]
    ]


def test_each_of_the_125_cells_is_in_one_segment_and_each_segment_has_cells() -> None:
    cells = np.array(list(product(range(1, 6), repeat=3)), dtype=np.int8)

    codes = segment_codes(*cells.T)

    assert codes.shape == (125,)
    assert set(codes.tolist()) == set(range(len(RFM_SEGMENTS)))


def test_the_corners_are_what_they_are_called() -> None:
    assert (named(5, 5, 5), named(5, 1, 1), named(1, 5, 5), named(1, 1, 1)) == (
        "Champions",
        "New",
        "Cannot Lose",
        "Lost",
    )
    assert (named(4, 1, 1), named(3, 3, 3), named(1, 2, 2)) == ("Promising", "Need Attention", "Hibernating")
    assert named(5, 3, 5) == named(5, 5, 3) == "Champions"


def test_more_is_never_a_worse_segment() -> None:
    """Along frequency and money, and along recency, what was good stays good."""
    good = {"Champions", "Loyal", "Potential Loyalist"}
    for recency, both in product(range(1, 6), range(1, 5)):
        assert not (named(recency, both, both) in good and named(recency, both + 1, both + 1) not in good)
    for recency, both in product(range(1, 5), range(1, 6)):
        assert not (named(recency, both, both) in good and named(recency + 1, both, both) not in {*good, "New"})


@given(st.lists(st.integers(0, 50), min_size=1, max_size=200))
def test_quintiles_keep_the_order_and_equal_values_are_treated_alike(values: list[int]) -> None:
    scores = quintiles(np.array(values))

    assert ((scores >= 1) & (scores <= 5)).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(scores[order]) >= 0).all()
    assert len(set(zip(values, scores.tolist(), strict=True))) == len(set(values))


def test_distinct_values_fill_five_equal_fifths() -> None:
    assert np.bincount(quintiles(np.random.default_rng(0).permutation(1000)), minlength=6).tolist() == [0, *[200] * 5]


def test_ties_and_small_populations() -> None:
    assert quintiles(np.array([7])).tolist() == [3]
    assert quintiles(np.array([1, 2])).tolist() == [2, 4]
    assert quintiles(np.ones(10)).tolist() == [3] * 10
    assert quintiles(np.array([1] * 5 + [2] * 5)).tolist() == [2] * 5 + [4] * 5
    assert quintiles(np.array([])).tolist() == []


def test_recent_frequent_high_spenders_are_champions_and_non_buyers_have_no_segment() -> None:
    events = [
        (account, 90 - 10 * account - 3 * again, 100.0, 1.0) for account in range(5) for again in range(6 - account)
    ]

    rfm = rfm_of(history(*events, n_accounts=6))

    assert rfm.recency.tolist() == [5, 4, 3, 2, 1, 0]
    assert rfm.frequency.tolist() == rfm.monetary.tolist() == [5, 4, 3, 2, 1, 0]
    assert RFM_SEGMENTS[rfm.segment[0]] == "Champions"
    assert rfm.segment[5] == NOT_SEGMENTED
