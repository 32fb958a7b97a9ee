"""Whether a trained model may be published."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluate.intervals import Estimate, estimate_mean

MIN_ACCOUNTS = 30


@dataclass(frozen=True)
class GateMetric:
    """What is compared: the metric, and what it is measured on."""

    name: str
    units: str


ACCOUNTS_BY_NDCG, BASKETS_BY_HITS = GateMetric("NDCG@20", "accounts"), GateMetric("hit@10", "baskets")


@dataclass(frozen=True)
class GateDecision:
    """The decision, its reason, and the mean differences per account that it is based on."""

    is_published: bool
    reason: str
    over_popularity: Estimate
    over_live: Estimate | None


def decide_publication(
    candidate: NDArray[np.float64],
    popularity: NDArray[np.float64],
    live: NDArray[np.float64] | float | None,
    seed: int,
    period: str = "",
    metric: GateMetric = ACCOUNTS_BY_NDCG,
) -> GateDecision:
    """Publish what beats popularity beyond its interval and is not worse than the live model beyond its own.

    candidate, popularity: the metric, shape (n,), of the same accounts or baskets in the same order: NDCG@20 on new
    products, or whether the hidden product of a basket is among the first ten.
    live: the same of the live model. If that was trained on the held-out period, measuring it there would overrate
    it: then the lower bound of the interval in its own report. None if there is no live model.
    period: the days that were held out, named where too few accounts or baskets are of them.
    The differences are paired, so that differences between accounts or baskets cancel out.
    """
    over_popularity = estimate_mean(candidate - popularity, seed)
    over_live = estimate_mean(candidate - live, seed) if isinstance(live, np.ndarray) else None
    refusal = _refuse(over_popularity, over_live, period, metric) or _refuse_by_record(candidate, live, metric)
    reason = refusal or _praise(over_popularity, over_live, metric)
    return GateDecision(refusal is None, reason, over_popularity, over_live)


def _refuse(over_popularity: Estimate, over_live: Estimate | None, period: str, metric: GateMetric) -> str | None:
    if over_popularity.n < MIN_ACCOUNTS:
        n = over_popularity.n
        held_out = f" on the held-out days {period}" if period else ""
        needed = f"{MIN_ACCOUNTS} are needed to tell (--force publishes unmeasured)"
        return f"only {n} {metric.units} can be measured{held_out}; {needed}"
    if not over_popularity.low > 0:
        return f"not better than popularity: {metric.name} differs by {_text(over_popularity)}"
    if over_live is not None and over_live.high < 0:
        return f"worse than the live model: {metric.name} differs by {_text(over_live)}"
    return None


def _refuse_by_record(
    candidate: NDArray[np.float64], live: NDArray[np.float64] | float | None, metric: GateMetric
) -> str | None:
    if isinstance(live, float) and candidate.mean() < live:
        measured = f"{metric.name} {candidate.mean():.4f}"
        return f"worse than the live model was: {measured} is below its interval, from {live:.4f}"
    return None


def _praise(over_popularity: Estimate, over_live: Estimate | None, metric: GateMetric) -> str:
    reason = f"better than popularity: {metric.name} differs by {_text(over_popularity)}"
    if over_live is None:
        return f"{reason}; no live model could be measured on the same period"
    return f"{reason}; not worse than the live model: {_text(over_live)}"


def _text(estimate: Estimate) -> str:
    return f"{estimate.mean:+.4f} (95 % interval {estimate.low:+.4f} to {estimate.high:+.4f}, n = {estimate.n:,})"
