"""Where examples are few, fit on all of them and still calibrate on examples that the fit had not seen."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from threadpoolctl import threadpool_limits

from models.artifact.calibrated import Calibrated
from models.propensity.classifier import INVERSE_REGULARIZATION, MIN_POSITIVES, fit_classifier

WEAK_INVERSE_REGULARIZATION = 1e6

Rows = NDArray[np.int64]
Part = tuple[Rows, Rows]
"""The rows that a model learns from, and the rows that it then predicts."""


def fit_on_all(
    features: NDArray[np.float32],
    is_true: NDArray[np.bool_],
    parts: Sequence[Part],
    inverse_regularizations: Sequence[float] = (INVERSE_REGULARIZATION,),
) -> Calibrated:
    """Fit on every example, calibrated by the predictions of models of some examples for others.

    features: (n, F), finite. is_true: (n,). parts: in time order, each predicts rows that begin after all those that it
    learned from; where there is no time, the folds of a cross-validation. No row is predicted twice.
    The unseen scores give the calibration, by a sigmoid; the penalty is the one with which that has the least log loss;
    and the final model is fitted on all rows. Nothing is lost to a calibration window, whose examples are the latest
    and most useful. A calibration window of its own and isotonic shares (``calibrate``) are better where there are
    thousands of positives. Source: Platt (1999), who calibrates by cross-validation and refits, for the same reason.
    """
    outcome = is_true[np.concatenate([later for _, later in parts])]
    tried = []
    for strength in inverse_regularizations:
        scores = _unseen_scores(features, is_true, parts, strength)
        model = calibrate_by_sigmoid(fit_classifier(features, is_true, strength), scores, outcome)
        tried.append((log_loss(outcome, model.calibrate(scores), labels=[False, True]), model))
    return min(tried, key=lambda candidate: candidate[0])[1]


def calibrate_by_sigmoid(model: Calibrated, scores: NDArray[np.float64], is_true: NDArray[np.bool_]) -> Calibrated:
    """Replace a model's shares by a sigmoid of its score: two numbers, where isotonic regression would need many.

    scores: (n,), log odds before calibration, of examples that the model that gave them had not seen.
    Below about a thousand positives isotonic steps overfit and tie scores that differ; a sigmoid keeps the
    order. Where higher scores did not come true more often, all get the overall share.
    Sources: Platt (1999); Niculescu-Mizil and Caruana (ICML 2005) on how many examples isotonic regression needs.
    """
    if min(is_true.sum(), (~is_true).sum()) < MIN_POSITIVES:
        return model
    with threadpool_limits(1):
        fitted = LogisticRegression(C=WEAK_INVERSE_REGULARIZATION).fit(scores[:, None], is_true)
    slope, offset = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    if slope <= 0:
        slope, offset = 0.0, float(np.log(is_true.mean() / (1 - is_true.mean())))
    return replace(model, shares=1 / (1 + np.exp(-(slope * model.scores + offset))))


def _unseen_scores(
    features: NDArray[np.float32], is_true: NDArray[np.bool_], parts: Sequence[Part], inverse_regularization: float
) -> NDArray[np.float64]:
    return np.concatenate(
        [
            fit_classifier(features[rows], is_true[rows], inverse_regularization).score(features[later])
            for rows, later in parts
        ]
    )
