"""What accounts will spend per purchase: the gamma-gamma model.

An account's purchases are gamma distributed (shape p) around a mean of its own, and the scale of these is gamma
distributed over accounts (shape q, rate gamma). Fader and Hardie, The Gamma-Gamma Model of Monetary Value (2013),
www.brucehardie.com/notes/025; Colombo and Jiang (1999).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln, psi

from models.customers.errors import NotEstimable
from models.customers.likelihood import MAX_LOGARITHM, covariance_at

Array = NDArray[np.float64]
MIN_ACCOUNTS: Final = 10


@dataclass(frozen=True)
class SpendingModel:
    """A fitted gamma-gamma model, in the unit of money that it was fitted with.

    p, q, gamma: parameters. covariance: (3, 3), of their logarithms; NaN where they are not identified.
    n: accounts with a repeat purchase.
    """

    p: float
    q: float
    gamma: float
    covariance: Array
    log_likelihood: float
    n: int

    @property
    def parameters(self) -> Array:
        """p, q, gamma."""
        return np.array([self.p, self.q, self.gamma])

    @property
    def standard_errors(self) -> Array:
        """Of p, q, gamma, by the curvature of the likelihood and the delta method."""
        return np.asarray(self.parameters * np.sqrt(np.diag(self.covariance)))

    @property
    def mean(self) -> float:
        """Expected spend per purchase of an account of which nothing is known; infinite where q is at most 1."""
        return self.p * self.gamma / (self.q - 1) if self.q > 1 else float("inf")

    def expected_spend(self, x: Array, mean_spend: Array) -> Array:
        """Expected spend per purchase of accounts with x repeat purchases of ``mean_spend``: between it and the mean.

        An account without a repeat purchase of a positive amount is expected to spend the mean.
        """
        knows = (x > 0) & (mean_spend > 0)
        n, spent = np.where(knows, x, 0.0), np.where(knows, mean_spend, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = self.p * (self.gamma + n * spent) / (self.p * n + self.q - 1)
        return np.where(self.p * n + self.q > 1, expected, np.where(knows, mean_spend, np.inf))


def fit_spending(x: Array, mean_spend: Array) -> SpendingModel:
    """Fit by maximum likelihood on accounts with repeat purchases whose mean spend is positive; others are left out.

    x: repeat purchases (n,); mean_spend: their mean (n,), any unit of money. Raises NotEstimable where fewer than ten
    are left.
    """
    usable = (x > 0) & (mean_spend > 0) & np.isfinite(mean_spend)
    x, mean_spend = x[usable], mean_spend[usable]
    n = len(x)
    if n < MIN_ACCOUNTS:
        raise NotEstimable(f"{n} accounts have spent something on a repeat purchase; {MIN_ACCOUNTS} are needed")
    # In units of the mean, so that the search begins near its end whatever the currency.
    unit = float(np.average(mean_spend, weights=x))
    m = mean_spend / unit
    values, places = np.unique(x, return_inverse=True)
    log_m, log_x = np.log(m), np.log(x)
    counts = np.bincount(places).astype(np.float64)

    def loss(logarithms: Array) -> tuple[float, Array]:
        p, q, gamma = np.exp(logarithms)
        shape, total = p * values + q, np.log(gamma + m * x)
        of_x = gammaln(shape) - gammaln(p * values)
        value = (
            counts @ of_x - n * gammaln(q) + n * q * np.log(gamma) - log_m.sum()
            + p * (x @ (log_m + log_x - total)) - q * total.sum()
        )  # fmt: skip
        by_shape = psi(shape)
        by_p = counts @ (values * (by_shape - psi(p * values))) + x @ (log_m + log_x - total)
        by_q = counts @ by_shape - n * psi(q) + n * np.log(gamma) - total.sum()
        by_gamma = n * q / gamma - ((p * x + q) / (gamma + m * x)).sum()
        gradient = np.array([by_p * p, by_q * q, by_gamma * gamma])
        return -float(value) / n, -gradient / n

    optimum = minimize(
        loss,
        np.log([5.0, 3.0, 0.5]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-MAX_LOGARITHM, MAX_LOGARITHM)] * 3,
        options={"maxiter": 500, "ftol": 1e-14, "gtol": 1e-9},
    )
    p, q, gamma = np.exp(optimum.x).tolist()
    # The density of money in its own unit: each observation's is divided by the unit.
    log_likelihood = -float(optimum.fun) * n - n * float(np.log(unit))
    return SpendingModel(p, q, gamma * unit, covariance_at(loss, optimum.x, n), log_likelihood, n)
