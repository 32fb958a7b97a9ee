"""How likely each candidate of a pool is to be bought within the artifact's horizon."""

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW
from service.offers.candidates import CandidatePool
from service.offers.facts import Facts
from service.offers.sources.model import ModelList


def propensities(pool: CandidatePool, facts: Facts) -> NDArray[np.float32]:
    """Return float32 (m,): P(the account buys the candidate within the horizon), calibrated.

    A candidate in the model's list of its account has a probability of its own; any other the rate of its product,
    adjusted to the account's segment. What the account owned at training has the probability that it buys it again.
    NaN where nothing was learned.
    """
    learned = facts.content.propensities
    probabilities = learned.rates[pool.product] * _factors(facts)[pool.account]
    np.minimum(probabilities, 1, out=probabilities)
    slots = _list_slots(pool, facts)
    listed = (slots != NO_ROW).nonzero()[0]
    if len(listed):
        chance = learned.candidates.ravel()[slots[listed]]
        is_learned = ~np.isnan(chance)
        probabilities[listed[is_learned]] = chance[is_learned]
    if not facts.owned.is_empty:
        probabilities[facts.owned.has(pool.keys)] = np.nan
    return probabilities


def _factors(facts: Facts) -> NDArray[np.float32]:
    """Return float32 (n,): what rates are multiplied by for each account."""
    content = facts.content
    by_segment = content.propensities.factors
    factors = np.full(facts.n_accounts, by_segment[-1], dtype=np.float32)
    is_learned = facts.account_rows != NO_ROW
    factors[is_learned] = by_segment[content.customers.rfm_segment[facts.account_rows[is_learned]]]
    return factors


def _list_slots(pool: CandidatePool, facts: Facts) -> NDArray[np.int64]:
    """Return int64 (m,): where each candidate stands in the model's lists, flattened; NO_ROW where it does not."""
    slots = np.full(len(pool.product), NO_ROW, dtype=np.int64)
    for number, source in enumerate(pool.sources):
        if isinstance(source, ModelList):
            from_list = pool.source == number
            slots[from_list] = pool.origin[from_list]
            _find_others(slots, ~from_list, from_list, pool)
    return slots


def _find_others(
    slots: NDArray[np.int64], is_other: NDArray[np.bool_], is_listed: NDArray[np.bool_], pool: CandidatePool
) -> None:
    """Look up candidates of other sources that the lists have, too."""
    others, listed = is_other.nonzero()[0], is_listed.nonzero()[0]
    if not len(others):
        return
    keys = pool.keys[listed]
    order = keys.argsort()
    nearest = listed[order[keys[order].searchsorted(pool.keys[others]).clip(max=len(keys) - 1)]]
    is_same = pool.keys[nearest] == pool.keys[others]
    slots[others[is_same]] = pool.origin[nearest[is_same]]
