"""Which accounts are left without an offer, by which rules, and what the value of offers changes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.base.arbitration_options import ArbitrationOptions
from service.offers.decide import Ranked, rank_offers
from service.offers.gathering import gather
from service.offers.reasons import WithheldCode
from service.offers.request import OfferRequest
from service.offers.rules import ALLOWED, withheld_by_each_rule
from service.readmodel.live_state import LiveState

ACCOUNTS_AT_ONCE: Final = 250


@dataclass
class Coverage:
    """Counts of accounts; withheld_candidates counts candidates.

    short: with fewer offers than asked for. without_offers: with none; objecting: of these, who object to marketing.
    withheld_in: accounts of which a rule withholds any candidate.
    opened_by: accounts without offers that would have one if a rule alone were lifted.
    ranked_by_value: accounts whose offers are ranked by priority. first_by_value: of these, whose first offer is not
    the most likely of the allowed ones.
    """

    n_accounts: int = 0
    short: int = 0
    without_offers: int = 0
    objecting: int = 0
    ranked_by_value: int = 0
    first_by_value: int = 0
    withheld_candidates: Counter[WithheldCode] = field(default_factory=Counter)
    withheld_in: Counter[WithheldCode] = field(default_factory=Counter)
    opened_by: Counter[WithheldCode] = field(default_factory=Counter)


def measure_coverage(
    state: LiveState, account_ids: Sequence[str], limit: int, options: ArbitrationOptions, now: datetime
) -> Coverage:
    """Decide for some accounts, record nothing, and count. limit: offers for each."""
    coverage = Coverage()
    for begin in range(0, len(account_ids), ACCOUNTS_AT_ONCE):
        requests = [OfferRequest(account_id, limit) for account_id in account_ids[begin : begin + ACCOUNTS_AT_ONCE]]
        facts = gather(state, requests, options, now=now)
        for part in rank_offers(facts):
            _count_part(coverage, part, limit)
    return coverage


def _count_part(coverage: Coverage, part: Ranked, limit: int) -> None:
    facts = part.facts
    # A part holds either all accounts of its facts, or those of them whose list is full.
    places = np.array(part.places, dtype=np.int64)
    n_offers = np.array([len(selection.positions) for selection in part.selections])
    is_objecting = facts.is_objecting[places]
    is_empty = (n_offers == 0) | is_objecting
    coverage.n_accounts += len(places)
    coverage.short += int((n_offers < limit).sum() + (is_objecting & (n_offers >= limit)).sum())
    coverage.without_offers += int(is_empty.sum())
    coverage.objecting += int(is_objecting.sum())
    _count_rules(coverage, part, places, places[is_empty])
    _count_value(coverage, part, places)


def _count_rules(
    coverage: Coverage, part: Ranked, places: NDArray[np.int64], without_offers: NDArray[np.int64]
) -> None:
    pool = part.pool
    is_counted = np.isin(pool.account, places) & ~pool.is_repeated
    masks = {code: mask & is_counted for code, mask in withheld_by_each_rule(pool, part.facts).items()}
    is_alone = np.sum(list(masks.values()), axis=0) == 1
    for code, mask in masks.items():
        coverage.withheld_candidates[code] += int(mask.sum())
        coverage.withheld_in[code] += len(np.unique(pool.account[mask]))
        opened = np.unique(pool.account[mask & is_alone])
        coverage.opened_by[code] += int(np.isin(opened, without_offers).sum())


def _count_value(coverage: Coverage, part: Ranked, places: NDArray[np.int64]) -> None:
    """Count whose first offer is not the most likely of those that might have been first."""
    factors, facts, pool = part.arbitration.factors, part.facts, part.pool
    if factors is None:
        return
    likeliest = np.full(facts.n_accounts, -np.inf)
    is_allowed = part.arbitration.reasons == ALLOWED
    np.maximum.at(likeliest, pool.account[is_allowed], factors.propensity[is_allowed])
    is_prioritised = facts.is_prioritised
    for place, selection in zip(places.tolist(), part.selections, strict=True):
        if len(selection.positions) and is_prioritised[place] and not facts.is_objecting[place]:
            coverage.ranked_by_value += 1
            coverage.first_by_value += bool(factors.propensity[selection.positions[0]] < likeliest[place])
