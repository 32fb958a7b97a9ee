"""Interest measures of pairs of products, each defined once.

Of n baskets, ``a`` hold the first product, ``b`` the second, ``ab`` both. Definitions follow Hahsler, "A Probabilistic
Comparison of Commonly Used Interest Measures for Association Rules" (2015); the log-likelihood ratio is Dunning's
("Accurate Methods for the Statistics of Surprise and Coincidence", 1993), the false discovery rate Benjamini and
Hochberg's (1995). All take and return float64 arrays of one shape, one entry per pair.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc, xlogy

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """Numbers of baskets (or accounts): with both products, with the first, with the second, and in all."""

    ab: Floats
    a: Floats
    b: Floats
    n: Floats | float

    def __getitem__(self, kept: NDArray[np.bool_] | NDArray[np.intp]) -> "Counts":
        n = self.n[kept] if isinstance(self.n, np.ndarray) else self.n
        return Counts(self.ab[kept], self.a[kept], self.b[kept], n)

    def swapped(self) -> "Counts":
        """The same pairs the other way round."""
        return Counts(self.ab, self.b, self.a, self.n)


def support(counts: Counts) -> Floats:
    """``ab / n``: the share of baskets with both."""
    return counts.ab / counts.n


def confidence(counts: Counts) -> Floats:
    """``ab / a``: the share, among baskets with the first, of those with the second too."""
    return counts.ab / counts.a


def lift(counts: Counts) -> Floats:
    """``ab n / (a b)``: how many times as often as by chance they are together; 1 if independent."""
    return counts.ab * counts.n / (counts.a * counts.b)


def cosine(counts: Counts) -> Floats:
    """``ab / sqrt(a b)``: between 0, never together, and 1, never apart."""
    return counts.ab / np.sqrt(counts.a * counts.b)


def added_confidence(counts: Counts) -> Floats:
    """``ab / a - b / n``: how much likelier the second is in a basket with the first; "centered confidence"."""
    return counts.ab / counts.a - counts.b / counts.n


def log_likelihood_ratio(counts: Counts) -> Floats:
    """``2 sum k ln(k / expected k)`` over the four cells; chi-squared with one degree of freedom if independent."""
    ab, a, b, n = counts.ab, counts.a, counts.b, counts.n

    def k_log_k(k: Floats | float) -> Floats:
        return np.asarray(xlogy(k, k))

    # Grouped so that a pair and its reverse give the very same number.
    cells = k_log_k(ab) + (k_log_k(a - ab) + k_log_k(b - ab)) + k_log_k(n - (a + b) + ab)
    margins = (k_log_k(a) + k_log_k(b)) + (k_log_k(n - a) + k_log_k(n - b))
    return np.maximum(0, 2 * (cells - margins + k_log_k(n)))


def attraction_p(counts: Counts, independent: Floats | float = 1.0) -> Floats:
    """The one-sided p value of "together more often than by chance", from the log-likelihood ratio; 1 below chance.

    independent: customers per basket with both, at most 1. Baskets of one customer are no independent witnesses, so
    the ratio counts as if there were as many baskets as customers (a design effect: Kish, "Survey Sampling", 1965).
    """
    halved = erfc(np.sqrt(log_likelihood_ratio(counts) * independent / 2)) / 2
    return np.where(counts.ab * counts.n > counts.a * counts.b, halved, 1.0)


def discovered(p: Floats, n_tests: int, rate: float) -> NDArray[np.bool_]:
    """Tell which of some tests stand if on average a share ``rate`` of those that stand may be false.

    n_tests: how many were made in all. Those that are not in ``p`` count as p = 1: leaving out what was never seen
             together would make chance finds look rare.
    """
    ordered = np.sort(p)
    stands = ordered <= rate * np.arange(1, len(p) + 1) / n_tests
    bar = ordered[np.flatnonzero(stands)[-1]] if stands.any() else -1.0
    return np.asarray(p <= bar)
