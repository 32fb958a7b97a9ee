"""Which of the allowed candidates each account is offered, in which order."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.offers.candidates import CandidatePool
from service.offers.diversity import ProductGroups, groups_of, select_diverse
from service.offers.facts import Facts
from service.offers.priorities import Priorities, prioritise
from service.offers.rules import ALLOWED, BELOW_FLOOR, N_REASONS, SIMILAR
from service.offers.sources.blocks import CandidateSource
from service.offers.sources.model import ModelList, Popular
from service.offers.sources.relationships import Promoted, Upgrades
from service.offers.sources.repeats import RepeatPurchases

MIX: Final = np.uint64(0x9E3779B97F4A7C15)
"""Odd multiplier that spreads product rows (Knuth, volume 3, 6.4): equal priorities have no fixed order."""


LAST_TIER: Final = 2
N_TIERS: Final = LAST_TIER + 1
MERGED: Final = (ModelList, RepeatPurchases)
"""Sources whose scores are comparable."""
NO_POSITIONS: Final = np.empty(0, dtype=np.int64)


class Selection(NamedTuple):
    """What one account is offered out of a pool.

    positions: int64 (k,), of the chosen candidates in the pool, best first.
    withheld:  int64, N_REASONS or more, how many candidates each rule, and then each policy, withheld until the list
               was full; see ``apply_rules``.
    similar:   int64 (s,), positions of candidates that were passed over for diversity.
    is_full:   whether as many are chosen as were asked for.
    """

    positions: NDArray[np.int64]
    withheld: NDArray[np.int64]
    similar: NDArray[np.int64]
    is_full: bool


class Arbitration(NamedTuple):
    """How the candidates of a pool compete.

    order:   int64 (m,), the candidates of each account together, in the order in which they are offered.
    reasons: int16 (m,), as ``apply_rules`` gives them, with those that are below the floor.
    factors: None where the artifact has no propensities.
    """

    order: NDArray[np.int64]
    reasons: NDArray[np.int16]
    factors: Priorities | None


def compete(pool: CandidatePool, reasons: NDArray[np.int16], facts: Facts) -> Arbitration:
    """Order the candidates, and withhold those that are below the floor. reasons: see ``apply_rules``."""
    factors = prioritise(pool, facts)
    is_prioritised = facts.is_prioritised[pool.account]
    if factors is None or not is_prioritised.any():
        return Arbitration(_by_source(pool, facts), reasons, factors)
    options = facts.options
    if options.min_propensity or options.min_expected_value_minor:
        expected_value = factors.propensity * factors.value
        is_below = (factors.propensity < options.min_propensity) | (expected_value < options.min_expected_value_minor)
        is_below &= is_prioritised & (reasons == ALLOWED)
        reasons = np.where(is_below, BELOW_FLOOR, reasons).astype(np.int16)
    return Arbitration(_by_priority(pool, factors, is_prioritised, facts), reasons, factors)


def arbitrate(pool: CandidatePool, arbitration: Arbitration, facts: Facts) -> list[Selection]:
    """Choose up to ``facts.limits`` allowed candidates for each account."""
    order = arbitration.order
    reasons, groups = arbitration.reasons[order], groups_of(pool.product[order], facts.products)
    n_each = np.bincount(pool.account, minlength=facts.n_accounts).tolist()
    selections: list[Selection] = []
    begin = 0
    for n_candidates, limit, has_among in zip(n_each, facts.limits.tolist(), facts.has_among.tolist(), strict=True):
        end = begin + n_candidates
        part = order[begin:end], reasons[begin:end]
        selections.append(_select_all(*part) if has_among else _select(*part, groups.part(begin, end), limit))
        begin = end
    return selections


def _by_source(pool: CandidatePool, facts: Facts) -> NDArray[np.int64]:
    """Order the candidates of each account by their sources, best first within each.

    Upgrades go first where only some of them do. What an account may buy again is ranked among the model's list, whose
    scores are comparable.
    """
    if facts.first_upgrades is not None or facts.repeats is not None:
        is_merged = np.array([isinstance(source, MERGED) for source in pool.sources], dtype=np.bool_)[pool.source]
        keys = np.where(is_merged, -pool.score, 0), _places_with_repeats(pool.sources)[pool.source]
        if facts.first_upgrades is None:
            return np.lexsort((*keys, pool.account))
        tiers = _tiers([_tier(source, facts) for source in pool.sources], pool, facts)
        return np.lexsort((*keys, tiers, pool.account))
    if facts.n_accounts == 1:
        return np.arange(len(pool.product))
    return pool.account.argsort(kind="stable")


def _places_with_repeats(sources: list[CandidateSource]) -> NDArray[np.float64]:
    """Return the rank of each source: repeats have that of the model's list, or else come before popular products."""
    places = np.arange(len(sources), dtype=np.float64)
    before = next((place for place, source in enumerate(sources) if isinstance(source, Popular)), len(sources)) - 0.5
    listed = next((place for place, source in enumerate(sources) if isinstance(source, ModelList)), before)
    places[[isinstance(source, RepeatPurchases) for source in sources]] = listed
    return places


