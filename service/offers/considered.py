"""What became of every candidate of an account: offered, withheld and why, or outranked."""

from datetime import datetime
from enum import StrEnum
from typing import Final, TypedDict

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
    policies = facts.policies
    for position, reason, figure in zip(positions.tolist(), reasons, figures, strict=True):
        outcome, code, policy_id, until = Outcome.OUTRANKED, None, None, None
        if position in ranks:
            outcome = Outcome.OFFERED
        elif position in similar:
            outcome, code = Outcome.WITHHELD, WithheldCode.SIMILAR
        elif reason >= FIRST_POLICY and policies is not None:
            outcome, policy_id = Outcome.WITHHELD, policies.policy_ids[reason - FIRST_POLICY]
            code = POLICY_CODES[policies.policy_types[reason - FIRST_POLICY]]
            until = policies.held_until(place, reason - FIRST_POLICY, int(pool.product[position]))
        elif reason != ALLOWED:
            outcome, code = Outcome.WITHHELD, WITHHELD_CODES[reason]
            if code is WithheldCode.BOUGHT_RECENTLY and facts.repeats is not None:
                until = facts.repeats.due_at(pool.keys[position])
        considered.append(
            {
                "product_id": facts.products.info(ProductRow(int(pool.product[position]))).product_id,
                "source": pool.sources[pool.source[position]].name,
                "outcome": outcome,
                "rank": ranks.get(position),
                "reason": code,
                "policy_id": policy_id,
                "until": until,
                "arbitration": figure,
            }
        )
    return considered
