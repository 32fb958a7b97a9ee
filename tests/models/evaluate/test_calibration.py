"""Measures of probabilities: against an independent library, arithmetic, and simulated truth."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from models.evaluate.calibration import BINS, METRICS, Predictions, compare_precision, measure


def simulated(n: int = 20_000, per_account: int = 10, seed: int = 1) -> Predictions:
    """Examples that come true as often as predicted."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 9, n)
    return Predictions(p, rng.random(n) < p, np.arange(n, dtype=np.int64) // per_account)


def test_order_and_level_are_measured_as_by_an_independent_library() -> None:
    continuous = simulated(2_000)
    tied = Predictions(continuous.p.round(1), continuous.is_true, continuous.account)

    for predictions in (continuous, tied):
        measured = measure(predictions, 0)

        assert measured["auc"].mean == pytest.approx(roc_auc_score(predictions.is_true, predictions.p))
        assert measured["average_precision"].mean == pytest.approx(
            average_precision_score(predictions.is_true, predictions.p)
        )
        assert measured["brier"].mean == pytest.approx(brier_score_loss(predictions.is_true, predictions.p))


def test_predictions_that_come_true_as_often_as_predicted_are_calibrated() -> None:
    measured = measure(simulated(), 0)

    assert measured["calibration_error"].mean < 0.01
    for name in ("observed_over_expected", "top_tenth_observed_over_expected"):
        assert measured[name].low < 1 < measured[name].high


def test_doubled_probabilities_change_the_level_but_not_the_order() -> None:
    honest = simulated()
    doubled = Predictions(np.minimum(2 * honest.p, 1), honest.is_true, honest.account)

    measured, before = measure(doubled, 0), measure(honest, 0)

    assert measured["observed_over_expected"].high < 0.6
    assert measured["calibration_error"].mean == pytest.approx(honest.is_true.mean(), abs=0.02)
    assert measured["auc"].mean == pytest.approx(before["auc"].mean, abs=0.01)


def test_the_brier_score_of_the_base_rate_is_its_variance() -> None:
    predictions = simulated(1_000)

    base = predictions.is_true.mean()

    assert measure(predictions, 0)["brier_of_base_rate"].mean == pytest.approx(base * (1 - base))


def test_bins_hold_a_tenth_each_and_lift_is_of_the_last() -> None:
    p = np.arange(100) / 100
    is_true = np.zeros(100, dtype=np.bool_)
    is_true[[3, 92, 95, 99]] = True
    predictions = Predictions(p, is_true, np.arange(100))

    table = predictions.reliability()

    assert [row["observed"]["n"] for row in table] == [10] * BINS
    assert table[-1]["observed"]["value"] == 3 / 10
    assert table[-1]["expected"] == pytest.approx(sum(range(90, 100)) / 1000)
    assert measure(predictions, 0)["top_tenth_lift"].mean == pytest.approx((3 / 10) / (4 / 100))


def test_examples_of_one_account_are_drawn_together() -> None:
    apart = simulated(4_000, per_account=1)
    together = Predictions(np.repeat(apart.p, 5), np.repeat(apart.is_true, 5), np.repeat(apart.account, 5))

    width_apart, width_together = (
        measured["auc"].high - measured["auc"].low for measured in (measure(apart, 0), measure(together, 0))
    )

    assert width_together == pytest.approx(width_apart, rel=0.25)


def test_the_better_order_is_better_beyond_the_interval_and_the_same_is_not() -> None:
    honest = simulated(5_000)
    rng = np.random.default_rng(2)
    shuffled = Predictions(rng.permutation(honest.p), honest.is_true, honest.account)

    measured = compare_precision({"own": honest, "chance": shuffled, "same": honest}, "own", 0)

    assert measured["chance"].low > 0
    assert measured["same"].mean == measured["same"].low == measured["same"].high == 0


def test_where_all_is_true_or_nothing_is_there_is_nothing_to_measure() -> None:
    rest = np.zeros(3), np.arange(3)

    assert measure(Predictions(rest[0], np.zeros(3, dtype=np.bool_), rest[1]), 0) == {}
    assert measure(Predictions(rest[0], np.ones(3, dtype=np.bool_), rest[1]), 0) == {}


def test_every_figure_has_its_interval_around_it() -> None:
    measured = measure(simulated(3_000), 0)

    assert set(measured) == set(METRICS)
    for name, estimate in measured.items():
        assert estimate.low <= estimate.high
        if name != "calibration_error":  # resampled, it only grows: chance differences add up
            assert estimate.low <= estimate.mean <= estimate.high
