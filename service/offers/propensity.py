"""How likely each candidate of a pool is to be bought within the artifact's horizon."""

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW
from service.offers.candidates import CandidatePool
from service.offers.facts import Facts


def propensities(pool: CandidatePool, facts: Facts) -> NDArray[np.float32]:
    """Return float32 (m,): P(the account buys the candidate within the horizon), calibrated.

    A candidate in the model's list of its account has a probability of its own; any other the rate of its product,
    adjusted to the account's segment. NaN where nothing was learned, and for what the account owns.
    """
    content = facts.content
    segment_factors = content.propensities.factors_of(content.customers)
    unknown_factor = content.propensities.factors[-1]
    is_learned = facts.account_rows != NO_ROW
    factors = np.full(facts.n_accounts, unknown_factor, dtype=np.float32)
    factors[is_learned] = segment_factors[facts.account_rows[is_learned]]
    rates = content.propensities.rates[pool.product]
    probabilities: NDArray[np.float32] = np.minimum(rates * factors[pool.account], 1).astype(np.float32)
    slots = _list_slots(pool, facts)
    is_listed = slots != NO_ROW
    probabilities[is_listed] = content.propensities.candidates.ravel()[slots[is_listed]]
    if not facts.owned.is_empty:
        probabilities[facts.owned.has(pool.keys)] = np.nan
    return probabilities


def _list_slots(pool: CandidatePool, facts: Facts) -> NDArray[np.int64]:
    """Return int64 (m,): where each candidate stands in the model's lists, flattened; NO_ROW where it does not."""
    lists = facts.content.candidate_products
    width = lists.shape[1]
    accounts = np.flatnonzero(facts.account_rows != NO_ROW)
    rows = facts.account_rows[accounts]
    slots = (rows[:, None] * width + np.arange(width)).ravel()
    products = lists[rows].ravel()
    account = accounts.repeat(width)
    keys = account * facts.n_products + products
    keys[products == NO_ROW] = NO_ROW
    if not len(keys):
        return np.full(len(pool.product), NO_ROW, dtype=np.int64)
    order = keys.argsort(kind="stable")
    wanted = pool.account * facts.n_products + pool.product
    nearest = order[keys[order].searchsorted(wanted).clip(max=len(keys) - 1)]
    return np.where(keys[nearest] == wanted, slots[nearest], NO_ROW)
