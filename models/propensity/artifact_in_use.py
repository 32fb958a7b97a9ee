"""Comparison with the artifact in use: its predictions against the purchases since, and its scores against new ones."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW, Artifact, Propensities
from models.data.day_zone import UTC_DAYS, DayZone
from models.data.interactions import Interactions
from models.data.split import DAY_SECONDS, parse_time
from models.evaluate.artifact_in_use import NAME_IN_USE, translate
from models.evaluate.drift import level_z, stability_index, stability_limit
from models.evaluate.intervals import Estimate, estimate_ratio
from models.propensity.examples import bought_between
from models.propensity.train_propensity import LearnedPropensity
from models.ranking.weights import look_up
from models.report import describe

MAX_ACCOUNTS = 20_000
MIN_DAYS = 1.0
MIN_PURCHASES = 30
"""Expected or observed: with fewer of both there is no verdict."""
CAVEAT = "pairs of one account are alike, so z is larger than chance alone makes it: the interval is over accounts"


@dataclass(frozen=True)
class Outcomes:
    """n candidates that an artifact predicted, and their outcomes in the days since.

    account: int64 (n,), numbered without gaps. p: float64 (n,), within these days. is_true: bool (n,).
    """

    account: NDArray[np.int64]
    p: NDArray[np.float64]
    is_true: NDArray[np.bool_]
    elapsed_days: float

    def by_account(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Float64, sums over each account's candidates."""
        return np.bincount(self.account, weights=values).astype(np.float64)


def compare_with_outcomes(
    in_use: Artifact | None,
    interactions: Interactions,
    as_of: int,
    learned: LearnedPropensity,
    seed: int,
    zone: DayZone = UTC_DAYS,
) -> dict[str, Any]:
    """Compare the predictions of the artifact in use with the purchases since; "live" in the report.

    as_of:   now, in local seconds of the zone. learned: the propensities as of now, to tell whether the scores have
    moved.
    Empty where there is nothing to compare: no artifact, one as of the same time, or one without predictions.
    """
    outcomes = outcomes_since(in_use, interactions, as_of, seed, zone) if in_use else None
    if in_use is None or outcomes is None:
        return {}
    observed, expected = outcomes.by_account(outcomes.is_true), outcomes.by_account(outcomes.p)
    ratio = estimate_ratio(observed, expected, seed)
    is_enough = max(observed.sum(), expected.sum()) >= MIN_PURCHASES
    comparison = {
        "version": in_use.version,
        "elapsed_days": round(outcomes.elapsed_days, 3),
        "n": len(outcomes.p),
        "accounts": len(expected),
        "expected": round(float(expected.sum()), 3),
        "observed": int(observed.sum()),
        "observed_over_expected": describe(ratio),
        "z": round(level_z(outcomes.p, outcomes.is_true), 3),
        "z_note": CAVEAT,
        "stability": _stability(in_use, learned, seed),
        "has_drifted": not ratio.low <= 1 <= ratio.high if is_enough else None,
        "note": _verdict(ratio) if is_enough else "too few purchases were predicted and made since then to tell",
    }
    return {NAME_IN_USE: comparison}


def horizon_of(artifact: Artifact) -> float:
    """The horizon of its propensities in days; 0 where nothing was learned."""
    return float(json.loads(artifact.content.report).get("propensity", {}).get("horizon_days", 0.0))


def outcomes_since(
    in_use: Artifact, interactions: Interactions, as_of: int, seed: int, zone: DayZone = UTC_DAYS
) -> Outcomes | None:
    """Find which candidates of a sample of accounts were bought, until now or the end of the horizon.

    Probabilities are scaled to the elapsed days, as if chances were the same on each. Accounts and products that are no
    longer known are left out. None where nothing was predicted, or no day has passed.
    """
    content, horizon = in_use.content, horizon_of(in_use)
    then = zone.to_local_second(parse_time(in_use.manifest.as_of))
    elapsed = min((as_of - then) / DAY_SECONDS, horizon)
    if elapsed < MIN_DAYS:
        return None
    account = translate(list(content.account_ids.texts), interactions.account_ids)
    product = translate(list(content.products.ids.texts), interactions.product_ids)
    rows = _sample(content.propensities, account != NO_ROW, seed)
    listed, p = content.candidate_products[rows], content.propensities.candidates[rows].astype(np.float64)
    columns = np.where(listed == NO_ROW, NO_ROW, product[listed])
    bought = bought_between(interactions, then, elapsed)
    is_true = look_up(bought, account[rows][:, None], columns) > 0
    is_predicted = np.isfinite(p) & (columns != NO_ROW)
    if not is_predicted.any():
        return None
    _, number = np.unique(np.nonzero(is_predicted)[0], return_inverse=True)
    scaled = within(p[is_predicted], elapsed / horizon)
    return Outcomes(number.astype(np.int64), scaled, is_true[is_predicted], elapsed)


def within(p: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Scale probabilities to a share of their horizon, with a constant rate over the horizon."""
    return np.asarray(1 - (1 - p) ** share)


def _sample(propensities: Propensities, is_known: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Int64 (n,): rows of accounts with predictions."""
    rows = np.flatnonzero(is_known & np.isfinite(propensities.candidates).any(axis=1))
    chosen = np.random.default_rng(seed).permutation(rows)[:MAX_ACCOUNTS]
    return np.sort(chosen)


def _stability(in_use: Artifact, learned: LearnedPropensity, seed: int) -> dict[str, Any] | None:
    """Compare how many candidates each account is expected to buy, then and now: one number for each account."""
    horizon_then, horizon_now = horizon_of(in_use), float(learned.described.get("horizon_days", 0.0))
    common = min(horizon_then, horizon_now)
    if not common:
        return None
    before = _expected_purchases(in_use.content.propensities, common / horizon_then, seed)
    after = _expected_purchases(learned.propensities, common / horizon_now, seed)
    if not (len(before) and len(after)):
        return None
    limit = stability_limit(len(before), len(after))
    return {"index": round(stability_index(before, after), 6), "limit": round(limit, 6)}


def _expected_purchases(propensities: Propensities, share: float, seed: int) -> NDArray[np.float64]:
    rows = _sample(propensities, np.ones(len(propensities.candidates), dtype=np.bool_), seed)
    return np.asarray(np.nansum(within(propensities.candidates[rows].astype(np.float64), share), axis=1))


def _verdict(ratio: Estimate) -> str:
    interval = f"95 % interval {ratio.low:.2f} to {ratio.high:.2f}"
    text = f"{ratio.mean:.2f} times as many purchases as predicted, {interval}"
    if ratio.low > 1:
        return f"{text}: the artifact in use predicts too few"
    if ratio.high < 1:
        return f"{text}: the artifact in use predicts too many"
    return f"{text}: the predictions of the artifact in use still hold"
