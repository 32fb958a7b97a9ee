"""Drift: whether probabilities still hold, by outcomes as they arrive, or by scores alone before any has arrived."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

RATIOS = (1 / 2, 2 / 3, 3 / 2, 2.0)
"""Multiples of the odds that are detected soonest; multiples between them and 1 are detected later."""
FALSE_ALARM_RATE = 0.05
STABILITY_BINS = 10
MIN_SHARE = 1e-4
"""The share of an empty bin, which keeps its logarithm finite."""


@dataclass(frozen=True)
class LevelWatch:
    """The result of ``watch_level``.

    noticed_after: the number of outcomes when drift was detected; None if it was not.
    since:         the outcome at which the odds most likely changed, counted from 0.
    ratio:         the one of RATIOS that explains the outcomes since then best; above 1, more come true than predicted.
    evidence:      float64 (n,), the logarithm of the statistic after each outcome.
    limit:         what the evidence is compared with.
    """

    noticed_after: int | None
    since: int
    ratio: float
    evidence: NDArray[np.float64]
    limit: float


def watch_level(
    p: NDArray[np.float64],
    is_true: NDArray[np.bool_],
    horizon: int,
    false_alarm_rate: float = FALSE_ALARM_RATE,
) -> LevelWatch:
    """Detect, from outcomes in the order they arrive, when no longer as many come true as predicted.

    p: float64 (n,), strictly between 0 and 1. is_true: bool (n,).
    As long as probabilities hold, the chance of any alarm among the first ``horizon`` outcomes is at most
    ``false_alarm_rate``, whatever the probabilities are and however often one looks; usually much less.

    Each outcome's likelihood with the odds multiplied by a ratio, over that as predicted, is multiplied up from every
    possible time of change and summed: the Shiryaev-Roberts statistic, the mean over RATIOS. Its expectation after
    n outcomes is n where nothing drifts, and it is a submartingale, so Doob's inequality bounds the chance that it ever
    reaches horizon / false_alarm_rate. The likelihood ratios are those of the risk-adjusted CUSUM.
    Sources: Pollak (Annals of Statistics 1985); Steiner, Cook, Farewell and Treasure (Biostatistics 2000); Shin, Ramdas
    and Rinaldo (2024) on mixtures of such detectors.
    """
    limit = float(np.log(horizon / false_alarm_rate))
    sums = np.cumsum(_log_likelihood_ratios(p, is_true), axis=1)
    before = np.concatenate([np.zeros((len(RATIOS), 1)), sums[:, :-1]], axis=1)
    each = sums + np.logaddexp.accumulate(-before, axis=1)
    evidence = np.logaddexp.reduce(each, axis=0) - np.log(len(RATIOS))
    is_over = evidence >= limit
    last = int(np.argmax(is_over)) if is_over.any() else len(p) - 1
    best = int(np.argmax(each[:, last]))
    since = int(np.argmin(before[best, : last + 1]))
    return LevelWatch(last + 1 if is_over.any() else None, since, RATIOS[best], evidence, limit)


def level_z(p: NDArray[np.float64], is_true: NDArray[np.bool_]) -> float:
    """Calibration in the large of one window: observed less expected, in standard errors; about N(0, 1) where p holds.

    For a single test of a window that was fixed beforehand; repeated tests need ``watch_level``.
    Source: Cox (Biometrika 1958), his test of the intercept, as the score test.
    """
    return float((is_true - p).sum() / np.sqrt((p * (1 - p)).sum()))


def stability_index(
    reference: NDArray[np.float64], current: NDArray[np.float64], n_bins: int = STABILITY_BINS
) -> float:
    """Population stability index of scores between two windows: needs no outcomes.

    reference: (n,), whose quantiles make the bins. current: (m,). By convention below .1 is stable and above .25 is
    not (Siddiqi 2006). A stable index does not show that probabilities hold, only that the population is the same.
    It is Jeffreys' divergence between the binned distributions, the sum of (a - b) * ln(a / b).
    """
    cuts = np.unique(np.quantile(reference, np.arange(1, n_bins) / n_bins))
    a, b = (_shares(np.searchsorted(cuts, scores, side="left"), len(cuts) + 1) for scores in (current, reference))
    return float(((a - b) * np.log(a / b)).sum())


def stability_limit(n: int, m: int, n_bins: int = STABILITY_BINS, false_alarm_rate: float = FALSE_ALARM_RATE) -> float:
    """Return what the index of two windows of n and m examples exceeds by chance at the rate given.

    Source: Yurdakul and Naranjo (Journal of Risk Model Validation 2020): chi-squared times 1 / n + 1 / m.
    """
    return float(chi2.ppf(1 - false_alarm_rate, n_bins - 1) * (1 / n + 1 / m))


def _log_likelihood_ratios(p: NDArray[np.float64], is_true: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Float64 (ratios, n): ln of each outcome's likelihood with the odds multiplied, over that as predicted."""
    ratios = np.array(RATIOS)[:, None]
    return np.asarray(is_true * np.log(ratios) - np.log1p((ratios - 1) * p))


def _shares(bins: NDArray[np.int64], n_bins: int) -> NDArray[np.float64]:
    return np.maximum(np.bincount(bins, minlength=n_bins) / len(bins), MIN_SHARE)
