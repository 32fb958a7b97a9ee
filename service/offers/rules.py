"""The rules that withhold a candidate. Each looks at the whole pool at once, before the list is cut."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import run_starts
from models.artifact import NO_ROW, NO_VARIANTS
from service.offers.account_products import AccountProducts
from service.offers.candidates import CandidatePool
from service.offers.facts import Facts
from service.offers.reasons import POLICY_CODES, WithheldCode
from service.readmodel.account_policies import AccountPolicies
from service.readmodel.product_index import NO_FAMILY
from service.readmodel.relationships import ACCESSORY_OF, BANNED_FROM, SUBSTITUTE_OF


class _Guards(NamedTuple):
    """What may stand in the way of the candidates of a pool.

    position: int64 (g,), of a candidate in the pool. kind: int8 (g,), what its product is to another one.
    is_met:   bool (g,), whether that other product is owned or being bought.
    """

    position: NDArray[np.int64]
    kind: NDArray[np.int8]
    is_met: NDArray[np.bool_]


class Candidates(NamedTuple):
    """What rules look at: a pool of m candidates, the facts, and what may stand in the way of any."""

    pool: CandidatePool
    facts: Facts
    guards: _Guards | None


Rule = Callable[[Candidates], NDArray[np.bool_] | None]
"""Returns bool (m,), which candidates it withholds; None where it can withhold none."""


def is_objected(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold everything from an account that objects to marketing."""
    is_objecting = candidates.facts.is_objecting
    return is_objecting[candidates.pool.account] if is_objecting.any() else None


