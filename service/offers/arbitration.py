"""Which of the allowed candidates each account is offered."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.offers.candidates import CandidatePool
from service.offers.facts import Facts
from service.offers.rules import ALLOWED, N_REASONS


class Selection(NamedTuple):
    """What one account is offered out of a pool.

    positions: int64 (k,), of the chosen candidates in the pool, best first.
    withheld:  int64 (N_REASONS,), how many candidates each rule withheld until the list was full; see ``apply_rules``.
    is_full:   whether as many are chosen as were asked for.
    """

    positions: NDArray[np.int64]
    withheld: NDArray[np.int64]
    is_full: bool


def priority_order(pool: CandidatePool, facts: Facts) -> NDArray[np.int64]:
    """Return the positions of all candidates, those of each account together, in the order in which they are offered.

    An account's candidates come in the order of their sources, best first within each.
    """
    if facts.n_accounts == 1:
        return np.arange(len(pool.product))
    return pool.account.argsort(kind="stable")


def arbitrate(pool: CandidatePool, reasons: NDArray[np.int8], facts: Facts) -> list[Selection]:
    """Choose up to ``facts.limits`` allowed candidates for each account. reasons: see ``apply_rules``."""
    order = priority_order(pool, facts)
    reasons = reasons[order]
    n_each = np.bincount(pool.account, minlength=facts.n_accounts).tolist()
    selections: list[Selection] = []
    begin = 0
    for n_candidates, limit in zip(n_each, facts.limits.tolist(), strict=True):
        end = begin + n_candidates
        selections.append(_select(order[begin:end], reasons[begin:end], limit))
        begin = end
    return selections


def _select(order: NDArray[np.int64], reasons: NDArray[np.int8], limit: int) -> Selection:
    chosen = (reasons == ALLOWED).nonzero()[0][:limit]
    is_full = len(chosen) == limit
    examined = reasons[: chosen[-1]] if is_full else reasons
    return Selection(order[chosen], np.bincount(examined, minlength=N_REASONS), is_full)
