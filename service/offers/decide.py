"""The decision itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np

from service.base.arbitration_options import Strategy
from service.offers.arbitration import Arbitration, Selection, arbitrate, compete
from service.offers.candidates import CandidatePool, collect_candidates
from service.offers.considered import Considered, describe_candidates
from service.offers.explanation import Offer, add_attributes, add_lever_parts, explain
from service.offers.facts import Facts
from service.offers.no_offer import NoOffer, explain_no_offer
from service.offers.reasons import POLICY_CODES, Source, WithheldCode
from service.offers.rules import FIRST_POLICY, N_REASONS, WITHHELD_CODES, apply_rules
from service.readmodel.account_policies import AccountPolicies
from service.readmodel.policies import PolicyType

NO_POLICIES: Final[Mapping[str, int]] = {}
HELD_CODES: Final = frozenset({WithheldCode.CONTACT_LIMIT, WithheldCode.PAUSED, WithheldCode.CAP_REACHED})
NO_UNKNOWN_FILTERS: Final[Mapping[str, Sequence[str]]] = {}
MIN_POPULAR: Final = 32
"""Popular products in the first pool with fallbacks."""
DEEPENING: Final = 32
"""How many times deeper into the popular products the next pool goes."""
MAX_DEEPENED: Final = 200_000
"""Popular products of all accounts in one such pool: about 40 MB."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What one account is offered, and how many candidates were withheld for which reason until the list was full.

    is_known: whether the account has a history. strategy: what the order of the offers follows.
    unknown_products, unknown_filters: see ``Facts`` and ``AccountFilters``.
    considered: what became of every candidate, where the request asks for that.
    withheld_by_policy: how many of the withheld candidates each policy withheld, by its identifier.
    no_offer: why there is no offer. is_control: see ``Facts.is_control``.
    """

    source: Source
    offers: list[Offer]
    withheld: dict[WithheldCode, int]
    is_known: bool = False
    strategy: Strategy = Strategy.RELEVANCE
    unknown_products: Sequence[str] = ()
    unknown_filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    considered: list[Considered] | None = None
    withheld_by_policy: Mapping[str, int] = field(default_factory=dict)
    no_offer: NoOffer | None = None
    is_control: bool = False


def decide(facts: Facts) -> Decision:
    """Choose what one account, or nobody in particular, is offered."""
    (decision,) = decide_many(facts)
    return decision


def decide_many(facts: Facts) -> list[Decision]:
    """Choose what each account is offered.

    Pure: no I/O, no clock, no chance. Every candidate is either allowed or withheld with a reason.
    """
    decisions: dict[int, Decision] = {}
    asked = _Asked.from_facts(facts)
    for part in rank_offers(facts):
        chosen = [selection.positions for selection in part.selections]
        explained = explain(part.pool, chosen, part.arbitration.factors, part.facts)
        for account, place, selection, offers in zip(
            part.accounts, part.places, part.selections, explained, strict=True
        ):
            decisions[account] = _describe(facts, asked, _Chosen(account, place, selection, offers), part)
    return [decisions[account] for account in range(facts.n_accounts)]


class Ranked(NamedTuple):
    """What some of the accounts are offered out of one pool.

    accounts: their places among all that are decided for. places: those among the accounts of ``facts``, to which the
    pool refers. selections: one for each.
    """

    accounts: list[int]
    places: list[int]
    selections: list[Selection]
    pool: CandidatePool
    arbitration: Arbitration
    facts: Facts


def rank_offers(facts: Facts) -> Iterator[Ranked]:
    """Rank what each account is offered; every account is in one part.

    Accounts whose pool ran dry before their list was full get another one, which holds the fallbacks too.
    """
    has_seeds = not (facts.owned.is_empty and facts.recent.is_empty and facts.basket.is_empty)
    return _rank(facts, 0 if has_seeds else _popular_needed(facts))


def _popular_needed(facts: Facts) -> int:
    return max(MIN_POPULAR, 2 * int(facts.limits.max(initial=0)))


def _popular_there_are(facts: Facts) -> int:
    """Return how many popular products may be offered at most."""
    return facts.n_products if facts.filters is None else max(MIN_POPULAR, facts.filters.n_popular)


def _rank(facts: Facts, n_popular: int) -> Iterator[Ranked]:
    pool = collect_candidates(facts, n_popular)
    arbitration = compete(pool, apply_rules(pool, facts), facts)
    selections = arbitrate(pool, arbitration, facts)
    accounts = list(range(facts.n_accounts))
    is_deepest = n_popular >= _popular_there_are(facts)
    closed = facts.policies.closed_accounts if facts.policies else ()
    short = [a for a in accounts if not (selections[a].is_full or is_deepest or facts.is_objecting[a] or a in closed)]
    if not short:
        yield Ranked(accounts, accounts, selections, pool, arbitration, facts)
        return
    done = [account for account in accounts if account not in set(short)]
    if done:
        yield Ranked(done, done, [selections[account] for account in done], pool, arbitration, facts)
    deeper = n_popular * DEEPENING or _popular_needed(facts)
    n_together = max(1, MAX_DEEPENED // deeper)
    for begin in range(0, len(short), n_together):
        part_of_short = short[begin : begin + n_together]
        for part in _rank(facts.only(np.array(part_of_short)), deeper):
            yield part._replace(accounts=[part_of_short[account] for account in part.accounts])


class _Asked(NamedTuple):
    """What describing each decision needs of all accounts, worked out once: bool (n,) as lists."""

    is_prioritised: list[bool]
    is_control: list[bool]
    is_objecting: list[bool]

    @classmethod
    def from_facts(cls, facts: Facts) -> "_Asked":
        """Work it out."""
        return cls(facts.is_prioritised.tolist(), facts.is_control.tolist(), facts.is_objecting.tolist())


class _Chosen(NamedTuple):
    """What one account is offered. account, place: see ``Ranked``."""

    account: int
    place: int
    selection: Selection
    offers: list[Offer]


def _describe(facts: Facts, asked: _Asked, chosen: _Chosen, part: Ranked) -> Decision:
    considered, no_offer = None, None
    account, place, selection, _ = chosen
    if facts.explains_all[account] or facts.has_among[account]:
        considered = describe_candidates(place, selection, part.pool, part.arbitration, part.facts)
    is_objecting = asked.is_objecting[account]
    if is_objecting:
        withheld: dict[WithheldCode, int] = {WithheldCode.OBJECTED: int(facts.limits[account])}
        described = _Described(Source.NONE, [], withheld, NO_POLICIES)
    else:
        described = _describe_offers(facts, chosen, part)
    if not described.offers:
        is_held = not HELD_CODES.isdisjoint(described.withheld)
        released_at = _released_at(place, part) if is_held else None
        no_offer = explain_no_offer(
            described.withheld, facts, account, is_objecting=is_objecting, released_at=released_at
        )
    return Decision(
        source=described.source,
        offers=described.offers,
        withheld=described.withheld,
        is_known=facts.is_known[account],
        strategy=facts.options.strategy if asked.is_prioritised[account] else Strategy.RELEVANCE,
        unknown_products=facts.unknown_products[account],
        unknown_filters=NO_UNKNOWN_FILTERS if facts.filters is None else facts.filters.unknown[account],
        considered=considered,
        withheld_by_policy=described.withheld_by_policy,
        no_offer=no_offer,
        is_control=asked.is_control[account],
    )


def _released_at(place: int, part: Ranked) -> datetime | None:
    """Return when contact policies cease to withhold the first candidate of an account that nothing else withholds."""
    policies = part.facts.policies
    if policies is None:
        return None
    is_held = np.zeros(N_REASONS + len(policies.policy_ids), dtype=np.bool_)
    is_held[N_REASONS:] = [not PolicyType(name).is_engagement for name in policies.policy_types]
    is_theirs = (part.pool.account == place) & is_held[part.arbitration.reasons]
    return policies.released_at(place, part.pool.product[is_theirs])


class _Described(NamedTuple):
    """The offers of one account, and what is withheld from it."""

    source: Source
    offers: list[Offer]
    withheld: dict[WithheldCode, int]
    withheld_by_policy: Mapping[str, int]


def _describe_offers(facts: Facts, chosen: _Chosen, part: Ranked) -> _Described:
    account, place, selection, offers = chosen
    source = offers[0]["source"] if offers else Source.POPULAR
    if part.arbitration.factors is not None:
        add_lever_parts(offers, part.pool.product, selection.positions, place, part.facts)
    if fields := facts.fields[account]:
        add_attributes(offers, fields, facts)
    counts = zip(WITHHELD_CODES, selection.withheld.tolist(), strict=False)
    withheld = {code: count for code, count in counts if count}
    by_policy = NO_POLICIES
    if facts.policies is not None and len(selection.withheld) > FIRST_POLICY:
        by_policy = _count_policies(withheld, selection, facts.policies)
    return _Described(source, offers, withheld, by_policy)


def _count_policies(
    withheld: dict[WithheldCode, int], selection: Selection, policies: AccountPolicies
) -> Mapping[str, int]:
    """Count what policies withheld by their types, too, and return the number of each that withheld anything."""
    counts = selection.withheld[FIRST_POLICY:]
    by_policy: dict[str, int] = {}
    for number in counts.nonzero()[0].tolist():
        count = by_policy[policies.policy_ids[number]] = int(counts[number])
        code = POLICY_CODES[policies.policy_types[number]]
        withheld[code] = withheld.get(code, 0) + count
    return by_policy
