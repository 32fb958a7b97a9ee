"""Segments of rules updated account by account, against the same segments measured from scratch."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.artifact.segments import INTERVALS
from service.readmodel.ranked_accounts import RankedAccounts, SegmentMembers
from service.readmodel.segment_membership import STRATEGIC_DEFINITION
from tests.sold import AS_OF_DAY, N_ACCOUNTS, sold_content

NO_ROWS = np.empty(0, dtype=np.int64)


@pytest.fixture(scope="module")
def ranked_accounts() -> RankedAccounts:
    return RankedAccounts(sold_content(), AS_OF_DAY)


def measure_anew(ranked_accounts: RankedAccounts, rows: NDArray[np.int64]) -> SegmentMembers:
    return ranked_accounts.with_series(ranked_accounts.measure(STRATEGIC_DEFINITION, rows, frozenset()))


def assert_alike(actual: SegmentMembers, expected: SegmentMembers) -> None:
    assert actual.ranks.tolist() == expected.ranks.tolist()
    assert actual.sums.figures == pytest.approx(expected.sums.figures)
    assert actual.sums.owners.tolist() == expected.sums.owners.tolist()
    assert {interval: actual.series[interval].tolist() for interval in INTERVALS} == {
        interval: expected.series[interval].tolist() for interval in INTERVALS
    }


def test_adding_and_removing_accounts_gives_what_measuring_the_segment_again_gives(
    ranked_accounts: RankedAccounts,
) -> None:
    rng = np.random.default_rng(3)
    is_in = rng.random(N_ACCOUNTS) < 0.5
    kept = measure_anew(ranked_accounts, np.flatnonzero(is_in))

    for _ in range(50):
        changed = rng.choice(N_ACCOUNTS, rng.integers(1, 6), replace=False)
        kept = ranked_accounts.change(kept, changed[~is_in[changed]], changed[is_in[changed]])
        is_in[changed] ^= True

    assert_alike(kept, measure_anew(ranked_accounts, np.flatnonzero(is_in)))
    assert ranked_accounts.has(kept, np.arange(N_ACCOUNTS)).tolist() == is_in.tolist()


def test_removing_the_last_accounts_leaves_every_figure_at_zero(ranked_accounts: RankedAccounts) -> None:
    everyone = np.arange(N_ACCOUNTS)

    kept = ranked_accounts.change(measure_anew(ranked_accounts, everyone), NO_ROWS, everyone)

    assert kept.size == 0
    assert not any(round(value, 6) for value in kept.sums.figures.values())
    assert not any(series.any() for series in kept.series.values())


def test_the_most_valuable_come_first(ranked_accounts: RankedAccounts) -> None:
    content = sold_content()

    members = measure_anew(ranked_accounts, np.arange(N_ACCOUNTS))

    assert ranked_accounts.rows[members.ranks].tolist() == content.segments.members_of(0, 0).tolist()
