"""What each candidate is worth offering: propensity * value * context * lever."""

from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.base.arbitration_options import Strategy
from service.offers.candidates import CandidatePool
from service.offers.facts import Facts
from service.offers.propensity import propensities
from service.readmodel.product_values import ProductValues

DECIMALS: Final = 9
"""Of a propensity, so that the figures in an answer multiply exactly to its priority."""


class Priorities(NamedTuple):
    """The factors of m candidates, float64 (m,) each; ``priority`` is their product, multiplied in this order.

    propensity: P(the account buys it within the horizon), calibrated.
    value:   expected margin, minor units of the reporting currency. basis: int8 (m,), what it rests on.
    context: 1 until need signals, stage and timing are known. lever: what goals and weights multiply it by.
    """

    propensity: NDArray[np.float64]
    value: NDArray[np.float64]
    context: NDArray[np.float64]
    lever: NDArray[np.float64]
    priority: NDArray[np.float64]
    basis: NDArray[np.int8]
    values: ProductValues

    def ranks_by(self, strategy: Strategy) -> NDArray[np.float64]:
        """Return float64 (m,): what candidates are ordered by, descending."""
        return self.priority if strategy is Strategy.EXPECTED_VALUE else self.propensity * self.context * self.lever


def prioritise(pool: CandidatePool, facts: Facts) -> Priorities | None:
    """Return the factors of every candidate; None where the artifact has no propensities."""
    if not facts.content.propensities.has_any:
        return None
    values = facts.values
    propensity = propensities(pool, facts).astype(np.float64).round(DECIMALS)
    value = values.value[pool.product]
    context = np.ones(len(propensity))
    lever = context if facts.now is None else _levers(pool, facts, facts.now)
    priority = propensity * value * context * lever
    return Priorities(propensity, value, context, lever, priority, values.basis[pool.product], values)


def _levers(pool: CandidatePool, facts: Facts, now: datetime) -> NDArray[np.float64]:
    """Return float64 (m,): what goals and weights multiply by; rounded, so that an answer shows the whole number."""
    levers = facts.levers.for_pairs(facts.account_rows, facts.account_ids, pool.account, pool.product, now)
    if facts.options.control_share:
        levers = np.where(facts.is_control[pool.account], 1.0, levers)
    return levers.round(DECIMALS)
