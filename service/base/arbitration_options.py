"""How offers are ranked: what an operator sets."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Strategy(StrEnum):
    """What the order of offers follows."""

    EXPECTED_VALUE = "expected_value"
    PROPENSITY = "propensity"
    RELEVANCE = "relevance"


STRATEGY_MEANINGS: Final = {
    Strategy.EXPECTED_VALUE: "by `priority`: propensity * value * context * lever",
    Strategy.PROPENSITY: "by propensity * context * lever, whatever an offer is worth",
    Strategy.RELEVANCE: "by the model's score, source by source; also used where the artifact has no propensities",
}


@dataclass(frozen=True)
class ArbitrationOptions:
    """How candidates compete.

    is_up_sell_first: whether every upgrade that may be offered comes before everything else.
    margin_rate:      the margin of products of which neither a margin is known nor that of similar ones, as a share of
                      the price.
    max_value_ratio:  values above this multiple of the median are lowered to it.
    control_share:    share of the accounts that are decided without levers, see ``Facts.is_control``.
    valid_hours:      how long offers are good for, unless their product ceases to be available before.
    min_propensity, min_expected_value_minor: below either, nothing is offered; 0 for no such floor.
    """

    strategy: Strategy = Strategy.EXPECTED_VALUE
    is_up_sell_first: bool = True
    margin_rate: float = 0.3
    max_value_ratio: float = 20.0
    min_propensity: float = 0.0
    min_expected_value_minor: float = 0.0
    control_share: float = 0.0
    valid_hours: float = 7 * 24


DEFAULT_OPTIONS: Final = ArbitrationOptions()
