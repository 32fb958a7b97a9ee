"""Fit on one window, calibrate on the next, judge on a third: the same for products, lines and categories."""

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
"""Calibration error above which the model is not used, but bins of the plain score."""
MIN_TRUE = 50
"""In each window: with fewer purchases nothing can be learned, or told to be right."""
LEVELS = (0.5, 2.0)
PRIOR_FIRSTS = 50.0
"""The logarithm of a level is taken to move by about 1 / sqrt(50) from window to window, before anything tells."""
METHODS = ("model", "bins")


@dataclass(frozen=True)
class NoveltyRate:
    """How many first purchases there were of late, and of how many pairs of account and thing they could have been."""

    firsts: float
    pairs: float

    def over(self, then: "NoveltyRate") -> float:
        """First purchases per pair over those of an earlier moment, between a half and two.

        As histories grow, less and less is new to an account. What was bought just before each moment tells how much.
        The fewer tell it, the nearer to 1: as a normal logarithm with the variance 1 / PRIOR_FIRSTS would be shrunk.
        """
        n = self.firsts * then.firsts / max(self.firsts + then.firsts, 1)
        if not n:
            return 1.0
        ratio = self.firsts / max(self.pairs, 1e-9) / (then.firsts / max(then.pairs, 1e-9))
        return float(np.clip(ratio ** (n / (n + PRIOR_FIRSTS)), *LEVELS))


@dataclass(frozen=True)
class Examples:
    """n pairs of account and thing that could have been bought at a moment, and whether they were within the horizon.

    features: float32 (n, F). score: float32 (n,), the plain score that bins are made of. is_true: bool (n,).
    account:  int64 (n,), its row.
    """

    features: NDArray[np.float32]
    score: NDArray[np.float32]
    is_true: NDArray[np.bool_]
    account: NDArray[np.int64]
    tide: NoveltyRate

    def foretold(self, p: NDArray[np.float32]) -> Predictions:
        """What was foretold of these pairs, and what became of them; accounts are numbered anew, without gaps."""
        _, account = np.unique(self.account, return_inverse=True)
        return Predictions(p.astype(np.float64), self.is_true, account.astype(np.int64))


@dataclass(frozen=True)
class Verdict:
    """Which method the gate lets through, what each foretold of the reported window, and how that compares."""

    method: str
    note: str
    told: Mapping[str, Predictions]
    measured: Mapping[str, Mapping[str, Estimate]]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class Predictor:
    """A model of one method, fitted and calibrated. tide: how much was new at the moment of its calibration."""

    method: str
    model: Calibrated
    tide: NoveltyRate

    def at(self, features: NDArray[np.float32], score: NDArray[np.float32], tide: NoveltyRate) -> "Predictor":
        """Return what it says at a later moment, of which some examples' features and scores stand for all."""
        model = relative_to(self.model, self._seen(features, score))
        return replace(self, model=at_level(model, tide.over(self.tide)), tide=tide)

    def predict(self, features: NDArray[np.float32], score: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 (n,), probabilities. features: (n, F). score: (n,)."""
        return self.model.predict(self._seen(features, score))

    def foretell(self, examples: Examples) -> NDArray[np.float32]:
        """Return float32 (n,): what it says of the examples of a later moment."""
        there = self.at(examples.features, examples.score, examples.tide)
        return there.predict(examples.features, examples.score)

    def _seen(self, features: NDArray[np.float32], score: NDArray[np.float32]) -> NDArray[np.float32]:
        return score[:, None] if self.method == "bins" else features


def learn_predictor(fit_on: Examples, calibrate_on: Examples, method: str) -> Predictor:
    """Fit on one window and calibrate on a later one; bins look at the later one alone."""
    if method == "bins":
        model = calibrated_bins(calibrate_on.score, calibrate_on.is_true)
    else:
        model = relative_to(fit_classifier(fit_on.features, fit_on.is_true), calibrate_on.features)
        model = calibrate(model, calibrate_on.features, calibrate_on.is_true)
    return Predictor(method, model, calibrate_on.tide)


def is_enough(windows: Sequence[Examples]) -> bool:
    """Tell whether enough was bought in each window, and not everything."""
    return all(min(int(of.is_true.sum()), int((~of.is_true).sum())) >= MIN_TRUE for of in windows)


def judge(first: Examples, second: Examples, third: Examples, seed: int) -> Verdict:
    """Fit on the first window, calibrate on the second, measure on the third; the gate is on the calibration error."""
    predictors = {method: learn_predictor(first, second, method) for method in METHODS}
    told = {method: third.foretold(predictor.foretell(third)) for method, predictor in predictors.items()}
    measured = {method: measure(foretold, seed) for method, foretold in told.items()}
    error = measured["model"]["calibration_error"].mean
    method = "model" if error <= MAX_ERROR else "bins"
    note = f"calibration error of the model {error:.4f}, at most {MAX_ERROR} to be used: the {method} is used"
    if method == "bins":
        note = note.replace("the bins is", "calibrated bins are")
    return Verdict(method, note, told, measured, predictors["model"].model.weights)


def describe_verdict(verdict: Verdict, features: Sequence[str]) -> dict[str, Any]:
    """What the report says of a verdict, its tables of metrics aside."""
    return {
        "method": verdict.method,
        "note": verdict.note,
        "examples": len(verdict.told[verdict.method].p),
        "weights": dict(zip(features, verdict.weights.round(4).tolist(), strict=True)),
        "reliability": verdict.told[verdict.method].reliability(),
    }
