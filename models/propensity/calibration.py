"""Fit on one window, calibrate on the next, measure on a third: the same for products, lines and categories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact.calibrated import Calibrated
from models.evaluate.calibration import Predictions, measure
from models.evaluate.intervals import Estimate
from models.propensity.classifier import at_level, calibrate, calibrated_bins, fit_classifier, relative_to

MAX_ERROR = 0.02
"""Calibration error above which bins of the plain score are used in place of the model."""
MIN_TRUE = 50
"""In each window: with fewer purchases nothing can be learned or measured."""
LEVELS = (0.5, 2.0)
PRIOR_PURCHASES = 50.0
"""Prior: the logarithm of a level changes by about 1 / sqrt(50) from window to window."""
METHODS = ("model", "bins")


@dataclass(frozen=True)
class RecentRate:
    """Recent purchases, first ones or repeats, and the pairs of account and product (or group) that could be one."""

    purchases: float
    pairs: float

    def ratio_to(self, earlier: "RecentRate") -> float:
        """Purchases per pair relative to an earlier rate, between a half and two.

        As histories grow, less and less is new to an account, and more and more of what it owns is of the past; what
        was bought just before each snapshot shows how much.
        Shrunk towards 1 where counts are small, like a normal logarithm with the variance 1 / PRIOR_PURCHASES.
        """
        n = self.purchases * earlier.purchases / max(self.purchases + earlier.purchases, 1)
        if not n:
            return 1.0
        ratio = self.purchases / max(self.pairs, 1e-9) / (earlier.purchases / max(earlier.pairs, 1e-9))
        return float(np.clip(ratio ** (n / (n + PRIOR_PURCHASES)), *LEVELS))


@dataclass(frozen=True)
class Examples:
    """n pairs of account and product (or group) that could have been bought at a snapshot, and whether they were.

    features: float32 (n, F). score: float32 (n,), the plain score that bins are made of. is_true: bool (n,), bought
              within the horizon. account: int64 (n,), its row. novelty: at the snapshot.
    """

    features: NDArray[np.float32]
    score: NDArray[np.float32]
    is_true: NDArray[np.bool_]
    account: NDArray[np.int64]
    novelty: RecentRate

    def predictions(self, p: NDArray[np.float32]) -> Predictions:
        """Predictions for these pairs with their outcomes. p: (n,). Accounts are numbered anew, without gaps."""
        _, account = np.unique(self.account, return_inverse=True)
        return Predictions(p.astype(np.float64), self.is_true, account.astype(np.int64))


@dataclass(frozen=True)
class Verdict:
    """The method that the gate lets through, each method's predictions for the reported window, and their metrics.

    weights: float64 (F,), of the model.
    """

    method: str
    note: str
    predictions: Mapping[str, Predictions]
    measured: Mapping[str, Mapping[str, Estimate]]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class Predictor:
    """A model of one method, fitted and calibrated. novelty: when it was calibrated."""

    method: str
    model: Calibrated
    novelty: RecentRate

    def adapted(self, features: NDArray[np.float32], score: NDArray[np.float32], novelty: RecentRate) -> "Predictor":
        """Adapt to a later snapshot. features: (n, F), score: (n,), of examples that represent it."""
        model = relative_to(self.model, self._inputs(features, score))
        return replace(self, model=at_level(model, novelty.ratio_to(self.novelty)), novelty=novelty)

    def predict(self, features: NDArray[np.float32], score: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 (n,), probabilities. features: (n, F). score: (n,)."""
        return self.model.predict(self._inputs(features, score))

    def predict_examples(self, examples: Examples) -> NDArray[np.float32]:
        """Return float32 (n,), probabilities of the examples of a later snapshot."""
        adapted = self.adapted(examples.features, examples.score, examples.novelty)
        return adapted.predict(examples.features, examples.score)

    def _inputs(self, features: NDArray[np.float32], score: NDArray[np.float32]) -> NDArray[np.float32]:
        return score[:, None] if self.method == "bins" else features


def learn_predictor(fit_on: Examples, calibrate_on: Examples, method: str) -> Predictor:
    """Fit on one window and calibrate on a later one; bins need the later one alone."""
    if method == "bins":
        model = calibrated_bins(calibrate_on.score, calibrate_on.is_true)
    else:
        model = relative_to(fit_classifier(fit_on.features, fit_on.is_true), calibrate_on.features)
        model = calibrate(model, calibrate_on.features, calibrate_on.is_true)
    return Predictor(method, model, calibrate_on.novelty)


def is_enough(windows: Sequence[Examples]) -> bool:
    """Whether each window has enough examples that were bought, and enough that were not."""
    return all(min(int(window.is_true.sum()), int((~window.is_true).sum())) >= MIN_TRUE for window in windows)


def judge(first: Examples, second: Examples, third: Examples, seed: int) -> Verdict:
    """Fit on the first window, calibrate on the second, measure on the third; the gate is on the calibration error."""
    predictors = {method: learn_predictor(first, second, method) for method in METHODS}
    predictions = {
        method: third.predictions(predictor.predict_examples(third)) for method, predictor in predictors.items()
    }
    return verdict_on(predictions, predictors["model"].model.weights, seed)


def verdict_on(predictions: Mapping[str, Predictions], weights: NDArray[np.float64], seed: int) -> Verdict:
    """Measure predictions of each of METHODS for a window that they had not seen, and let one through the gate."""
    measured = {method: measure(predicted, seed) for method, predicted in predictions.items()}
    error = measured["model"]["calibration_error"].mean
    method = "model" if error <= MAX_ERROR else "bins"
    chosen = "the model is" if method == "model" else "calibrated bins are"
    note = f"calibration error of the model {error:.4f}, at most {MAX_ERROR} to be used: {chosen} used"
    return Verdict(method, note, predictions, measured, weights)


def describe_verdict(verdict: Verdict, features: Sequence[str]) -> dict[str, Any]:
    """Describe a verdict for the report, without its tables of metrics."""
    chosen = verdict.predictions[verdict.method]
    return {
        "method": verdict.method,
        "note": verdict.note,
        "examples": len(chosen.p),
        "weights": dict(zip(features, verdict.weights.round(4).tolist(), strict=True)),
        "reliability": chosen.reliability(),
    }
