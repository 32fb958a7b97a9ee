"""What a goal would do to offers: those of a sample of accounts, with the lever at 1 and at its bound.

Each account's allowed candidates are ranked by P x V x L: the artifact's propensity, and the value that offers have in
arbitration, without policies that put some first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.base.arbitration_options import ArbitrationOptions
from service.offers.candidates import CandidatePool, collect_candidates
from service.offers.gathering import gather
from service.offers.propensity import propensities
from service.offers.request import OfferRequest
from service.offers.rules import ALLOWED, apply_rules
from service.offers.scores import sample_evenly
from service.readmodel.live_state import LiveState

MAX_SAMPLED: Final = 500
N_OFFERS: Final = 3
N_RESAMPLES: Final = 400
SEED: Final = 19

Values = NDArray[np.float64]


class Top(NamedTuple):
    """What the best offers of each account bring. Each float64 (n,), by account of the sample.

    in_scope: offers of the goal's scope. offers: all of them. purchases: expected, of the scope. value: of all offers.
    """

    in_scope: Values
    offers: Values
    purchases: Values
    value: Values


@dataclass(frozen=True)
class OffersPreview:
    """Offers with the lever at 1, and at its bound.

    n_accounts: that the goal's offers may go to. n_sampled: of them.
    uplift, uplift_low, uplift_high: expected purchases of the scope with the bound over those with 1, and the 80 %
    interval for the choice of accounts (bootstrap); None where nothing of the scope would be offered with 1.
    """

    n_accounts: int
    n_sampled: int
    usual: Top
    lifted: Top
    uplift: float | None
    uplift_low: float | None
    uplift_high: float | None

    @property
    def scale(self) -> float:
        """How many accounts each of the sample stands for."""
        return self.n_accounts / self.n_sampled

    @property
    def value_lost(self) -> float | None:
        """Share of the expected value of all offers that the bound costs."""
        value = float(self.usual.value.sum())
        return max(0.0, 1 - float(self.lifted.value.sum()) / value) if value > 0 else None


def preview_offers(
    state: LiveState,
    account_ids: Sequence[str],
    is_in_scope: NDArray[np.bool_],
    max_lever: float,
    options: ArbitrationOptions,
    now: datetime,
) -> OffersPreview | None:
    """Rank the offers of a sample of accounts; None without accounts. is_in_scope: bool (P,)."""
    if not account_ids:
        return None
    requests = [OfferRequest(account_id, N_OFFERS) for account_id in sample_evenly(account_ids, MAX_SAMPLED)]
    facts = gather(state, requests, options, now=now)
    pool = collect_candidates(facts, n_popular=N_OFFERS)
    is_allowed = apply_rules(pool, facts) == ALLOWED
    probability = np.nan_to_num(propensities(pool, facts).astype(np.float64))
    expected = probability * np.maximum(facts.values.value[pool.product], 0)
    is_scoped = is_in_scope[pool.product]
    usual, lifted = (
        _top(pool, facts.n_accounts, is_allowed, expected, np.where(is_scoped, lever, 1.0), is_scoped, probability)
        for lever in (1.0, max_lever)
    )
    uplift, low, high = _ratio(lifted.purchases, usual.purchases)
    return OffersPreview(len(account_ids), len(requests), usual, lifted, uplift, low, high)


def _top(
    pool: CandidatePool,
    n_accounts: int,
    is_allowed: NDArray[np.bool_],
    expected: Values,
    lever: Values,
    is_scoped: NDArray[np.bool_],
    probability: Values,
) -> Top:
    rows = np.flatnonzero(is_allowed)
    order = rows[np.lexsort((pool.product[rows], -(expected * lever)[rows], pool.account[rows]))]
    account = pool.account[order]
    starts = np.searchsorted(account, np.arange(n_accounts))
    best = order[np.arange(len(order)) - starts[account] < N_OFFERS]

    def by_account(weight: Values) -> Values:
        return np.bincount(pool.account[best], weight[best], n_accounts).astype(np.float64)

    scoped = is_scoped.astype(np.float64)
    purchases, offers = by_account(probability * scoped), by_account(np.ones(len(scoped)))
    return Top(by_account(scoped), offers, purchases, by_account(expected))


def _ratio(lifted: Values, usual: Values) -> tuple[float | None, float | None, float | None]:
    if usual.sum() <= 0:
        return None, None, None
    sample = np.random.default_rng(SEED).integers(0, len(usual), (N_RESAMPLES, len(usual)))
    below = usual[sample].sum(axis=1)
    ratios = lifted[sample].sum(axis=1)[below > 0] / below[below > 0]
    low, high = np.quantile(ratios, (0.1, 0.9)).tolist()
    return float(lifted.sum() / usual.sum()), low, high
