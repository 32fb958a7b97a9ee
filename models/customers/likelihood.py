"""Parameter bounds and covariance, for both likelihoods."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MAX_LOGARITHM: Final = 12.0
"""Parameters stay between exp(-12) and exp(12): beyond, accounts do not differ any more, or no longer matter."""
STEP: Final = 1e-4


def covariance_at(loss: Callable[[Array], tuple[float, Array]], parameters: Array, n: float) -> Array:
    """Invert the curvature of a likelihood, by central differences of its gradient.

    loss: returns the mean negative log-likelihood and its gradient. n: over how many the mean is taken.
    All NaN where the curvature is not that of a maximum: the data does not identify the parameters.
    """
    curvature = np.empty((len(parameters), len(parameters)))
    for place in range(len(parameters)):
        step = np.zeros(len(parameters))
        step[place] = STEP
        curvature[place] = (loss(parameters + step)[1] - loss(parameters - step)[1]) / (2 * STEP)
    unknown = np.full(curvature.shape, np.nan)
    try:
        covariance = np.linalg.inv((curvature + curvature.T) / 2 * n)
    except np.linalg.LinAlgError:
        return unknown
    return np.asarray(covariance) if (np.diag(covariance) > 0).all() else unknown
