"""The decision itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.offers.arbitration import Ranking, arbitrate
from service.offers.candidates import POPULAR_DEPTH, collect_candidates
from service.offers.explanation import Offer, explain
from service.offers.facts import Facts
from service.offers.reasons import Source, WithheldCode
from service.offers.rules import RULES, apply_rules

DEEPENING: Final = 32
"""How many times deeper into the popular products a pool goes that ran dry."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What one account is offered, and how many candidates were withheld for which reason until the list was full."""

    source: Source
    offers: list[Offer]
    withheld: dict[WithheldCode, int]


def decide(facts: Facts) -> Decision:
    """Choose what one account, or nobody in particular, is offered."""
    (decision,) = decide_many(facts)
    return decision


def decide_many(facts: Facts) -> list[Decision]:
    """Choose what each account is offered.

    Pure: no I/O, no clock, no chance. Every candidate is either allowed or withheld with a reason.
    """
    decisions: dict[int, Decision] = {}
    for part in rank_offers(facts):
        for account, place in zip(part.accounts.tolist(), part.places.tolist(), strict=True):
            decisions[account] = _describe(part, place)
    return [decisions[account] for account in range(facts.n_accounts)]


class RankedPart(NamedTuple):
    """Some of the accounts that are decided for, and their ranking.

    accounts: int64 (k,), their places among all. places: int64 (k,), their places in ``facts`` and ``ranking``.
    """

    accounts: NDArray[np.int64]
    places: NDArray[np.int64]
    facts: Facts
    ranking: Ranking


def rank_offers(facts: Facts, popular_depth: int = POPULAR_DEPTH) -> Iterator[RankedPart]:
    """Rank what each account is offered; every account is in one part.

    Accounts whose pool ran dry before their list was full get another one, deeper into the popular products.
    """
    pool = collect_candidates(facts, popular_depth)
    ranking = arbitrate(pool, apply_rules(pool, facts), facts)
    accounts = np.arange(facts.n_accounts)
    is_done = (np.diff(ranking.starts) >= facts.limit) | facts.is_objecting
    if popular_depth >= facts.n_products or is_done.all():
        yield RankedPart(accounts, accounts, facts, ranking)
        return
    if is_done.any():
        yield RankedPart(accounts[is_done], accounts[is_done], facts, ranking)
    short = accounts[~is_done]
    for part in rank_offers(facts.only(short), popular_depth * DEEPENING):
        yield part._replace(accounts=short[part.accounts])


def _describe(part: RankedPart, place: int) -> Decision:
    facts, ranking = part.facts, part.ranking
    if facts.is_objecting[place]:
        return Decision(Source.NONE, [], {WithheldCode.OBJECTED: facts.limit})
    positions = ranking.chosen[ranking.starts[place] : ranking.starts[place + 1]]
    source = ranking.pool.sources[ranking.pool.source[positions[0]]].name if len(positions) else Source.POPULAR
    counts = ranking.withheld[place, 1:].tolist()
    withheld = {code: count for (code, _), count in zip(RULES, counts, strict=True) if count}
    return Decision(source, explain(ranking.pool, positions, facts), withheld)
