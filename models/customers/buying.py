"""How often accounts will buy: the BG/NBD model.

While an account is active it buys at a rate of its own, lambda per day; after each purchase it leaves for good with a
probability of its own, p. Over accounts, lambda is gamma distributed (shape r, rate alpha), p beta distributed (a, b).
Fader, Hardie and Lee, "Counting Your Customers" the Easy Way, Marketing Science 24 (2005) 275-284; the equations are
numbered as there.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaincinv, expit, gammaln, hyp2f1, psi

from models.customers.errors import NotEstimable
from models.customers.likelihood import MAX_LOGARITHM, covariance_at

Array = NDArray[np.float64]

NEAR_POLE: Final = 1e-6
NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)


@dataclass(frozen=True)
class BuyingModel:
    """A fitted BG/NBD. Time is in days.

    r, alpha, a, b: parameters. covariance: (4, 4), of their logarithms; NaN where they are not identified.
    log_likelihood: at the maximum. n: accounts.
    """

    r: float
    alpha: float
    a: float
    b: float
    covariance: Array
    log_likelihood: float
    n: int

    @property
    def parameters(self) -> Array:
        """r, alpha, a, b."""
        return np.array([self.r, self.alpha, self.a, self.b])

    @property
    def standard_errors(self) -> Array:
        """Of r, alpha, a, b, by the curvature of the likelihood and the delta method."""
        return np.asarray(self.parameters * np.sqrt(np.diag(self.covariance)))

    def is_alive(self, x: Array, last: Array, age: Array) -> Array:
        """P(still active) of accounts with x repeat purchases. last, age: days from the first to the last and to now.

        One that never came back is active for sure by this model, as it can leave only after a purchase.
        """
        return _is_alive(self.parameters, x, last, age)

    def expected_purchases(self, days: float, x: Array, last: Array, age: Array) -> Array:
        """Expected number of purchases in the next ``days`` (equation 10)."""
        return _expected_if_alive(self.parameters, days, x, age) * self.is_alive(x, last, age)

    def new_account_purchases(self, days: Array) -> Array:
        """Expected number of repeat purchases of a new account in its first ``days`` (equation 9)."""
        return _expected_if_alive(self.parameters, days, np.zeros_like(days), np.zeros_like(days))


def fit_buying(x: Array, last: Array, age: Array) -> BuyingModel:
    """Fit by maximum likelihood.

    x: repeat purchases (n,); last, age: days from the first purchase to the last and to now. Equal accounts are
    counted once, with their number. Raises NotEstimable where nobody came back.
    """
    if not (x > 0).any():
        raise NotEstimable("no account has bought twice, so that there is no sign of how often accounts come back")
    groups, counts = np.unique(np.column_stack((x, last, age)), axis=0, return_counts=True)
    sample = _Sample.from_columns(groups[:, 0], groups[:, 1], groups[:, 2], counts.astype(np.float64))
    bounds = [(-MAX_LOGARITHM, MAX_LOGARITHM)] * 4
    begin = np.log([0.5, max(float(np.average(age)) / 4, 1e-3), 0.8, 2.5])
    optimum = minimize(
        sample.loss,
        begin,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 500, "ftol": 1e-14, "gtol": 1e-9},
    )
    r, alpha, a, b = np.exp(optimum.x).tolist()
    return BuyingModel(
        r, alpha, a, b, covariance_at(sample.loss, optimum.x, sample.n), -float(optimum.fun) * sample.n, int(sample.n)
    )


@dataclass(frozen=True)
class _Sample:
    """Distinct accounts (x, last, age) with how many there are of each; x's own distinct values, and where each is."""

    x: Array
    last: Array
    age: Array
    counts: Array
    values: Array
    places: NDArray[np.int64]
    n: float

    @classmethod
    def from_columns(cls, x: Array, last: Array, age: Array, counts: Array) -> "_Sample":
        values, places = np.unique(x, return_inverse=True)
        return cls(x, last, age, counts, values, places, float(counts.sum()))

    def loss(self, logarithms: Array) -> tuple[float, Array]:
        """Mean negative log-likelihood (equation 6), and its gradient by the logarithms of r, alpha, a, b."""
        r, alpha, a, b = np.exp(logarithms)
        x, values = self.x, self.values
        # What depends on x alone, for each of its values; gamma functions are what costs most.
        of_x = (gammaln(r + values) - gammaln(r) + r * np.log(alpha) + gammaln(a + b) - gammaln(b)
                + gammaln(b + values) - gammaln(a + b + values))  # fmt: skip
        log_age, log_last = np.log(alpha + self.age), np.log(alpha + self.last)
        has_repeat = x > 0
        before_last = np.maximum(b + x - 1, np.finfo(float).tiny)
        # How much likelier to have left at the last purchase than to be active: the odds of A4 to A3.
        log_odds = np.where(has_repeat, np.log(a) - np.log(before_last) + (r + x) * (log_age - log_last), -np.inf)
        each = of_x[self.places] - (r + x) * log_age + np.logaddexp(0.0, log_odds)
        gone = expit(log_odds)
        stayed = 1 - gone
        by_r = (psi(r + values) - psi(r) + np.log(alpha))[self.places] - stayed * log_age - gone * log_last
        by_alpha = r / alpha - (r + x) * (stayed / (alpha + self.age) + gone / (alpha + self.last))
        of_both = psi(a + b) - psi(a + b + values)
        by_a = of_both[self.places] + gone / a
        by_b = (of_both - psi(b) + psi(b + values))[self.places] - np.where(has_repeat, gone / before_last, 0.0)
        gradient = np.array([self.counts @ derivative for derivative in (by_r, by_alpha, by_a, by_b)]) * np.exp(
            logarithms
        )
        return -float(self.counts @ each) / self.n, -gradient / self.n


