"""How likely each candidate of a pool is to be bought: within the artifact's horizon, or next in the basket."""

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW
from models.artifact.basket_chances import features_of
from service.offers.candidates import CandidatePool
from service.offers.facts import Facts
from service.offers.reasons import Source
from service.offers.sources.model import ModelList, Neighbours


def propensities(pool: CandidatePool, facts: Facts) -> NDArray[np.float32]:
    """Return float32 (m,): P(the account buys the candidate within the horizon), calibrated.

    A candidate in the model's list of its account has a probability of its own; any other the rate of its product,
    adjusted to the account's segment. What the account may buy again has the probability of that. NaN where nothing was
    learned.
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
    # Rules withhold what is owned otherwise, so that nobody asks.
    if facts.repeats is not None and learned.has_any:
        place = facts.repeats.places(pool.keys)
        is_repeat = place != NO_ROW
        probabilities[is_repeat] = facts.repeats.score[place[is_repeat]]
    if facts.content.basket_chances.has_any and not facts.basket.is_empty:
        return _with_baskets(probabilities, pool, facts)
    return probabilities


def _with_baskets(of_accounts: NDArray[np.float32], pool: CandidatePool, facts: Facts) -> NDArray[np.float32]:
    """Return float32 (m,), in which candidates of requests with a basket have P(it is put into the basket next).

    What the basket's neighbours do not name has the account's probability, spread over the orders that are expected
    within the horizon; without an account, the rate of its product in orders.
    """
    sizes = np.bincount(facts.basket.account, minlength=facts.n_accounts)
    places = (sizes[pool.account] > 0).nonzero()[0]
    account, product = pool.account[places], pool.product[places]
    chances = facts.content.basket_chances
    is_known = (facts.account_rows != NO_ROW)[account]
    by_account = of_accounts[places] / _expected_orders(facts)[account]
    probabilities = np.where(is_known, by_account, chances.of_others(product))
    for source in pool.sources:
        if not (isinstance(source, Neighbours) and source.name is Source.BASKET):
            continue
        scores = source.scores
        named = facts.keys(scores.account, scores.product)
        place = named.searchsorted(pool.keys[places]).clip(max=len(named) - 1)
        is_named = named[place] == pool.keys[places]
        features = features_of(
            scores.score[place[is_named]], chances.rates[product[is_named]], sizes[account[is_named]]
        )
        probabilities[is_named] = chances.of_neighbours(features)
    completed = of_accounts.copy()
    completed[places] = probabilities
    return completed


def _expected_orders(facts: Facts) -> NDArray[np.float64]:
    """Return float64 (n,): on how many days each account is expected to buy within the horizon, at least 1."""
    customers, rows = facts.content.customers, facts.account_rows
    expected = np.ones(len(rows))
    known = (rows != NO_ROW).nonzero()[0]
    if len(known):
        rows, horizon = rows[known], facts.content.horizon_days
        days = np.maximum(customers.last_day[rows] - customers.first_day[rows], max(horizon, 1))
        expected[known] = np.maximum(customers.n_purchases[rows] * horizon / days, 1)
    return expected


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
            if pool.is_repeated.any():
                _find_others(slots, ~from_list, from_list, pool)
    return slots


def _find_others(
    slots: NDArray[np.int64], is_other: NDArray[np.bool_], is_listed: NDArray[np.bool_], pool: CandidatePool
) -> None:
    """Look up candidates of other sources that the lists have, too."""
    others, listed = is_other.nonzero()[0], is_listed.nonzero()[0]
    if not (len(others) and len(listed)):
        return
    keys = pool.keys[listed]
    order = keys.argsort()
    nearest = listed[order[keys[order].searchsorted(pool.keys[others]).clip(max=len(keys) - 1)]]
    is_same = pool.keys[nearest] == pool.keys[others]
    slots[others[is_same]] = pool.origin[nearest[is_same]]
