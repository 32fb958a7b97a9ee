"""A logistic model, calibrated on later examples, as arrays that numpy alone can predict with."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from models.artifact.calibrated import Calibrated

INVERSE_REGULARIZATION = 0.1
MAX_ITERATIONS = 500
MIN_POSITIVES = 10
"""With fewer examples of one kind nothing is fitted: all get the same share."""


def fit_classifier(
    features: NDArray[np.float32],
    is_true: NDArray[np.bool_],
    inverse_regularization: float = INVERSE_REGULARIZATION,
    counts: NDArray[np.float64] | None = None,
) -> Calibrated:
    """Fit the logistic score; its shares are the model's own until ``calibrate`` has seen later examples.

    features: (n, F), finite. is_true: (n,), outcomes. counts: (n,), how many examples each stands for, by default one.
    Features are centred and scaled, so that one L2 penalty fits all. Raises ValueError where a feature is not finite.
    """
    if not np.isfinite(features).all():
        raise ValueError("features are finite")
    scaling = _centre_and_scale(features, counts)
    weights, bias = np.zeros(features.shape[1]), _log_odds(is_true)
    if min(is_true.sum(), (~is_true).sum()) >= MIN_POSITIVES:
        model = LogisticRegression(C=inverse_regularization, max_iter=MAX_ITERATIONS)
        with threadpool_limits(1):
            model.fit((features - scaling["centre"]) / scaling["scale"], is_true, sample_weight=counts)
        weights, bias = model.coef_[0].astype(np.float64), float(model.intercept_[0])
    grid = np.linspace(-12, 12, 241)
    shares = 1 / (1 + np.exp(-grid))
    return Calibrated(**scaling, weights=weights, bias=np.array([bias]), scores=grid, shares=shares, level=np.ones(1))


def relative_to(model: Calibrated, features: NDArray[np.float32]) -> Calibrated:
    """Standardise by the mean and spread of these features instead.

    As a history grows, all counts grow; relative to the others of the same snapshot, an account stays where it is.
    Without any features the model stays as it is.
    """
    if not len(features):
        return model
    return replace(model, **_centre_and_scale(features))


def _centre_and_scale(
    features: NDArray[np.float32], counts: NDArray[np.float64] | None = None
) -> dict[str, NDArray[np.float64]]:
    if counts is None:
        centre, spread = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    else:
        centre = counts @ features / counts.sum()
        spread = np.sqrt(np.maximum(counts @ np.square(features - centre) / counts.sum(), 0))
    return {"centre": centre, "scale": np.where(spread > 0, spread, 1.0)}


def by_score() -> Calibrated:
    """Return a model of one feature, a score, to be calibrated."""
    unit = np.ones(1)
    return Calibrated(np.zeros(1), unit, unit, np.zeros(1), np.zeros(1), np.full(1, 0.5), unit)


def calibrate(model: Calibrated, features: NDArray[np.float32], is_true: NDArray[np.bool_]) -> Calibrated:
    """Replace a model's shares by those of later examples: isotonic regression on its scores, centred.

    Isotonic regression makes steps; each is taken at its mean score, with straight lines between, so that examples keep
    their order. No share is 0 or 1: what did not happen among n examples may still happen, half of a time among n.
    Without any example the model stays as it is. Source: Zadrozny and Elkan (KDD 2002); Oron and Flournoy (Statistics
    in Biopharmaceutical Research, 2017).
    """
    if not len(is_true):
        return model
    scores = model.score(features)
    fitted = IsotonicRegression().fit_transform(scores, is_true)
    shares, step, size = np.unique(fitted, return_inverse=True, return_counts=True)
    centres = np.bincount(step, weights=scores) / size
    return replace(model, scores=centres, shares=_open_ended(shares.astype(np.float64), size))


def _open_ended(shares: NDArray[np.float64], size: NDArray[np.int64]) -> NDArray[np.float64]:
    """Move the lowest share off 0 and the highest off 1, by half a time among the examples of its step, in order."""
    if shares[0] == 0:
        shares[0] = min((0.5 / size[0], *shares[1:2]))
    if shares[-1] == 1:
        shares[-1] = max((1 - 0.5 / size[-1], *shares[-2:-1]))
    return shares


def calibrated_bins(scores: NDArray[np.float32], is_true: NDArray[np.bool_], n_bins: int = 20) -> Calibrated:
    """Return a model of one feature: the share of true examples in each of ``n_bins`` ranges of a score, made monotone.

    The fallback where a model's probabilities can't be trusted: few numbers, each over many examples. The score is
    centred and scaled, so that ``relative_to`` adapts it as all scores grow.
    """
    scaling, unit = _centre_and_scale(scores[:, None]), np.ones(1)
    scaled = (scores - scaling["centre"]) / scaling["scale"]
    cuts = np.unique(np.quantile(scaled, np.arange(1, n_bins) / n_bins))
    bins = np.searchsorted(cuts, scaled, side="right")
    n = np.bincount(bins, minlength=len(cuts) + 1)
    middle = np.bincount(bins, weights=scaled, minlength=len(n)) / np.maximum(n, 1)
    share = (np.bincount(bins, weights=is_true, minlength=len(n)) + 0.5) / (n + 1)
    kept = n > 0
    shares = IsotonicRegression().fit_transform(np.arange(kept.sum()), share[kept], sample_weight=n[kept])
    shares = np.asarray(shares, dtype=np.float64)
    return Calibrated(**scaling, weights=unit, bias=np.zeros(1), scores=middle[kept], shares=shares, level=unit)


def at_level(model: Calibrated, ratio: float) -> Calibrated:
    """Multiply a model's odds."""
    return replace(model, level=np.array([ratio]))


def _log_odds(is_true: NDArray[np.bool_]) -> float:
    share = (is_true.sum() + 0.5) / (len(is_true) + 1)
    return float(np.log(share / (1 - share)))
