"""Who owns more: accounts of one segment, or alike by their attributes, counted one by one."""

from collections.abc import Sequence
from math import log

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.data.accounts import AccountFacts
from models.propensity.penetration import UNKNOWN, kinds_of, learn_penetration
from models.propensity.snapshot import N_SEGMENTS

A, T = 120, 5
RNG = np.random.default_rng(3)
SEGMENT = RNG.integers(0, N_SEGMENTS + 1, A)
OWNED = (RNG.random((A, T)) < 0.3) & (SEGMENT < N_SEGMENTS)[:, None]
TRADE = [[None, "bar", "café", "hotel"][code] for code in RNG.integers(0, 4, A)]
SIZE = [None if number < 5 else float(number) for number in RNG.integers(0, 100, A)]
ROWS = np.arange(A, dtype=np.int32)
THINGS = np.broadcast_to(np.arange(T, dtype=np.int32), (A, T))


def facts(**attributes: Sequence[object]) -> AccountFacts:
    """Facts of as many accounts as there are values."""
    columns = {name: np.array([*values, None], dtype=object)[:-1] for name, values in attributes.items()}
    return AccountFacts(np.zeros(A, dtype=np.bool_), columns)


def advantage(members: list[int], thing: int) -> float:
    """The logarithm of a share of owners over that of all buyers, twenty average accounts added to it."""
    buyers = [row for row in range(A) if SEGMENT[row] < N_SEGMENTS]
    of_all = sum(OWNED[row, thing] for row in buyers) / len(buyers)
    share = (sum(OWNED[row, thing] for row in members) + 20 * of_all) / (len(members) + 20)
    return log((share + 0.001) / (of_all + 0.001))


def fifth(value: float) -> int:
    """Which fifth of all the known sizes one is in."""
    cuts = sorted(set(np.quantile([size for size in SIZE if size is not None], [0.2, 0.4, 0.6, 0.8])))
    return sum(value > cut for cut in cuts)


def test_a_segment_s_share_of_owners_is_counted_among_its_accounts() -> None:
    learned = learn_penetration(csr_matrix(OWNED.astype(np.float32)), SEGMENT, AccountFacts.none(A))

    penetration = learned.among_segment(SEGMENT, THINGS)
    for row in range(A):
        members = [other for other in range(A) if SEGMENT[other] == SEGMENT[row] < N_SEGMENTS]
        assert penetration[row] == pytest.approx([advantage(members, thing) for thing in range(T)], abs=1e-5)
    assert (learned.among_alike(ROWS, THINGS) == 0).all()


def test_accounts_that_are_alike_share_a_text_or_a_fifth_of_a_number_and_the_mean_is_taken() -> None:
    learned = learn_penetration(
        csr_matrix(OWNED.astype(np.float32)), SEGMENT, facts(trade=TRADE, size=SIZE, country=["nl"] * A)
    )

    penetration = learned.among_alike(ROWS, THINGS)
    buyers = [row for row in range(A) if SEGMENT[row] < N_SEGMENTS]
    for row in range(A):
        alike = []
        if TRADE[row] is not None:
            alike.append([other for other in buyers if TRADE[other] == TRADE[row]])
        own = SIZE[row]
        if own is not None:
            alike.append([other for other in buyers if (size := SIZE[other]) is not None and fifth(size) == fifth(own)])
        for thing in range(T):
            expected = [advantage(members, thing) for members in alike]
            assert penetration[row, thing] == pytest.approx(sum(expected) / max(len(expected), 1), abs=1e-5)


def test_accounts_that_never_bought_change_nothing() -> None:
    keep = np.flatnonzero(SEGMENT < N_SEGMENTS)
    alone = learn_penetration(csr_matrix(OWNED[keep].astype(np.float32)), SEGMENT[keep], AccountFacts.none(len(keep)))

    beside = learn_penetration(csr_matrix(OWNED.astype(np.float32)), SEGMENT, AccountFacts.none(A))

    np.testing.assert_array_equal(alone.of_segment, beside.of_segment)


def test_of_texts_the_twenty_most_frequent_are_kinds() -> None:
    names = [f"city {min(row // 4, 25)}" for row in range(A)]

    kinds = kinds_of(facts(city=names), A)[:, 0]

    counts = {name: names.count(name) for name in names}
    assert set(kinds[[row for row in range(A) if counts[names[row]] > 4]]) == {0}
    assert len(set(kinds[kinds != UNKNOWN])) == 20


def test_what_is_not_known_or_no_number_is_of_no_kind_and_an_attribute_that_all_share_tells_nothing() -> None:
    sizes: list[object] = [float("nan"), None, *range(A - 2)]

    kinds = kinds_of(facts(size=sizes, same=[7] * A, nothing=[None] * A), A)

    assert kinds.shape == (A, 1)
    assert (kinds[:2, 0] == UNKNOWN).all()
    assert np.bincount(kinds[2:, 0]).tolist() == pytest.approx([(A - 2) / 5] * 5, abs=1)


def test_the_twelve_attributes_that_most_is_known_of_are_taken() -> None:
    known = {f"n{number}": [row if row < 60 + number else None for row in range(A)] for number in range(15)}

    kinds = kinds_of(facts(**known), A)

    assert kinds.shape == (A, 12)
    assert [(column != UNKNOWN).sum() for column in kinds.T] == [60 + number for number in range(14, 2, -1)]
