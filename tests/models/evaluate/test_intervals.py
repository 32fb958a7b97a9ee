"""The bootstrap interval is as wide as theory says, and covers as often as it claims."""

import numpy as np
import pytest

from models.evaluate.intervals import estimate_mean


def test_interval_of_a_mean_is_about_two_standard_errors_on_either_side() -> None:
    values = np.random.default_rng(0).normal(5, 2, 4_000)

    estimate = estimate_mean(values, seed=1)

    error = values.std() / np.sqrt(4_000)
    assert estimate.mean == values.mean()
    assert estimate.n == 4_000
    assert estimate.low == pytest.approx(values.mean() - 1.96 * error, abs=0.3 * error)
    assert estimate.high == pytest.approx(values.mean() + 1.96 * error, abs=0.3 * error)


def test_about_nineteen_in_twenty_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(2)

    estimates = [estimate_mean(rng.exponential(1, 150), seed, resamples=400) for seed in range(300)]

    covered = np.mean([estimate.low <= 1 <= estimate.high for estimate in estimates])
    assert 0.90 <= covered <= 0.98


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(3).random(99)

    assert estimate_mean(values, seed=4) == estimate_mean(values, seed=4)
    assert estimate_mean(values, seed=4) != estimate_mean(values, seed=5)


def test_nothing_measured_is_not_a_number() -> None:
    estimate = estimate_mean(np.empty(0), seed=0)

    assert estimate.n == 0
    assert np.isnan([estimate.mean, estimate.low, estimate.high]).all()
