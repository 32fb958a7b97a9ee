"""The classifier: known coefficients and known probabilities are recovered, and numpy alone predicts as the library."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from models.artifact.calibrated import Calibrated
from models.evaluate.calibration import Predictions, measure
from models.propensity.classifier import at_level, calibrate, calibrated_bins, fit_classifier

TRUTH = np.array([1.5, -0.7, 0.0])
BIAS = -2.0


def examples(n: int, seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, what came true, and the probability that it would. shift: of the log odds, as in another season."""
    rng = np.random.default_rng(seed)
    features = rng.normal(3, 2, (n, 3)).astype(np.float32)
    log_odds = BIAS + shift + (features - 3) / 2 @ TRUTH
    p = 1 / (1 + np.exp(-log_odds))
    return features, rng.random(n) < p, p


def test_known_coefficients_are_recovered_within_their_standard_errors() -> None:
    features, is_true, p = examples(50_000, 1)

    model = fit_classifier(features, is_true, inverse_regularization=1e6)

    design = np.column_stack([np.ones(len(p)), (features - model.centre) / model.scale])
    information = design.T @ (design * (p * (1 - p))[:, None])
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    estimated = np.concatenate([model.bias, model.weights])
    assert (np.abs(estimated - np.concatenate([[BIAS], TRUTH])) < 4 * errors + 0.02).all()


def test_numpy_alone_predicts_what_the_library_does() -> None:
    features, is_true, _ = examples(2_000, 2)
    model = fit_classifier(features, is_true)
    scaled = (features - model.centre) / model.scale
    library = LogisticRegression(C=0.1, max_iter=500).fit(scaled, is_true)

    assert model.predict(features) == pytest.approx(library.predict_proba(scaled)[:, 1], abs=2e-3)
    assert model.score(features) == pytest.approx(library.decision_function(scaled), abs=1e-4)


def test_simulated_probabilities_are_recovered_by_calibration_on_a_later_window() -> None:
    model = fit_classifier(*examples(20_000, 3)[:2])
    later, came_true, _ = examples(40_000, 4, shift=-1.0)
    model_now = calibrate(model, later, came_true)

    features, is_true, p = examples(40_000, 5, shift=-1.0)
    predicted, before = model_now.predict(features).astype(np.float64), model.predict(features).astype(np.float64)

    assert np.abs(predicted - p).mean() < 0.01
    assert measure(Predictions(predicted, is_true, np.arange(len(p))), 0)["calibration_error"].mean < 0.01
    assert measure(Predictions(before, is_true, np.arange(len(p))), 0)["calibration_error"].mean > 0.05


def test_no_probability_is_zero_or_one_and_a_higher_score_is_never_less_likely() -> None:
    features, is_true, _ = examples(500, 6)
    model = calibrate(fit_classifier(features, is_true), features, features[:, 0] > 3)

    predicted = model.predict(features)

    assert predicted.min() > 0
    assert predicted.max() < 1
    order = np.argsort(model.score(features))
    assert (np.diff(predicted[order]) >= 0).all()


def test_an_outcome_never_seen_in_n_examples_has_probability_one_half_in_n() -> None:
    scores = np.repeat([-1.0, 0.0, 1.0], [400, 100, 50]).astype(np.float32)[:, None]
    is_true = np.zeros(550, dtype=np.bool_)
    is_true[450:500] = is_true[500:] = True
    ones = np.ones(1)
    model = Calibrated(np.zeros(1), ones, ones, np.zeros(1), ones, ones, ones)

    predicted = calibrate(model, scores, is_true).predict(scores)

    assert predicted[[0, 450, 549]] == pytest.approx([0.5 / 400, 0.5, 1 - 0.5 / 50])


def test_a_small_lowest_step_is_not_lifted_above_the_next() -> None:
    scores = np.repeat([-1.0, 0.0, 1.0], [1, 100, 100]).astype(np.float32)[:, None]
    is_true = np.zeros(201, dtype=np.bool_)
    is_true[1:6] = is_true[101:151] = True
    ones = np.ones(1)
    model = Calibrated(np.zeros(1), ones, ones, np.zeros(1), ones, ones, ones)

    predicted = calibrate(model, scores, is_true).predict(scores)

    assert predicted[[0, 1, 200]] == pytest.approx([0.05, 0.05, 0.5])


def test_bins_of_a_score_tell_the_share_that_came_true_in_each() -> None:
    rng = np.random.default_rng(7)
    scores = rng.random(10_000).astype(np.float32)
    is_true = rng.random(10_000) < scores**2

    predicted = calibrated_bins(scores, is_true).predict(scores[:, None])

    assert np.abs(predicted - scores**2).mean() < 0.02


def test_with_hardly_any_examples_everybody_gets_the_share_of_all() -> None:
    features = np.arange(20, dtype=np.float32)[:, None]
    is_true = np.zeros(20, dtype=np.bool_)
    is_true[:3] = True

    predicted = fit_classifier(features, is_true).predict(features)

    assert predicted == pytest.approx([3.5 / 21] * 20, abs=1e-3)


def test_a_level_multiplies_the_odds() -> None:
    features, is_true, _ = examples(5_000, 8)
    model = calibrate(fit_classifier(features, is_true), features, is_true)

    before, halved = model.predict(features), at_level(model, 0.5).predict(features)

    assert halved / (1 - halved) == pytest.approx(0.5 * before / (1 - before), rel=1e-3)


def test_a_feature_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        fit_classifier(np.array([[np.nan]], dtype=np.float32), np.array([True]))
