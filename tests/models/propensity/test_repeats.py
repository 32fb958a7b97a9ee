"""Features of repeat purchases against ones that are counted line by line, and the model of them."""

from math import log, log1p

import numpy as np
import pytest
from numpy.typing import NDArray

from models.data.interactions import owned_matrix
from models.propensity.calibration import RecentRate
from models.propensity.repeats import REPEAT_FEATURES, RepeatTables, describe_calibration, learn_repeats
from models.ranking.shortlist import RANKERS, Shortlist
from tests.models.propensity.counted import RECENT_DAYS, Counted
from tests.models.propensity.samples import random_shop, snapshot_of

SHOP = random_shop(1)
SNAPSHOT = snapshot_of(SHOP)
OWNED = owned_matrix(SNAPSHOT.past)
COUNTED = Counted(SHOP)
STILL = RecentRate(1e6, 1e8)


def shortlist_of_owned(rows: NDArray[np.int32]) -> Shortlist:
    """No candidates; random scores of what the accounts own."""
    scores = np.random.default_rng(0).random((int(np.diff(OWNED.indptr)[rows].sum()), 1 + RANKERS))
    n, nothing = len(rows), np.float32(0)
    return Shortlist(
        rows,
        np.empty((n, 0), dtype=np.int32),
        np.full((n, 0), nothing),
        np.full((n, 0, RANKERS), nothing),
        scores.astype(np.float32),
    )


def counted_features(account: str, product: str) -> dict[str, float]:
    """All features but the rankers' scores."""
    bought = COUNTED.bought
    ages = [COUNTED.age(line) for buyer, line in bought if (buyer, line.product) == (account, product)]
    gap = (max(ages) - min(ages)) / max(len(ages) - 1, 1)
    days = COUNTED.days(account)
    of_product = [COUNTED.age(line) for _, line in bought if line.product == product]
    recent_lines = sum(buyer == account and COUNTED.age(line) <= RECENT_DAYS for buyer, line in bought)
    faded = {f"bought_{days}": log1p(sum(0.5 ** (age / days) for age in ages)) for days in (10, 30, 90)}
    return faded | {
        "bought": log1p(len(ages)),
        "since": log1p(min(ages)),
        "overdue": log((min(ages) + 1) / (gap + 1)) if gap > 0 else 0.0,
        "recency": log1p(min(days)),
        "frequency": log1p(sum(age <= RECENT_DAYS for age in days)),
        "lines": log1p(recent_lines),
        "size": log1p(sum(buyer == account for buyer, _ in COUNTED.first_ages)),
        "buyers": log1p(sum(age <= RECENT_DAYS for age in of_product)),
        "repurchases": log1p(len(of_product) / sum(product in owned for owned in COUNTED.owned.values())),
    }


def test_every_feature_is_counted_from_the_lines_of_the_pair_its_account_and_its_product() -> None:
    rows = np.random.default_rng(2).permutation(SNAPSHOT.past.n_accounts)[:35].astype(np.int32)
    listed = shortlist_of_owned(rows)

    features = RepeatTables.from_snapshot(SNAPSHOT, OWNED).features_of(listed)

    pairs = [
        (str(SNAPSHOT.past.account_ids[row]), str(SNAPSHOT.past.product_ids[product]))
        for row in rows
        for product in range(OWNED.shape[1])
        if OWNED[row, product] > 0
    ]
    assert pairs == [(a, p) for a, p in pairs if p in COUNTED.owned[a]]
    assert features.shape == (len(pairs), len(REPEAT_FEATURES))
    overdue = set()
    for place, pair in enumerate(pairs):
        of_rankers = {
            name: float(listed.owned[place, column])
            for name, column in (("score", 0), ("als", 1), ("affinity", 2), ("similar_accounts", 4))
        }
        expected = of_rankers | counted_features(*pair)
        assert set(expected) == set(REPEAT_FEATURES)
        for name, value in zip(REPEAT_FEATURES, features[place], strict=True):
            assert value == pytest.approx(expected[name], rel=1e-4, abs=1e-5), (pair, name)
        overdue.add(int(np.sign(expected["overdue"])))
    assert overdue == {-1, 0, 1}, "bought once, due and overdue"


def test_no_accounts_have_no_features() -> None:
    tables = RepeatTables.from_snapshot(SNAPSHOT, OWNED)

    features = tables.features_of(shortlist_of_owned(np.empty(0, dtype=np.int32)))

    assert features.shape == (0, len(REPEAT_FEATURES))


def window(seed: int, n: int = 10_000) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_]]:
    """Features, the true share of each, and outcomes. The log odds bend, which calibration alone can follow."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, len(REPEAT_FEATURES))).astype(np.float32)
    slope = 1.2 * features[:, 4].astype(np.float64) - 0.6 * features[:, 8]
    share = 0.05 + 0.5 / (1 + np.exp(-2 * slope))
    return features, share, rng.random(n) < share


def test_probabilities_of_a_later_window_are_the_true_ones_in_each_tenth() -> None:
    features, _, is_true = window(1)
    later, share, _ = window(2)
    later_moved = later * np.float32(2) + np.float32(3)

    p = learn_repeats(features, is_true, STILL).adapted(later_moved, STILL).probabilities(later_moved)

    for tenth in np.array_split(np.argsort(p, kind="stable"), 10):
        assert p[tenth].mean() == pytest.approx(share[tenth].mean(), abs=0.03)
    assert np.corrcoef(p, share)[0, 1] > 0.95


@pytest.mark.parametrize("n_true", [0, 3, 997, 1_000])
def test_where_too_little_or_nearly_everything_is_bought_again_all_get_one_share(n_true: int) -> None:
    features, _, _ = window(3, n=1_000)

    p = learn_repeats(features, np.arange(1_000) < n_true, STILL).probabilities(features)

    assert np.ptp(p) == 0
    assert 0 < p[0] < 1
    assert p[0] == pytest.approx(n_true / 1_000, abs=1e-3)


def test_where_less_is_bought_again_just_before_a_snapshot_less_is_expected_after_it() -> None:
    """As for what is new: by the ratio of the rates, in odds."""
    features, _, is_true = window(4)
    model = learn_repeats(features, is_true, STILL)

    p, less = (model.adapted(features, RecentRate(n, 1e8)).probabilities(features) for n in (1e6, 0.7e6))

    assert less / (1 - less) == pytest.approx(0.7 * p / (1 - p), rel=1e-3)


def test_the_recent_rate_is_of_pairs_that_were_bought_before_the_recent_days() -> None:
    rate = RepeatTables.from_snapshot(SNAPSHOT, OWNED).rate

    ages: dict[tuple[str, str], list[float]] = {}
    for buyer, line in COUNTED.bought:
        ages.setdefault((buyer, line.product), []).append(COUNTED.age(line))
    old = [each for each in ages.values() if max(each) > RECENT_DAYS]
    assert rate == RecentRate(sum(min(each) <= RECENT_DAYS for each in old), len(old))
    assert 0 < rate.purchases < rate.pairs


def test_calibration_is_described_of_all_pairs_and_of_the_likeliest_of_each_account() -> None:
    p = np.array([0.2, 0.6, 0.5, 0.1, 0.1], dtype=np.float32)
    is_true = np.array([False, True, False, True, False])

    described = describe_calibration(p, is_true, np.array([0, 2, 2, 5]), 0)

    assert described["observed_over_expected"]["value"] == pytest.approx(2 / 1.5, abs=1e-6)
    assert described["first_observed_over_expected"]["value"] == pytest.approx(1 / 1.1, abs=1e-6)
    assert described["first_observed_over_expected"]["n"] == 2
