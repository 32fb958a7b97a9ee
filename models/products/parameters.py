"""Thresholds of relationships between products."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RelationshipParameters:
    """What counts as a relationship.

    min_together:          baskets, or accounts, that must show it.
    false_discovery_rate:  accepted share of false relationships among all that are found.
    max_per_product:       relationships of each type that a product keeps.
    sequence_days:         the most days between two first purchases of a sequence.
    accessory_share:       minimum share of the accessory's baskets that hold its main product.
    accessory_ratio:       minimum ratio of that share to the share in the other direction.
    min_move_rate:         without tiers, the minimum share of buyers of the cheaper product that moved up.
    min_price_ratio, max_price_ratio: without tiers, the price of an upgrade relative to the cheaper product.
    max_substitute_share:  baskets with both substitutes, relative to those expected by chance.
    inherited:             products that a product with little history inherits from its category.
    """

    min_together: int = 5
    false_discovery_rate: float = 0.01
    max_per_product: int = 20
    sequence_days: int = 30
    accessory_share: float = 0.5
    accessory_ratio: float = 5.0
    min_move_rate: float = 0.1
    min_price_ratio: float = 1.15
    max_price_ratio: float = 3.0
    max_substitute_share: float = 0.5
    inherited: int = 5
