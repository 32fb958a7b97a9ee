"""Gamma-gamma: the published figures, known truths, and the edges."""

import numpy as np
import pytest

from models.customers.errors import NotEstimable
from models.customers.spending import SpendingModel, fit_spending
from tests.models.customers.conftest import Cdnow

MODEL = SpendingModel(6.25, 3.74, 15.44, np.eye(3), 0.0, 946)


def test_the_published_parameters(cdnow: Cdnow) -> None:
    """Fader and Hardie (2013), on the 946 repeat buyers of the sample."""
    history, _ = cdnow

    estimated = fit_spending(history.n_repeat.astype(np.float64), history.mean_spend)

    assert estimated.n == 946
    assert estimated.parameters == pytest.approx([6.25, 3.74, 15.44], abs=0.01)
    assert estimated.mean == pytest.approx(35.17, abs=0.01)


def test_the_currency_s_unit_does_not_matter(cdnow: Cdnow) -> None:
    history, _ = cdnow
    x = history.n_repeat.astype(np.float64)

    whole, minor = fit_spending(x, history.mean_spend), fit_spending(x, 100 * history.mean_spend)

    assert minor.parameters == pytest.approx([whole.p, whole.q, 100 * whole.gamma], rel=1e-4)
    assert minor.log_likelihood == pytest.approx(whole.log_likelihood - whole.n * np.log(100), rel=1e-6)


def test_an_account_is_between_its_own_mean_and_that_of_all() -> None:
    x, spent = np.array([0, 1, 10, 1000.0]), np.array([np.nan, 100.0, 100.0, 100.0])

    expected = MODEL.expected_spend(x, spent)

    assert expected[0] == pytest.approx(MODEL.mean)
    assert (np.diff(expected) > 0).all()
    assert expected[3] == pytest.approx(100, rel=0.01)
    assert MODEL.expected_spend(np.array([3.0]), np.array([-5.0])) == pytest.approx(MODEL.mean)


@pytest.mark.parametrize("seed", range(3))
def test_known_parameters_are_recovered_within_their_standard_errors(seed: int) -> None:
    truth = np.array([4.0, 3.5, 2_000.0])
    random = np.random.default_rng(seed)
    x = random.integers(1, 12, 20_000)
    scale = random.gamma(truth[1], 1 / truth[2], len(x))
    mean_spend = random.gamma(truth[0] * x, 1 / scale) / x

    estimated = fit_spending(x.astype(np.float64), mean_spend)

    distance = np.log(estimated.parameters / truth)
    assert distance @ np.linalg.solve(estimated.covariance, distance) < 16.3, "99.9th percentile, 3 degrees"


def test_with_too_few_repeat_purchases_the_model_can_not_be_estimated() -> None:
    with pytest.raises(NotEstimable, match="2 accounts have spent something on a repeat purchase; 10 are needed"):
        fit_spending(np.array([1.0, 2.0, 3.0, 0.0]), np.array([10.0, 20.0, -3.0, np.nan]))


def test_where_accounts_spend_without_bounds_the_mean_is_infinite_and_told() -> None:
    model = SpendingModel(5.0, 0.8, 10.0, np.eye(3), 0.0, 100)

    assert model.mean == float("inf")
    assert model.expected_spend(np.array([4.0]), np.array([30.0])) == pytest.approx(5 * (10 + 120) / (20 + 0.8 - 1))
