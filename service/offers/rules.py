"""The rules that withhold a candidate. Each looks at the whole pool at once, before the list is cut."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.offers.candidates import CandidatePool
from service.offers.facts import Facts
from service.offers.neighbours import run_starts
from service.offers.reasons import WithheldCode
from service.readmodel.edges import Edges
from service.readmodel.product_index import NO_FAMILY

ALLOWED: Final = 0
REPEATED: Final = -1
"""An earlier source has the product already: no candidate of its own."""

Rule = Callable[[CandidatePool, Facts], NDArray[np.bool_] | None]
"""Returns bool (m,), which candidates of the pool it withholds; None where it can withhold none."""


def is_objected(pool: CandidatePool, facts: Facts) -> NDArray[np.bool_] | None:
    """Withhold everything from an account that objects to marketing."""
    return facts.is_objecting[pool.account] if facts.is_objecting.any() else None


def is_excluded(pool: CandidatePool, facts: Facts) -> NDArray[np.bool_] | None:
    """Withhold what the request excludes."""
    return np.isin(pool.product, facts.excluded) if len(facts.excluded) else None


def is_in_basket(pool: CandidatePool, facts: Facts) -> NDArray[np.bool_] | None:
    """Withhold what is being bought already."""
    return np.isin(pool.product, facts.basket) if len(facts.basket) else None


def is_owned(pool: CandidatePool, facts: Facts) -> NDArray[np.bool_] | None:
    """Withhold what the account owns: an offer is something new."""
    return facts.owned.has(pool.keys) if len(facts.owned) else None


def is_inactive(pool: CandidatePool, facts: Facts) -> NDArray[np.bool_] | None:
    """Withhold what is no longer sold."""
    return ~facts.products.is_active[pool.product]


def is_banned(pool: CandidatePool, facts: Facts) -> NDArray[np.bool_] | None:
    """Withhold what is banned from going with something that is owned or being bought."""
    guarded = _guarded(pool, facts, facts.relationships.bans)
    return None if guarded is None else guarded.is_met


def is_substitute(pool: CandidatePool, facts: Facts) -> NDArray[np.bool_] | None:
    """Withhold what stands in for something that is owned or being bought."""
    guarded = _guarded(pool, facts, facts.relationships.substituted)
    return None if guarded is None else guarded.is_met


def is_without_main(pool: CandidatePool, facts: Facts) -> NDArray[np.bool_] | None:
    """Withhold an accessory unless a product that it belongs to is owned or being bought."""
    guarded = _guarded(pool, facts, facts.relationships.mains)
    return None if guarded is None else guarded.is_guarded & ~guarded.is_met


def is_lower_tier(pool: CandidatePool, facts: Facts) -> NDArray[np.bool_] | None:
    """Withhold what is below something of its family that is owned or being bought."""
    family = facts.products.family[pool.product]
    had_family = facts.products.family[facts.had.product]
    placed = had_family != NO_FAMILY
    if not placed.any() or family.max(initial=NO_FAMILY) == NO_FAMILY:
        return None
    n_families = int(facts.products.family.max()) + 1
    had_keys = facts.had.account[placed] * n_families + had_family[placed]
    order = np.argsort(had_keys, kind="stable")
    starts = run_starts(had_keys[order])
    groups = had_keys[order][starts]
    highest = np.maximum.reduceat(facts.products.tier[facts.had.product[placed]][order], starts)
    keys = pool.account * n_families + family
    at = groups.searchsorted(keys).clip(max=len(groups) - 1)
    has_rival = (groups[at] == keys) & (family != NO_FAMILY)
    return np.asarray(has_rival & (facts.products.tier[pool.product] < highest[at]))


RULES: Final[tuple[tuple[WithheldCode, Rule], ...]] = (
    (WithheldCode.OBJECTED, is_objected),
    (WithheldCode.EXCLUDED, is_excluded),
    (WithheldCode.IN_BASKET, is_in_basket),
    (WithheldCode.OWNED, is_owned),
    (WithheldCode.INACTIVE, is_inactive),
    (WithheldCode.BANNED, is_banned),
    (WithheldCode.SUBSTITUTE, is_substitute),
    (WithheldCode.WITHOUT_MAIN, is_without_main),
    (WithheldCode.LOWER_TIER, is_lower_tier),
)
"""In the order in which a candidate's reason is looked for: the first rule that withholds it gives it."""


def apply_rules(pool: CandidatePool, facts: Facts) -> NDArray[np.int8]:
    """Return int8 (m,): for each candidate the number of the first rule that withholds it, counted from 1.

    ALLOWED where none does; REPEATED for a product that an earlier source has already.
    """
    reasons = np.zeros(len(pool.product), dtype=np.int8)
    # The last rule first: a rule before it then overwrites its reason.
    for number in range(len(RULES), 0, -1):
        withheld = RULES[number - 1][1](pool, facts)
        if withheld is not None:
            reasons[withheld] = number
    reasons[pool.is_repeated] = REPEATED
    return reasons


class _Guarded(NamedTuple):
    """Whether each candidate is guarded by products of one kind, and whether any of those is owned or being bought."""

    is_guarded: NDArray[np.bool_]
    is_met: NDArray[np.bool_]


def _guarded(pool: CandidatePool, facts: Facts, guards: Edges[np.int32]) -> _Guarded | None:
    if not len(guards):
        return None
    candidates = guards.has_any[pool.product].nonzero()[0]
    if not len(candidates):
        return None
    places, others = guards.expand(pool.product[candidates])
    candidates = candidates[places]
    is_guarded, is_met = np.zeros((2, len(pool.product)), dtype=np.bool_)
    is_guarded[candidates] = True
    is_met[candidates[facts.had.has(facts.keys(pool.account[candidates], others))]] = True
    return _Guarded(is_guarded, is_met)
