"""Bootstrap intervals: what the same measurement might have been with other accounts."""

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
    n = len(values)
    if n == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    rng = np.random.default_rng(seed)
    step = max(DRAWS_PER_BATCH // n, 1)
    sizes = [min(step, resamples - begin) for begin in range(0, resamples, step)]
    means = np.concatenate([values[rng.integers(0, n, (size, n))].mean(axis=1) for size in sizes])
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(values.mean()), float(low), float(high), n)
