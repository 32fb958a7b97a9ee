"""What a product is to the one that leads to it. Public API: stable."""

from enum import StrEnum


class Relation(StrEnum):
    """What a product is to the one that leads to it. Substitutes are known, but never offered."""

    UP_SELL = "up_sell"
    CROSS_SELL = "cross_sell"
    ACCESSORY = "accessory"
    SUBSTITUTE = "substitute"


RELATION_MEANINGS = {
    Relation.UP_SELL: "a more valuable version",
    Relation.CROSS_SELL: "something else that goes with it",
    Relation.ACCESSORY: "a cheaper thing that belongs to it",
    Relation.SUBSTITUTE: "something that stands in for it",
}
