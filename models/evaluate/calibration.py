"""Metrics of probabilities: of their order and of their level, with intervals over accounts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import run_starts
from models.artifact.measures import share_with_interval
from models.evaluate.intervals import LEVEL, Estimate

RESAMPLES = 200
BINS = 10
METRICS = (
    "auc", "average_precision", "brier", "brier_of_base_rate", "calibration_error", "observed_over_expected",
    "top_tenth_observed_over_expected", "top_tenth_lift",
)  # fmt: skip

Weights = NDArray[np.float64]


class Ties(NamedTuple):
    """Examples in order of their probability, the most likely first, and the runs of equal ones that hold a true one.

    account: int64 (n,), of each example. account_of_true: int64 (t,), of each true one.
    first_true: (k,), where each run's first is among the true ones. begin, end: (k,), where each run begins and ends.
    """

    account: NDArray[np.int64]
    account_of_true: NDArray[np.int64]
    first_true: NDArray[np.intp]
    begin: NDArray[np.intp]
    end: NDArray[np.intp]


@dataclass(frozen=True)
class Predictions:
    """n probabilities, or other scores, with their outcomes.

    p: float64 (n,). is_true: bool (n,). account: int64 (n,): examples of one account are drawn together when intervals
    are estimated, since they are alike.
    """

    p: NDArray[np.float64]
    is_true: NDArray[np.bool_]
    account: NDArray[np.int64]

    @cached_property
    def accounts(self) -> int:
        """One more than the highest account number."""
        return int(self.account.max(initial=-1)) + 1

    @cached_property
    def _descending(self) -> NDArray[np.intp]:
        return np.argsort(-self.p, kind="stable")

    @cached_property
    def _ties(self) -> "Ties":
        order = self._descending
        starts = np.flatnonzero(run_starts(self.p[order]))
        hits = np.flatnonzero(self.is_true[order])
        tie = np.searchsorted(starts, hits, side="right") - 1
        first_hits = np.flatnonzero(run_starts(tie))
        ends = np.append(starts[1:], len(order))
        account = self.account[order]
        return Ties(account, account[hits], first_hits, starts[tie[first_hits]], ends[tie[first_hits]])

    def order(self, weights: Weights) -> tuple[float, float]:
        """Return the area under the ROC curve, and average precision. weights: (accounts,).

        The first is P(a true example has a higher score than a false one), ties by halves; the second the precision at
        each true example, averaged, where those of one score come together.
        """
        ties = self._ties
        before = np.concatenate([[0.0], np.cumsum(weights[ties.account])])
        true = np.add.reduceat(weights[ties.account_of_true], ties.first_true)
        true_until, until = np.cumsum(true), before[ties.end]
        n_true, n_false = true_until[-1], before[-1] - true_until[-1]
        false_after = n_false - (until - true_until)
        false_in_tie = until - before[ties.begin] - true
        auc = (true * (false_after + false_in_tie / 2)).sum() / (n_true * n_false)
        return float(auc), float((true * (true_until / np.maximum(until, 1e-12))).sum() / n_true)

    @cached_property
    def bins(self) -> NDArray[np.int64]:
        """Int64 (n,): which tenth of the examples, by probability, each is in; 9 the most likely."""
        place = np.empty(len(self.p), dtype=np.int64)
        place[self._descending] = np.arange(len(self.p))
        return BINS - 1 - place * BINS // max(len(self.p), 1)

    @cached_property
    def _sums(self) -> NDArray[np.float64]:
        """Float64 (accounts, 3 * BINS + 1): examples, expected and observed by bin, and the squared error."""
        sums = np.zeros((self.accounts, 3 * BINS + 1))
        columns = (np.ones(len(self.p)), self.p, self.is_true.astype(np.float64))
        for place, values in enumerate(columns):
            np.add.at(sums, (self.account, place * BINS + self.bins), values)
        sums[:, -1] = np.bincount(self.account, (self.p - self.is_true) ** 2, self.accounts)
        return sums

    def binned(self, weights: Weights) -> dict[str, float]:
        """Metrics of the level of probabilities. weights: (accounts,)."""
        total = weights @ self._sums
        n, expected, observed = total[: 3 * BINS].reshape(3, BINS)
        base = observed.sum() / n.sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                "brier": total[-1] / n.sum(),
                "brier_of_base_rate": base * (1 - base),
                "calibration_error": np.abs(expected - observed).sum() / n.sum(),
                "observed_over_expected": observed.sum() / expected.sum(),
                "top_tenth_observed_over_expected": observed[-1] / expected[-1],
                "top_tenth_lift": observed[-1] / n[-1] / base,
            }

    def reliability(self) -> list[dict[str, Any]]:
        """Expected and observed shares, tenth by tenth, the least likely first; the latter with Wilson's interval."""
        n, expected, observed = (np.ones(self.accounts) @ self._sums)[: 3 * BINS].reshape(3, BINS)
        return [
            {
                "expected": round(float(expected[k] / n[k]), 6),
                "observed": share_with_interval(int(observed[k]), int(n[k])),
            }
            for k in range(BINS)
            if n[k]
        ]


def measure(predictions: Predictions, seed: int) -> dict[str, Estimate]:
    """Measure probabilities: METRICS, each with the 95 % interval over resampled accounts and the number of examples.

    Calibration error is the mean over examples of |expected - observed| in ten bins of as many examples each (Naeini,
    Cooper and Hauskrecht, AAAI 2015, there of equal width). Brier (1950) stands beside that of the base rate. Empty
    where there are no examples, or only true or only false ones.
    """
    if not predictions.is_true.any() or predictions.is_true.all():
        return {}

    def all_of(weights: Weights) -> list[float]:
        auc, precision = predictions.order(weights)
        metrics = {"auc": auc, "average_precision": precision} | predictions.binned(weights)
        return [metrics[name] for name in METRICS]

    return dict(zip(METRICS, _estimate(all_of, predictions, seed), strict=True))


def compare_precision(predictions: Mapping[str, Predictions], best: str, seed: int) -> dict[str, Estimate]:
    """Estimate how much one model's average precision is above each other's, on the same examples."""
    others = [name for name in predictions if name != best]

    def differences(weights: Weights) -> list[float]:
        _, own = predictions[best].order(weights)
        return [own - predictions[name].order(weights)[1] for name in others]

    return dict(zip(others, _estimate(differences, predictions[best], seed), strict=True))


def _estimate(statistic: Callable[[Weights], list[float]], predictions: Predictions, seed: int) -> list[Estimate]:
    rng = np.random.default_rng(seed)
    present = np.unique(predictions.account)
    drawn = []
    for _ in range(RESAMPLES):
        weights = np.zeros(predictions.accounts)
        weights[present] = np.bincount(rng.integers(0, len(present), len(present)), minlength=len(present))
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn.append(statistic(weights))
    low, high = np.nanquantile(np.array(drawn), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    point = statistic(np.ones(predictions.accounts))
    n = len(predictions.p)
    return [Estimate(value, float(a), float(b), n) for value, a, b in zip(point, low, high, strict=True)]


def describe_examples(predictions: Predictions) -> dict[str, Any]:
    """Count examples and accounts, and the share of examples that came true."""
    return {
        "examples": len(predictions.p),
        "accounts": len(np.unique(predictions.account)),
        "base_rate": round(float(predictions.is_true.mean()), 6) if len(predictions.p) else None,
    }