def _by_priority(
    pool: CandidatePool, factors: Priorities, is_prioritised: NDArray[np.bool_], facts: Facts
) -> NDArray[np.int64]:
    """Order the candidates of each account: upgrades where they go first, what is promoted, then by priority.

    is_prioritised: bool (m,); the others are ordered by their sources.
    """
    rank, group = -factors.ranks_by(facts.options.strategy), pool.account
    tiers = [_tier(source, facts) for source in pool.sources]
    if not is_prioritised.all():
        by_source = np.empty(len(rank))
        by_source[_by_source(pool, facts)] = np.arange(len(rank))
        rank = np.where(is_prioritised, rank, by_source)
        group = group * N_TIERS + np.where(is_prioritised, _tiers(tiers, pool, facts), 0)
    elif min(tiers) < LAST_TIER:
        group = group * N_TIERS + _tiers(tiers, pool, facts)
    if facts.n_accounts == 1:
        # Short: sorting by all keys takes less than looking for ties.
        ties = _ties(pool.product, pool.account, facts)
        return np.lexsort((ties, rank) if group is pool.account else (ties, rank, group))
    return _break_ties(np.lexsort((rank, group)), rank, group, pool, facts)


def _ties(product: NDArray[np.int32], account: NDArray[np.int64], facts: Facts) -> NDArray[np.uint64]:
    """Return uint64 (m,): by which equal candidates are ordered, another order for each account."""
    return (product.astype(np.uint64) + facts.tie_seeds[account]) * MIX


def _break_ties(
    order: NDArray[np.int64], rank: NDArray[np.float64], group: NDArray[np.int64], pool: CandidatePool, facts: Facts
) -> NDArray[np.int64]:
    """Put equal candidates of a group in an order of the account's own. Few are equal: sorting all takes longer."""
    ranks, groups = rank[order], group[order]
    is_as_before = (ranks[1:] == ranks[:-1]) & (groups[1:] == groups[:-1])
    if not is_as_before.any():
        return order
    is_tied = np.zeros(len(order), dtype=np.bool_)
    is_tied[1:] = is_as_before
    is_tied[:-1] |= is_as_before
    places = is_tied.nonzero()[0]
    tied = order[places]
    ties = _ties(pool.product[tied], pool.account[tied], facts)
    order[places] = tied[np.lexsort((ties, ranks[places], groups[places]))]
    return order


def _tiers(by_source: list[int], pool: CandidatePool, facts: Facts) -> NDArray[np.int8]:
    """Return int8 (m,): lower goes first. by_source: see ``_tier``."""
    tiers = np.array(by_source, dtype=np.int8)[pool.source]
    if facts.first_upgrades is not None:
        tiers[(tiers == 0) & ~facts.first_upgrades[pool.product]] = LAST_TIER
    return tiers


def _tier(source: CandidateSource, facts: Facts) -> int:
    """Return which candidates a source's go before, whatever their priority: lower first."""
    if isinstance(source, Upgrades) and facts.options.is_up_sell_first:
        return 0
    return 1 if isinstance(source, Promoted) else LAST_TIER


def _select(order: NDArray[np.int64], reasons: NDArray[np.int16], groups: ProductGroups, limit: int) -> Selection:
    chosen, similar = select_diverse((reasons == ALLOWED).nonzero()[0], groups, limit)
    is_full = len(chosen) == limit
    examined = reasons[: chosen.max()] if is_full else reasons
    withheld = np.bincount(examined, minlength=N_REASONS)
    if not similar:
        return Selection(order[chosen], withheld, NO_POSITIONS, is_full)
    withheld[SIMILAR] += len(similar)
    return Selection(order[chosen], withheld, order[np.array(similar, dtype=np.int64)], is_full)


def _select_all(order: NDArray[np.int64], reasons: NDArray[np.int16]) -> Selection:
    """Choose everything that is allowed, where the request names the candidates."""
    return Selection(order[reasons == ALLOWED], np.bincount(reasons, minlength=N_REASONS), NO_POSITIONS, is_full=True)
