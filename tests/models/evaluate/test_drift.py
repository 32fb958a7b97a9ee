"""Drift: silence at the stated rate where nothing drifts, notice in about the time that theory gives where it does."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from models.evaluate.drift import RATIOS, level_z, stability_index, stability_limit, watch_level

STREAMS = 300
HORIZON = 2_000
RATE = 0.05


def stream(
    seed: int, n: int, drifts_at: int | None = None, ratio: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Probabilities, and outcomes whose odds are another from some place on."""
    rng = np.random.default_rng(seed)
    p = rng.beta(2, 12, n)
    odds = np.where(np.arange(n) >= (n if drifts_at is None else drifts_at), ratio, 1.0) * p / (1 - p)
    return p, rng.random(n) < odds / (1 + odds)


def divergence(ratio: float, seed: int = 0) -> float:
    """What one outcome adds to the evidence on average once the odds are multiplied: Kullback and Leibler's number."""
    p = np.random.default_rng(seed).beta(2, 12, 100_000)
    q = ratio * p / (1 - p + ratio * p)
    return float((q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))).mean())


def test_where_nothing_drifts_the_watch_stays_silent_as_often_as_it_says() -> None:
    alarms = [watch_level(*stream(seed, HORIZON), HORIZON, RATE).noticed_after is not None for seed in range(STREAMS)]

    assert sum(alarms) <= binom.ppf(0.999, STREAMS, RATE)


def test_the_bound_is_not_empty_and_a_laxer_rate_alarms_more() -> None:
    counts = [
        sum(watch_level(*stream(seed, HORIZON), HORIZON, rate).noticed_after is not None for seed in range(STREAMS))
        for rate in (RATE, 1.0, 20.0)
    ]

    assert counts[0] <= counts[1] < counts[2]


@pytest.mark.parametrize("ratio", RATIOS)
def test_drift_is_noticed_in_about_the_time_that_theory_gives(ratio: float) -> None:
    drifts_at, n = 1_000, 8_000

    watches = [watch_level(*stream(seed, n, drifts_at, ratio), n, RATE) for seed in range(60)]

    delays = np.array([(watch.noticed_after or n) - drifts_at for watch in watches])
    # Before the drift the statistic has a mean of drifts_at, but is mostly less: theory gives the time in between.
    soonest, latest = ((watches[0].limit - start) / divergence(ratio) for start in (np.log(drifts_at), 0))
    assert (delays > 0).mean() >= 1 - RATE
    assert soonest < np.median(delays) < latest
    assert np.mean([(watch.ratio > 1) == (ratio > 1) for watch in watches]) > 0.95
    assert np.median([abs(watch.since - drifts_at) for watch in watches]) < soonest / 2


def test_the_evidence_is_the_recursion_of_shiryaev_and_roberts() -> None:
    p, is_true = stream(3, 500, 200, 2.0)

    watch = watch_level(p, is_true, 500)

    statistic, evidence = np.zeros(len(RATIOS)), []
    for chance, hit in zip(p, is_true, strict=True):
        likelihoods = [r**hit / (1 - chance + r * chance) for r in RATIOS]
        statistic = (1 + statistic) * likelihoods
        evidence.append(np.log(statistic.mean()))
    assert watch.evidence == pytest.approx(evidence)


def test_one_window_of_what_holds_is_a_standard_normal() -> None:
    z = np.array([level_z(*stream(seed, 1_000)) for seed in range(1_000)])

    assert abs(z.mean()) < 4 / np.sqrt(len(z))
    assert z.std() == pytest.approx(1, abs=4 / np.sqrt(2 * len(z)))
    assert level_z(*stream(1, 5_000, 0, 2.0)) > 5


def test_the_stability_index_is_what_is_written_down() -> None:
    reference, current = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 2.0, 2.5, 3.0])

    index = stability_index(reference, current, n_bins=2)

    assert index == pytest.approx((1 / 2 - 1 / 4) * np.log(2) + (1 / 2 - 3 / 4) * np.log(2 / 3))
    assert stability_index(reference, reference, n_bins=2) == 0


def test_the_same_population_exceeds_the_stability_limit_at_the_stated_rate_only() -> None:
    rng = np.random.default_rng(4)
    limit = stability_limit(2_000, 1_000)

    above = sum(stability_index(rng.normal(size=2_000), rng.normal(size=1_000)) > limit for _ in range(1_000))

    assert binom.ppf(0.001, 1_000, 0.05) <= above <= binom.ppf(0.999, 1_000, 0.05)
    assert stability_index(rng.normal(size=2_000), rng.normal(0.5, 1, 1_000)) > 0.1 > limit
