"""A calibrated classifier as arrays, so that predicting needs numpy alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Calibrated:
    """A logistic score of F features, with the share of true examples by score.

    centre, scale, weights: float64 (F,); the score is ``bias + sum(weights * (features - centre) / scale)``.
    bias:   float64 (1,).
    scores: float64 (K,), ascending. shares: float64 (K,), ascending, strictly between 0 and 1: the calibration, linear
            in between and constant beyond both ends.
    level:  float64 (1,), the multiple of the odds: how much more, or less, is bought since the calibration.
    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    scores: NDArray[np.float64]
    shares: NDArray[np.float64]
    level: NDArray[np.float64]

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return float64 (n,), log odds before calibration. features: (n, F)."""
        slopes = self.weights / self.scale
        offset = self.bias[0] - float(slopes @ self.centre)
        return np.asarray(features @ slopes + offset, dtype=np.float64)

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 (n,), probabilities. features: (n, F)."""
        return self.calibrate(self.score(features))

    def calibrate(self, scores: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return float32 (n,), the probabilities of scores. scores: (n,)."""
        share = np.interp(scores, self.scores, self.shares)
        odds = self.level[0] * share
        return np.asarray(odds / (1 - share + odds), dtype=np.float32)
