"""A logistic model, calibrated on later examples, as arrays that numpy alone can predict with."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from models.artifact.calibrated import Calibrated

INVERSE_REGULARIZATION = 0.1
MOST_ITERATIONS = 500
LEAST_POSITIVES = 10
"""With fewer examples of one kind there is nothing to fit: everybody gets the same share."""


def fit_classifier(
    features: NDArray[np.float32], is_true: NDArray[np.bool_], inverse_regularization: float = INVERSE_REGULARIZATION
) -> Calibrated:
    """Fit the logistic score; its shares are the model's own until ``calibrate`` has seen later examples.

    features: (n, F), finite. is_true: (n,), what came true.
    Features are centred and scaled, so that one L2 penalty fits all. Raises ValueError where a feature is not finite.
    """
    if not np.isfinite(features).all():
        raise ValueError("features are finite")
    centre, spread = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    scale = np.where(spread > 0, spread, 1.0)
    weights, bias = np.zeros(features.shape[1]), _log_odds(is_true)
    if min(is_true.sum(), (~is_true).sum()) >= LEAST_POSITIVES:
        model = LogisticRegression(C=inverse_regularization, max_iter=MOST_ITERATIONS)
        with threadpool_limits(1):
            model.fit((features - centre) / scale, is_true)
        weights, bias = model.coef_[0].astype(np.float64), float(model.intercept_[0])
    grid = np.linspace(-12, 12, 241)
    return Calibrated(centre, scale, weights, np.array([bias]), grid, 1 / (1 + np.exp(-grid)), np.ones(1))


def calibrate(model: Calibrated, features: NDArray[np.float32], is_true: NDArray[np.bool_]) -> Calibrated:
    """Replace a model's shares by those of later examples: isotonic regression on its scores.

    No share is 0 or 1: what did not happen among n examples may still happen, half of a time among n. Without any
    example the model stays as it is. Source: Zadrozny and Elkan (KDD 2002).
    """
    if not len(is_true):
        return model
    scores = model.score(features)
    fitted = IsotonicRegression(out_of_bounds="clip").fit(scores, is_true)
    least = 0.5 / len(is_true)
    shares = np.clip(np.asarray(fitted.y_thresholds_, dtype=np.float64), least, 1 - least)
    return replace(model, scores=np.asarray(fitted.X_thresholds_, dtype=np.float64), shares=shares)


def calibrated_bins(scores: NDArray[np.float32], is_true: NDArray[np.bool_], n_bins: int = 20) -> Calibrated:
    """Return a model of one feature: what share came true in each of ``n_bins`` ranges of a score, made monotone.

    What to fall back to where a model's probabilities can't be trusted: few numbers, each over many examples.
    """
    cuts = np.unique(np.quantile(scores, np.arange(1, n_bins) / n_bins))
    bins = np.searchsorted(cuts, scores, side="right")
    n = np.bincount(bins, minlength=len(cuts) + 1)
    middle = np.bincount(bins, weights=scores, minlength=len(n)) / np.maximum(n, 1)
    share = (np.bincount(bins, weights=is_true, minlength=len(n)) + 0.5) / (n + 1)
    kept = n > 0
    shares = IsotonicRegression().fit_transform(np.arange(kept.sum()), share[kept], sample_weight=n[kept])
    one = np.ones(1)
    return Calibrated(np.zeros(1), one, one, np.zeros(1), middle[kept], np.asarray(shares, dtype=np.float64), one)


def at_level(model: Calibrated, ratio: float) -> Calibrated:
    """Multiply a model's odds."""
    return replace(model, level=np.array([ratio]))


def _log_odds(is_true: NDArray[np.bool_]) -> float:
    share = (is_true.sum() + 0.5) / (len(is_true) + 1)
    return float(np.log(share / (1 - share)))
