"""Which of the allowed candidates each account is offered."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.offers.candidates import CandidatePool
from service.offers.facts import Facts
from service.offers.rules import ALLOWED, RULES

N_REASONS = len(RULES) + 1


@dataclass(frozen=True)
class Ranking:
    """What n accounts are offered out of one pool.

    chosen:   int64 (k,), positions in the pool: those of each account together, best first.
    starts:   int64 (n + 1,); account a is offered ``chosen[starts[a]:starts[a + 1]]``.
    withheld: int64 (n, N_REASONS), candidates withheld by the number of the rule, until the list was full.
    """

    pool: CandidatePool
    chosen: NDArray[np.int64]
    starts: NDArray[np.int64]
    withheld: NDArray[np.int64]


def priority_order(pool: CandidatePool, facts: Facts) -> NDArray[np.int64]:
    """Return the positions of all candidates, those of each account together, in the order in which they are offered.

    Today an account's candidates come in the order of their sources, best first within each.
    """
    if facts.n_accounts == 1:
        return np.arange(len(pool.account))
    return pool.account.argsort(kind="stable")


def arbitrate(pool: CandidatePool, reasons: NDArray[np.int8], facts: Facts) -> Ranking:
    """Choose up to ``limit`` allowed candidates for each account. reasons: see ``apply_rules``."""
    order = priority_order(pool, facts)
    account, reason = pool.account[order], reasons[order]
    is_allowed = reason == ALLOWED
    allowed_before = is_allowed.cumsum() - is_allowed
    begins = account.searchsorted(np.arange(facts.n_accounts + 1))
    # How many of the same account's candidates are allowed before each.
    before = allowed_before - np.append(allowed_before, is_allowed.sum())[begins[:-1]].repeat(np.diff(begins))
    is_examined = before < facts.limit
    chosen = order[is_allowed & is_examined]
    starts = pool.account[chosen].searchsorted(np.arange(facts.n_accounts + 1))
    counted = is_examined & (reason > ALLOWED)
    numbers = account[counted] * N_REASONS + reason[counted]
    withheld = np.bincount(numbers, minlength=facts.n_accounts * N_REASONS).reshape(-1, N_REASONS)
    return Ranking(pool, chosen, starts, withheld)
