"""Fitting on all: calibrated on examples that no fit had seen, with the penalty that predicts them best."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from models.evaluate.calibration import Predictions
from models.propensity.classifier import fit_classifier
from models.propensity.cross import calibrate_by_sigmoid, fit_on_all

N_NOISE = 60
PENALTIES = (1e-6, 0.003, 100.0)


def examples(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]:
    """Two features that matter among many that don't, what came true, and the probability that it would."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 2 + N_NOISE)).astype(np.float32)
    p = 1 / (1 + np.exp(2 - features[:, 0] + 0.5 * features[:, 1]))
    return features, rng.random(n) < p, p


def forward(n: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Four parts in time order, each predicted from all before it."""
    cuts = np.linspace(n // 5, n, 5).astype(np.int64)
    return [(np.arange(begin), np.arange(begin, end)) for begin, end in pairwise(cuts)]


def test_few_examples_are_calibrated_where_the_models_own_shares_overfit() -> None:
    features, is_true, _ = examples(800, 1)
    later, came_true, _ = examples(20_000, 2)

    cross = fit_on_all(features, is_true, forward(800))

    each = np.arange(len(later))
    error, overfitted = (
        Predictions(model.predict(later).astype(np.float64), came_true, each).binned(np.ones(len(later)))
        for model in (cross, fit_classifier(features, is_true))
    )
    assert error["calibration_error"] < 0.03
    assert error["calibration_error"] < overfitted["calibration_error"] - 0.01


def test_the_penalty_that_predicts_unseen_examples_best_is_chosen() -> None:
    features, is_true, _ = examples(800, 3)
    later, _, p = examples(20_000, 4)

    chosen = fit_on_all(features, is_true, forward(800), PENALTIES)

    each = [fit_on_all(features, is_true, forward(800), (penalty,)) for penalty in PENALTIES]
    errors = [np.abs(model.predict(later) - p).mean() for model in each]
    assert chosen.weights == pytest.approx(each[int(np.argmin(errors))].weights)
    assert min(errors) < 0.8 * max(errors)


def test_every_example_is_learned_from() -> None:
    features, is_true, _ = examples(2_000, 5)

    cross = fit_on_all(features, is_true, forward(2_000))

    assert cross.weights == pytest.approx(fit_classifier(features, is_true).weights)


def test_a_sigmoid_recovers_a_known_slope_and_offset_and_keeps_the_order() -> None:
    rng = np.random.default_rng(6)
    model = fit_classifier(*examples(500, 6)[:2])
    scores = rng.normal(-2, 2, 100_000)
    is_true = rng.random(100_000) < 1 / (1 + np.exp(-(0.5 * scores - 1)))

    calibrated = calibrate_by_sigmoid(model, scores, is_true)

    calibrated_p = calibrated.calibrate(np.array([-4.0, -2.0, 0.0]))
    assert calibrated_p == pytest.approx(1 / (1 + np.exp(-np.array([-3.0, -2.0, -1.0]))), abs=0.01)
    assert (np.diff(calibrated.calibrate(np.linspace(-8, 8, 1_000))) > 0).all()


def test_scores_that_tell_the_wrong_way_give_everybody_the_share_of_all() -> None:
    scores = np.linspace(-3, 3, 100)
    model = fit_classifier(*examples(500, 7)[:2])

    calibrated_p = calibrate_by_sigmoid(model, scores, scores < -1.5).calibrate(scores)

    assert calibrated_p == pytest.approx([(scores < -1.5).mean()] * 100)


def test_with_hardly_any_outcome_the_models_own_shares_stay() -> None:
    model = fit_classifier(*examples(500, 8)[:2])

    assert calibrate_by_sigmoid(model, np.zeros(30), np.arange(30) < 3) is model
