"""BG/NBD: the published figures, known truths, and the edges."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import dblquad
from scipy.special import hyp2f1
from scipy.stats import beta, gamma

from models.customers.buying import BuyingModel, fit_buying
from models.customers.errors import NotEstimable
from models.customers.history import PurchaseHistory
from tests.models.customers.conftest import Cdnow

CALIBRATED_WEEKS = 39


@pytest.fixture(scope="module")
def fitted(cdnow: Cdnow) -> BuyingModel:
    history, _ = cdnow
    return fit_buying(*in_weeks(history))


def in_weeks(history: PurchaseHistory) -> tuple[NDArray[np.float64], ...]:
    return history.n_repeat.astype(np.float64), history.last_days / 7, history.age_days / 7


def columns_of(*values: float) -> tuple[NDArray[np.float64], ...]:
    return tuple(np.array([value], dtype=np.float64) for value in values)


def test_the_published_parameters_and_likelihood(fitted: BuyingModel) -> None:
    """Fader, Hardie and Lee (2005), table 2."""
    assert fitted.n == 2357
    assert fitted.parameters == pytest.approx([0.243, 4.414, 0.793, 2.426], abs=0.001)
    assert fitted.log_likelihood == pytest.approx(-9582.4, abs=0.05)
    assert np.isfinite(fitted.standard_errors).all()


def test_the_published_expectation_of_one_customer(fitted: BuyingModel) -> None:
    assert fitted.expected_purchases(39, *columns_of(2, 30.43, 38.86)) == pytest.approx(1.226, abs=0.0005)


def test_purchases_of_the_later_period_are_predicted(fitted: BuyingModel, cdnow: Cdnow) -> None:
    history, later = cdnow
    expected = fitted.expected_purchases(CALIBRATED_WEEKS, *in_weeks(history))

    assert np.corrcoef(expected, later)[0, 1] >= 0.62
    assert expected.sum() == pytest.approx(later.sum(), rel=0.15)


MODEL = BuyingModel(0.243, 4.414, 0.793, 2.426, np.eye(4), 0.0, 1)


@pytest.mark.parametrize("x", [0, 1, 5, 30])
@pytest.mark.parametrize("days", [1.0, 39.0, 400.0])
def test_the_expectation_is_the_paper_s_equation(x: int, days: float) -> None:
    r, alpha, a, b = MODEL.parameters
    last, age = 30.0, 38.0
    z = days / (alpha + age + days)
    series = hyp2f1(r + x, b + x, a + b + x - 1, z)
    numerator = (a + b + x - 1) / (a - 1) * (1 - ((alpha + age) / (alpha + age + days)) ** (r + x) * series)
    gone = a / (b + x - 1) * ((alpha + age) / (alpha + last)) ** (r + x) if x else 0.0

    assert MODEL.expected_purchases(days, *columns_of(x, last, age)) == pytest.approx(numerator / (1 + gone), rel=1e-9)


def test_the_expectation_is_the_mean_over_rates_and_probabilities() -> None:
    """By brute force: the number of purchases is the lesser of a Poisson and a geometric number."""
    r, alpha, a, b = 1.3, 8.0, 1.7, 2.9
    model = BuyingModel(r, alpha, a, b, np.eye(4), 0.0, 1)

    def density(p: float, rate: float) -> float:
        expected = (1 - np.exp(-rate * p * 20)) / p
        return float(expected * gamma.pdf(rate, r + 3, scale=1 / (alpha + 25)) * beta.pdf(p, a, b + 3))

    mean, _ = dblquad(density, 0, 2, 1e-9, 1)

    x, last, age = columns_of(3, 22, 25)
    assert model.expected_purchases(20, x, last, age) / model.is_alive(x, last, age) == pytest.approx(mean, rel=1e-4)


@pytest.mark.parametrize("a", [0.5, 1 - 1e-9, 1.0, 1 + 1e-9, 2.0])
def test_extremes_stay_numbers_between_bounds(a: float) -> None:
    model = BuyingModel(0.5, 10.0, a, 1.0, np.eye(4), 0.0, 1)
    x = np.array([0, 0, 1, 2, 1e3, 1e5, 1e6])
    age = np.array([0, 1e4, 5.0, 1e4, 1e4, 1e4, 1e4])
    last = np.where(x > 0, age * 0.9, 0)

    alive = model.is_alive(x, last, age)
    expected = np.array([model.expected_purchases(days, x, last, age) for days in (1, 30, 365, 10_000)])

    assert ((alive >= 0) & (alive <= 1)).all()
    assert np.isfinite(expected).all()
    assert (expected >= 0).all()
    assert (np.diff(expected, axis=0) >= -1e-9).all(), "more time brings no fewer purchases"
    assert (expected[0] <= (0.5 + x) / (10 + age) * 1.01 + 1e-9).all(), "no more than at the account's rate"


@pytest.mark.parametrize("r", [0.01, 1.0, 50.0])
@pytest.mark.parametrize("b", [0.01, 0.5, 8_000.0])
@pytest.mark.parametrize("a", [0.01, 0.5, 5_000.0])
def test_parameters_at_the_edge_give_the_mean_over_probabilities(r: float, a: float, b: float) -> None:
    model = BuyingModel(r, 10.0, a, b, np.eye(4), 0.0, 1)
    x, age = np.array([0.0, 0.0, 3.0, 200.0]), np.array([0.0, 500.0, 500.0, 500.0])
    random = np.random.default_rng(0)
    p = np.maximum(random.beta(a, b + x, (200_000, 4)), 1e-300)

    for days in (30.0, 3_000.0):
        each = -np.expm1(-(r + x) * np.log1p(p * days / (10 + age))) / p
        spread = each.std(axis=0) / np.sqrt(len(p))
        expected = model.expected_purchases(days, x, age, age) / model.is_alive(x, age, age)

        assert (np.abs(expected - each.mean(axis=0)) <= 5 * spread + 0.003 * expected).all()


def simulate(
    r: float, alpha: float, a: float, b: float, n: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Let accounts buy as the model says: each at a rate of its own, until it leaves after a purchase."""
    random = np.random.default_rng(seed)
    rate, leaving = random.gamma(r, 1 / alpha, n), random.beta(a, b, n)
    age = random.uniform(100, 300, n)
    x, last = np.zeros(n), np.zeros(n)
    elapsed, is_active = np.zeros(n), np.ones(n, dtype=np.bool_)
    while is_active.any():
        elapsed[is_active] += random.exponential(1 / rate[is_active])
        is_active &= elapsed <= age
        x[is_active] += 1
        last[is_active] = elapsed[is_active]
        is_active &= random.random(n) >= leaving
    return x, last, age


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
@pytest.mark.parametrize("truth", [(0.8, 20.0, 0.9, 3.0), (2.0, 60.0, 1.5, 5.0)])
def test_known_parameters_are_recovered_within_their_standard_errors(
    truth: tuple[float, float, float, float], seed: int
) -> None:
    estimated = fit_buying(*simulate(*truth, n=20_000, seed=seed))

    distance = np.log(estimated.parameters / truth)
    squared = distance @ np.linalg.solve(estimated.covariance, distance)
    assert squared < 18.5, "the 99.9th percentile of chi-squared with 4 degrees"


def test_expectations_of_simulated_accounts_hold_for_new_ones() -> None:
    truth = (0.8, 20.0, 0.9, 3.0)
    x, _, age = simulate(*truth, n=50_000, seed=9)
    model = BuyingModel(*truth, np.eye(4), 0.0, 1)

    assert x.sum() == pytest.approx(model.new_account_purchases(age).sum(), rel=0.02)


def test_without_repeat_purchases_the_model_can_not_be_estimated() -> None:
    with pytest.raises(NotEstimable, match="no account has bought twice"):
        fit_buying(np.zeros(5), np.zeros(5), np.full(5, 30.0))


@pytest.mark.parametrize("n", [2, 3, 50])
def test_a_history_that_hardly_tells_anything_gives_finite_figures(n: int) -> None:
    x = last = np.arange(n, dtype=np.float64)
    age = np.full(n, 100.0)

    model = fit_buying(x, last, age)

    assert np.isfinite(model.parameters).all()
    assert np.isfinite(model.expected_purchases(90, x, last, age)).all()
    assert ((model.standard_errors > 0) | np.isnan(model.standard_errors)).all()