def is_excluded(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold what the request excludes."""
    return _is_among(candidates.facts.excluded, candidates.pool)


def is_filtered(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold what the request's filters do not let pass."""
    filters, pool = candidates.facts.filters, candidates.pool
    return None if filters is None else ~filters.passes(pool.account, pool.product, pool.keys)


def is_in_basket(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold what is being bought already."""
    return _is_among(candidates.facts.basket, candidates.pool)


def is_owned(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold what the account owns, and may not be offered again, whenever that is."""
    facts, pool = candidates.facts, candidates.pool
    withheld = _is_among(facts.owned, pool)
    if withheld is not None and facts.repeats is not None:
        withheld &= facts.repeats.places(pool.keys) == NO_ROW
    return withheld


def is_bought_recently(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold what the account may be offered again, but not yet."""
    repeats = candidates.facts.repeats
    if repeats is None or repeats.is_due.all():
        return None
    place = repeats.places(candidates.pool.keys)
    return np.asarray((place != NO_ROW) & ~repeats.is_due[place])


def is_owned_above(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold what an account above owns, where that counts, unless the account itself may buy it again."""
    facts, pool = candidates.facts, candidates.pool
    withheld = _is_among(facts.owned_above, pool)
    if withheld is not None and facts.repeats is not None:
        withheld &= facts.repeats.places(pool.keys) == NO_ROW
    return withheld


def is_inactive(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold what is no longer sold."""
    return ~candidates.facts.products.is_active[candidates.pool.product]


def is_sold_out(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold what is sold out."""
    unavailable = candidates.facts.unavailable
    return None if unavailable is None else unavailable.is_sold_out[candidates.pool.product]


def is_out_of_time(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold what can't be had yet, or not any more."""
    unavailable = candidates.facts.unavailable
    return None if unavailable is None else unavailable.is_out_of_time[candidates.pool.product]


def is_returned(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold what the account returned recently, and its variants: a renamed product is the same one."""
    return _is_among_or_variant(candidates.facts.returned, candidates)


def is_negotiated(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold what the account has an open deal for, and its variants: somebody is selling it already."""
    return _is_among_or_variant(candidates.facts.negotiated, candidates)


def is_lost(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold what the account decided against recently, and its variants."""
    return _is_among_or_variant(candidates.facts.lost, candidates)


def is_no_merchandise(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold fees, shipping, gift cards and the like."""
    products = candidates.facts.products
    return ~products.is_merchandise[candidates.pool.product] if products.has_other_than_merchandise else None


def is_variant_owned(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold variants, predecessors and successors of what is owned or being bought."""
    facts = candidates.facts
    return _is_variant(facts.had, candidates, facts.variants_elsewhere) if facts.products.n_variant_groups else None


def is_banned(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold what is banned from going with something that is owned or being bought."""
    return _is_met(candidates, BANNED_FROM)


def is_substitute(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold what stands in for something that is owned or being bought."""
    return _is_met(candidates, SUBSTITUTE_OF)


def is_without_main(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold an accessory unless a product that it belongs to is owned or being bought."""
    guards = candidates.guards
    if guards is None:
        return None
    is_accessory = guards.kind == ACCESSORY_OF
    withheld = np.zeros(len(candidates.pool.product), dtype=np.bool_)
    withheld[guards.position[is_accessory]] = True
    withheld[guards.position[is_accessory & guards.is_met]] = False
    return withheld


def is_lower_tier(candidates: Candidates) -> NDArray[np.bool_] | None:
    """Withhold what is below something of its family that is owned or being bought."""
    pool, facts, products = candidates.pool, candidates.facts, candidates.facts.products
    if not products.n_families or facts.had.is_empty:
        return None
    is_placed = products.family[facts.had.product] != NO_FAMILY
    account, had = facts.had.account[is_placed], facts.had.product[is_placed]
    if not len(had):
        return None
    n_families = products.n_families
    groups = account * n_families + products.family[had]
    order = groups.argsort(kind="stable")
    starts = run_starts(groups[order]).nonzero()[0]
    highest = np.maximum.reduceat(products.tier[had[order]], starts)
    groups = groups[order[starts]]
    family = products.family[pool.product]
    keys = pool.account * n_families + family
    place = groups.searchsorted(keys).clip(max=len(groups) - 1)
    has_rival = (groups[place] == keys) & (family != NO_FAMILY)
    return np.asarray(has_rival & (products.tier[pool.product] < highest[place]))


RULES: Final[tuple[tuple[WithheldCode, Rule], ...]] = (
    (WithheldCode.OBJECTED, is_objected),
    (WithheldCode.EXCLUDED, is_excluded),
    (WithheldCode.FILTERED, is_filtered),
    (WithheldCode.IN_BASKET, is_in_basket),
    (WithheldCode.OWNED, is_owned),
    (WithheldCode.OWNED_ABOVE, is_owned_above),
    (WithheldCode.BOUGHT_RECENTLY, is_bought_recently),
    (WithheldCode.INACTIVE, is_inactive),
    (WithheldCode.NOT_AVAILABLE_NOW, is_out_of_time),
    (WithheldCode.SOLD_OUT, is_sold_out),
    (WithheldCode.RETURNED, is_returned),
    (WithheldCode.DEAL_OPEN, is_negotiated),
    (WithheldCode.DEAL_LOST, is_lost),
    (WithheldCode.NOT_MERCHANDISE, is_no_merchandise),
    (WithheldCode.BANNED, is_banned),
    (WithheldCode.VARIANT_OWNED, is_variant_owned),
    (WithheldCode.SUBSTITUTE, is_substitute),
    (WithheldCode.WITHOUT_MAIN, is_without_main),
    (WithheldCode.LOWER_TIER, is_lower_tier),
)
"""In the order in which a candidate's reason is looked for: the first rule that withholds it gives it."""
STAGES_AFTER_RULES: Final = (WithheldCode.BELOW_FLOOR, WithheldCode.SIMILAR)
WITHHELD_CODES: Final = (*(code for code, _ in RULES), *STAGES_AFTER_RULES)
"""Every reason for which a candidate is withheld, by its number."""
FIRST_BETWEEN_PRODUCTS: Final = [rule for _, rule in RULES].index(is_variant_owned)
"""From here on, rules compare a candidate with what is owned: they do not withhold a repurchase of the very product."""
BELOW_FLOOR: Final = WITHHELD_CODES.index(WithheldCode.BELOW_FLOOR)
SIMILAR: Final = WITHHELD_CODES.index(WithheldCode.SIMILAR)
ALLOWED: Final = len(WITHHELD_CODES)
"""Nothing withholds the candidate."""
REPEATED: Final = len(WITHHELD_CODES) + 1
"""An earlier source has the product already: no candidate of its own."""


N_REASONS: Final = len(WITHHELD_CODES) + 2
FIRST_POLICY: Final = N_REASONS
"""From here on: the place of the policy that withholds the candidate."""


def apply_rules(pool: CandidatePool, facts: Facts) -> NDArray[np.int16]:
    """Return int16 (m,): the position of the first rule that withholds each candidate; or ALLOWED, or REPEATED.

    What no rule withholds, a policy may: FIRST_POLICY and its place.
    """
    candidates = Candidates(pool, facts, _find_guards(pool, facts))
    reasons = _apply_policies(pool, facts.policies)
    by_policies = reasons if facts.repeats is None else reasons.copy()
    # The last rule first: a rule before it then overwrites its reason.
    for position in range(len(RULES) - 1, -1, -1):
        if facts.switched_off and RULES[position][0] in facts.switched_off:
            continue
        withheld = RULES[position][1](candidates)
        if withheld is not None:
            reasons[withheld] = position
    if facts.repeats is not None:
        is_between_products = (reasons >= FIRST_BETWEEN_PRODUCTS) & (reasons < ALLOWED)
        is_repeat = facts.repeats.places(pool.keys) != NO_ROW
        reasons = np.where(is_between_products & is_repeat, by_policies, reasons)
    reasons[pool.is_repeated] = REPEATED
    return reasons


def withheld_by_each_rule(pool: CandidatePool, facts: Facts) -> dict[WithheldCode, NDArray[np.bool_]]:
    """Return bool (m,) for each code: which candidates a rule withholds, whatever the others say.

    Of the stored policies each candidate's first counts.
    """
    candidates = Candidates(pool, facts, _find_guards(pool, facts))
    masks: dict[WithheldCode, NDArray[np.bool_]] = {}
    for code, rule in RULES:
        withheld = None if code in facts.switched_off else rule(candidates)
        if withheld is None:
            continue
        if facts.repeats is not None and WITHHELD_CODES.index(code) >= FIRST_BETWEEN_PRODUCTS:
            withheld = withheld & (facts.repeats.places(pool.keys) == NO_ROW)
        masks[code] = withheld
    if facts.policies is not None:
        policy = _apply_policies(pool, facts.policies) - FIRST_POLICY
        types = np.array([*facts.policies.policy_types, ""], dtype=object)[np.where(policy >= 0, policy, -1)]
        masks |= {code: types == policy_type for policy_type, code in POLICY_CODES.items()}
    return masks


def _apply_policies(pool: CandidatePool, policies: AccountPolicies | None) -> NDArray[np.int16]:
    """Return int16 (m,): ALLOWED, or FIRST_POLICY and the place of the first policy that withholds the candidate."""
    reasons = np.full(len(pool.product), ALLOWED, dtype=np.int16)
    if policies is not None:
        withheld, policy = policies.withholding(pool.account, pool.product)
        reasons[withheld] = FIRST_POLICY + policy
    return reasons


def _is_among(pairs: AccountProducts, pool: CandidatePool) -> NDArray[np.bool_] | None:
    return None if pairs.is_empty else pairs.has(pool.keys)


def _is_among_or_variant(pairs: AccountProducts, candidates: Candidates) -> NDArray[np.bool_] | None:
    withheld = _is_among(pairs, candidates.pool)
    if withheld is None or not candidates.facts.products.n_variant_groups:
        return withheld
    return withheld | _is_variant(pairs, candidates)


def _is_variant(
    pairs: AccountProducts, candidates: Candidates, elsewhere: NDArray[np.int64] | None = None
) -> NDArray[np.bool_]:
    """Tell which candidates are variants of products of their accounts. elsewhere: see ``Facts.variants_elsewhere``."""
    pool, products = candidates.pool, candidates.facts.products
    n_groups, groups = products.n_variant_groups, products.variants[pool.product]
    varied = (groups != NO_VARIANTS).nonzero()[0]
    met = products.variants[pairs.product]
    is_varied = met != NO_VARIANTS
    keys = pairs.account[is_varied] * n_groups + met[is_varied]
    if elsewhere is not None:
        keys = np.concatenate((keys, elsewhere))
    withheld = np.zeros(len(groups), dtype=np.bool_)
    withheld[varied] = np.isin(pool.account[varied] * n_groups + groups[varied], keys)
    return withheld


def _is_met(candidates: Candidates, kind: int) -> NDArray[np.bool_] | None:
    guards = candidates.guards
    if guards is None:
        return None
    withheld = np.zeros(len(candidates.pool.product), dtype=np.bool_)
    withheld[guards.position[guards.is_met & (guards.kind == kind)]] = True
    return withheld


def _find_guards(pool: CandidatePool, facts: Facts) -> _Guards | None:
    index = facts.relationships
    guarded = index.guards.has_any[pool.product].nonzero()[0]
    if not len(guarded):
        return None
    places, numbers = index.guards.expand(pool.product[guarded])
    position = guarded[places]
    if facts.had.is_empty:
        is_met = np.zeros(len(position), dtype=np.bool_)
    else:
        is_met = facts.had.has(facts.keys(pool.account[position], index.guard_others[numbers]))
    return _Guards(position, index.guard_kinds[numbers], is_met)
