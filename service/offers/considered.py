"""What became of every candidate of an account: offered, withheld and why, or outranked."""

from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, TypedDict

import numpy as np

from models.artifact import NO_ROW
from service.offers.arbitration import Arbitration, Selection
from service.offers.candidates import CandidatePool
from service.offers.explanation import ArbitrationFigures, figures_of
from service.offers.facts import Facts
from service.offers.reasons import POLICY_CODES, Source, WithheldCode
from service.offers.rules import ALLOWED, FIRST_POLICY, REPEATED, WITHHELD_CODES
from service.readmodel.product_index import ProductRow


class Outcome(StrEnum):
    """What became of a candidate."""

    OFFERED = "offered"
    WITHHELD = "withheld"
    OUTRANKED = "outranked"


OUTCOME_MEANINGS: Final = {
    Outcome.OFFERED: "it is among the offers",
    Outcome.WITHHELD: "`reason` says why it may not be offered, or not beside what is",
    Outcome.OUTRANKED: "it may be offered, and the list was full before its turn",
}


class Considered(TypedDict):
    """One candidate, as it goes into the answer."""

    product_id: str
    source: Source
    outcome: Outcome
    rank: int | None
    reason: WithheldCode | None
    policy_id: str | None
    until: datetime | None
    arbitration: ArbitrationFigures | None


def describe_candidates(
    place: int, selection: Selection, pool: CandidatePool, arbitration: Arbitration, facts: Facts
) -> list[Considered]:
    """Describe every candidate of an account once, in the order in which they compete.

    place: the account's among those of the pool. Offers and withheld candidates add up to all that are not outranked.
    """
    order = arbitration.order
    positions = order[(pool.account[order] == place) & (arbitration.reasons[order] != REPEATED)]
    factors = arbitration.factors
    figures: list[ArbitrationFigures | None] = [None] * len(positions)
    if factors is not None:
        figures = [*figures_of(positions, factors)]
    if not facts.owned.is_empty:
        # Other propensities are of what is new to an account.
        is_unknown = facts.owned.has(pool.keys[positions])
        if facts.repeats is not None:
            is_unknown &= facts.repeats.places(pool.keys[positions]) == NO_ROW
        figures = [None if unknown else figure for unknown, figure in zip(is_unknown.tolist(), figures, strict=True)]
    ranks = {position: rank for rank, position in enumerate(selection.positions.tolist(), 1)}
    similar = set(selection.similar.tolist())
    reasons = arbitration.reasons[positions].astype(np.int64).tolist()
    considered: list[Considered] = []
    for position, reason, figure in zip(positions.tolist(), reasons, figures, strict=True):
        outcome, withheld = Outcome.OUTRANKED, NOT_WITHHELD
        if position in ranks:
            outcome = Outcome.OFFERED
        elif position in similar:
            outcome, withheld = Outcome.WITHHELD, Withheld(WithheldCode.SIMILAR)
        elif reason != ALLOWED:
            outcome, withheld = Outcome.WITHHELD, _withheld(place, reason, position, pool, facts)
        considered.append(
            {
                "product_id": facts.products.info(ProductRow(int(pool.product[position]))).product_id,
                "source": pool.sources[pool.source[position]].name,
                "outcome": outcome,
                "rank": ranks.get(position),
                "reason": withheld.code,
                "policy_id": withheld.policy_id,
                "until": withheld.until,
                "arbitration": figure,
            }
        )
    return considered


class Withheld(NamedTuple):
    """Why a candidate is withheld; see ``Considered``."""

    code: WithheldCode | None
    policy_id: str | None = None
    until: datetime | None = None


NOT_WITHHELD: Final = Withheld(None)


def _withheld(place: int, reason: int, position: int, pool: CandidatePool, facts: Facts) -> Withheld:
    """Say by what a candidate is withheld. reason: see ``apply_rules``. position: of the candidate in the pool."""
    policies, policy = facts.policies, reason - FIRST_POLICY
    if policy >= 0 and policies is not None:
        until = policies.held_until(place, policy, int(pool.product[position]))
        return Withheld(POLICY_CODES[policies.policy_types[policy]], policies.policy_ids[policy], until)
    code = WITHHELD_CODES[reason]
    if code is WithheldCode.BOUGHT_RECENTLY and facts.repeats is not None:
        return Withheld(code, until=facts.repeats.due_at(pool.keys[position]))
    return Withheld(code)
