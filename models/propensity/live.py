"""Whether what the artifact in use foretold has held: its candidates, and what was bought of them since."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW, Artifact, Propensities
from models.data.interactions import Interactions
from models.data.split import DAY_SECONDS, as_moment
from models.evaluate.drift import level_z, stability_index, stability_limit
from models.evaluate.intervals import Estimate, estimate_ratio
from models.evaluate.live import translate
from models.propensity.examples import bought_between
from models.propensity.train_propensity import LearnedPropensity
from models.ranking.weights import look_up
from models.report import describe

MAX_ACCOUNTS = 20_000
MIN_DAYS = 1.0
MIN_PURCHASES = 30
"""Predictions or made: with fewer of both there is nothing to tell from."""
CAVEAT = "pairs of one account are alike, so z is larger than chance alone makes it: the interval is over accounts"


@dataclass(frozen=True)
class Since:
    """n candidates that an artifact foretold something of, and what became of them in the days since.

    account: int64 (n,), numbered without gaps. p: float64 (n,), within these days. is_true: bool (n,).
    """

    account: NDArray[np.int64]
    p: NDArray[np.float64]
    is_true: NDArray[np.bool_]
    elapsed_days: float

    def by_account(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Float64, sums over each account's candidates."""
        return np.bincount(self.account, weights=values).astype(np.float64)


def compare_live(
    live: Artifact | None, interactions: Interactions, as_of: int, now: LearnedPropensity, seed: int
) -> dict[str, Any]:
    """Describe how what the artifact in use foretold compares with what was bought since; "live" in the report.

    now: what was learned as of this moment (epoch seconds), to tell whether the scores have moved.
    Nothing where there is nothing to compare: no artifact, one as of the same moment, or one that foretold nothing.
    """
    since = outcomes_since(live, interactions, as_of, seed) if live else None
    if live is None or since is None:
        return {}
    observed, expected = since.by_account(since.is_true), since.by_account(since.p)
    ratio = estimate_ratio(observed, expected, seed)
    is_enough = max(observed.sum(), expected.sum()) >= MIN_PURCHASES
    found = {
        "version": live.version,
        "elapsed_days": round(since.elapsed_days, 3),
        "n": len(since.p),
        "accounts": len(expected),
        "expected": round(float(expected.sum()), 3),
        "observed": int(observed.sum()),
        "observed_over_expected": describe(ratio),
        "z": round(level_z(since.p, since.is_true), 3),
        "z_note": CAVEAT,
        "stability": _stability(live, now, seed),
        "has_drifted": not ratio.low <= 1 <= ratio.high if is_enough else None,
        "note": _say(ratio) if is_enough else "too little was foretold and bought since then to tell",
    }
    return {"live": found}


def horizon_of(artifact: Artifact) -> float:
    """How many days its propensities are about; 0 where nothing was learned."""
    return float(json.loads(artifact.content.report).get("propensity", {}).get("horizon_days", 0.0))


def outcomes_since(live: Artifact, interactions: Interactions, as_of: int, seed: int) -> Since | None:
    """Find what was bought, of what a sample of accounts was foretold, until now or the end of its horizon.

    Probabilities are brought to the days gone by, as if chances were alike on each. Accounts and products that are no
    longer known are left out. None where nothing was foretold, or no day has passed.
    """
    content, then, horizon = live.content, as_moment(live.manifest.as_of), horizon_of(live)
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
    told = np.isfinite(p) & (columns != NO_ROW)
    if not told.any():
        return None
    _, number = np.unique(np.nonzero(told)[0], return_inverse=True)
    return Since(number.astype(np.int64), within(p[told], elapsed / horizon), is_true[told], elapsed)


def within(p: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Bring probabilities to a share of their horizon, each part of which is taken to be like the others."""
    return np.asarray(1 - (1 - p) ** share)


def _sample(told: Propensities, is_known: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Int64 (n,): rows of accounts that something was foretold of."""
    rows = np.flatnonzero(is_known & np.isfinite(told.candidates).any(axis=1))
    chosen = np.random.default_rng(seed).permutation(rows)[:MAX_ACCOUNTS]
    return np.sort(chosen)


def _stability(live: Artifact, now: LearnedPropensity, seed: int) -> dict[str, Any] | None:
    """Compare how many candidates each account is foretold to buy, then and now: one number for each account."""
    horizon, horizon_now = horizon_of(live), float(now.described.get("horizon_days", 0.0))
    common = min(horizon, horizon_now)
    if not common:
        return None
    before = _purchases_of_each(live.content.propensities, common / horizon, seed)
    after = _purchases_of_each(now.propensities, common / horizon_now, seed)
    if not (len(before) and len(after)):
        return None
    limit = stability_limit(len(before), len(after))
    return {"index": round(stability_index(before, after), 6), "limit": round(limit, 6)}


def _purchases_of_each(told: Propensities, share: float, seed: int) -> NDArray[np.float64]:
    rows = _sample(told, np.ones(len(told.candidates), dtype=np.bool_), seed)
    return np.asarray(np.nansum(within(told.candidates[rows].astype(np.float64), share), axis=1))


def _say(ratio: Estimate) -> str:
    told = (
        f"{ratio.mean:.2f} times as much was bought as was foretold, 95 % interval {ratio.low:.2f} to {ratio.high:.2f}"
    )
    if ratio.low > 1:
        return f"{told}: more is bought than the artifact in use says"
    if ratio.high < 1:
        return f"{told}: less is bought than the artifact in use says"
    return f"{told}: what the artifact in use says still holds"