def _is_alive(parameters: Array, x: Array, last: Array, age: Array) -> Array:
    r, alpha, a, b = parameters
    before_last = np.where(x > 0, b + x - 1, 1.0)
    log_odds = np.log(a) - np.log(before_last) + (r + x) * (np.log(alpha + age) - np.log(alpha + last))
    return np.where(x > 0, expit(-log_odds), 1.0)


def _expected_if_alive(parameters: Array, days: float | Array, x: Array, age: Array) -> Array:
    """Equation 10 without its denominator.

    Its hypergeometric function is turned by Euler's transformation,
    2F1(A, B; C; z) = (1-z)^(C-A-B) 2F1(C-A, C-B; C; z): then x is in C alone, and many purchases make it converge
    faster instead of overflow. Where it fails all the same, which takes parameters at the edge, the mean is taken
    numerically.
    """
    r, alpha, a, b = parameters
    a = 1 + np.copysign(max(abs(a - 1), NEAR_POLE), a - 1)
    c = a + b + x - 1
    c = np.where(np.abs(c) < NEAR_POLE, NEAR_POLE, c)
    z = days / (alpha + age + days)
    with np.errstate(all="ignore"):
        expected = np.asarray(c / (a - 1) * (1 - (1 - z) ** (a - 1) * hyp2f1(a + b - 1 - r, a - 1, c, z)))
        at_rate = (r + x) * days / (alpha + age)
        is_wrong = ~((expected >= 0) & (expected <= at_rate * (1 + NEAR_POLE)))
    if is_wrong.any():
        some_days = np.broadcast_to(days, x.shape)[is_wrong]
        expected[is_wrong] = _mean_over_leaving(parameters, some_days, x[is_wrong], age[is_wrong])
    return expected


def _mean_over_leaving(parameters: Array, days: Array, x: Array, age: Array) -> Array:
    """The same as a mean over p, which is beta distributed (a, b + x) for an active account, by its quantiles.

    Given p, the rate's gamma distribution leaves (1 - (1 + p t / (alpha + T))^-(r + x)) / p purchases.
    """
    r, alpha, a, b = parameters
    values, places = np.unique(x, return_inverse=True)
    quantiles = np.maximum(betaincinv(a, b + values, (NODES[:, None] + 1) / 2), np.finfo(float).tiny)
    total = np.zeros(len(x))
    for p, weight in zip(quantiles, WEIGHTS / 2, strict=True):
        of_each = p[places]
        total += weight * -np.expm1(-(r + x) * np.log1p(of_each * days / (alpha + age))) / of_each
    return total
