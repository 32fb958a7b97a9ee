"""Intervals of value, against a simulation of the models purchase by purchase."""

import numpy as np
import pytest

from models.customers.buying import BuyingModel
from models.customers.lifetime_value import ValueParameters, value_intervals
from models.customers.spending import SpendingModel

R, ALPHA, A, B = 0.9, 20.0, 1.2, 9.0
P, Q, GAMMA = 4.0, 4.0, 1_500.0
BUYING = BuyingModel(R, ALPHA, A, B, np.eye(4), 0.0, 1)
SPENDING = SpendingModel(P, Q, GAMMA, np.eye(3), 0.0, 1)
NOT_DISCOUNTED = ValueParameters(value_days=365, annual_rate=0.0)


def simulated(is_alive: float, x: int, age: float, mean_spend: float, n: int) -> list[float]:
    """Let an account that may be active live on ``n`` times; the 10th and the 90th percentile of its spend."""
    rng = np.random.default_rng(7)
    spent = []
    for _ in range(n):
        rate, leaving = rng.gamma(R + x) / (ALPHA + age), rng.beta(A, B + x)
        mean = P * (GAMMA + x * mean_spend) / rng.gamma(Q + P * x)
        day, total = rng.exponential(1 / rate) if rng.random() < is_alive else np.inf, 0.0
        while day <= 365:
            total += rng.gamma(P) * mean / P
            day += rng.exponential(1 / rate) if rng.random() >= leaving else np.inf
        spent.append(total)
    return [float(bound) for bound in np.quantile(spent, (0.1, 0.9))]


@pytest.mark.parametrize(("x", "last", "age"), [(0, 0.0, 100.0), (6, 200.0, 200.0), (6, 150.0, 200.0)])
def test_four_of_five_such_accounts_are_within(x: int, last: float, age: float) -> None:
    n, mean_spend = 2_000, 2_000.0
    columns = (np.full(n, value, dtype=np.float64) for value in (x, last, age, mean_spend))

    intervals = value_intervals(BUYING, SPENDING, NOT_DISCOUNTED, *columns)

    is_alive = float(BUYING.is_alive(*(np.array([value], dtype=np.float64) for value in (x, last, age)))[0])
    expected = simulated(is_alive, x, age, mean_spend, 20_000)
    assert intervals.mean(axis=0).tolist() == pytest.approx(expected, rel=0.15, abs=50)


def test_nothing_is_ahead_of_accounts_that_have_left() -> None:
    n = 100
    columns = (np.full(n, value) for value in (40.0, 40.0, 3_000.0, 2_000.0))

    intervals = value_intervals(BUYING, SPENDING, NOT_DISCOUNTED, *columns)

    assert not intervals.any()
