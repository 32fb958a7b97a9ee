"""Bootstrap intervals of measurements over a sample of accounts."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1_000
LEVEL = 0.95
DRAWS_PER_BATCH = 2_000_000


@dataclass(frozen=True)
class Estimate:
    """A mean over n accounts or baskets with its 95 % percentile bootstrap interval; NaN where n is 0."""

    mean: float
    low: float
    high: float
    n: int


def estimate_mean(values: NDArray[np.float64], seed: int, resamples: int = RESAMPLES) -> Estimate:
    """Resample the values, shape (n,), with replacement; the same seed gives the same interval."""
    return _bootstrapped(lambda rows: values[rows].mean(axis=-1), len(values), seed, resamples)


def estimate_ratio(
    above: NDArray[np.float64], below: NDArray[np.float64], seed: int, resamples: int = RESAMPLES
) -> Estimate:
    """Estimate the sum of one column over that of another, both (n,), resampling their rows together.

    NaN where the sum below is 0, or is 0 in too many resamples.
    """

    def ratio(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore", divide="ignore"):
            ratios = above[rows].sum(axis=-1) / below[rows].sum(axis=-1)
        return np.asarray(np.where(np.isfinite(ratios), ratios, np.nan))

    return _bootstrapped(ratio, len(above), seed, resamples)


def estimate_correlation(first: NDArray[np.float64], second: NDArray[np.float64], seed: int) -> Estimate:
    """Estimate Pearson's correlation of two columns (n,); NaN where one of them does not vary."""

    def correlation(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        a, b = first[rows], second[rows]
        a, b = a - a.mean(axis=-1, keepdims=True), b - b.mean(axis=-1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((a * b).sum(axis=-1) / np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1)))

    return _bootstrapped(correlation, len(first), seed, RESAMPLES)


def _bootstrapped(
    statistic: Callable[[NDArray[np.int64]], NDArray[np.float64]], n: int, seed: int, resamples: int
) -> Estimate:
    """Take a statistic of all rows, and of resampled ones. statistic: of row numbers (..., n), along the last axis."""
    if n == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    rng = np.random.default_rng(seed)
    step = max(DRAWS_PER_BATCH // n, 1)
    sizes = [min(step, resamples - begin) for begin in range(0, resamples, step)]
    drawn = np.concatenate([statistic(rng.integers(0, n, (size, n))) for size in sizes])
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(statistic(np.arange(n))), float(low), float(high), n)
