"""Thresholds of relationships between products."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RelationshipParameters:
    """What counts as a relationship.

    min_together:          baskets, or accounts, that must show it.
    min_buyers:            customers that must be behind those baskets.
    false_discovery_rate:  accepted share of false relationships among all that are found.
    max_per_product:       relationships of each type that a product keeps.
    sequence_days:         the most days between two first purchases of a sequence.
    accessory_share:       minimum share of the accessory's baskets that hold its main product.
    accessory_ratio:       minimum ratio of that share to the share in the other direction.
    min_move_rate:         without tiers, the minimum share of buyers of the cheaper product that moved up.
    min_price_ratio, max_price_ratio: without tiers, the price of an upgrade relative to the cheaper product.
    max_substitute_share:  baskets with both substitutes, relative to those expected by chance; or accounts with both
                           of a family.
    max_exclusive_share:   the same for accounts with both of a category.
    family_false_discovery_rate: accepted share of false ones among the families of which accounts have one product.
    max_substitutes:       substitutes that a product keeps.
    min_main_share:        minimum share of an accessory's customers with a main product, for it to need one.
    inherited:             products that a product with little history inherits from its category.
    """

    min_together: int = 5
    min_buyers: int = 3
    false_discovery_rate: float = 0.01
    max_per_product: int = 20
    sequence_days: int = 30
    accessory_share: float = 0.5
    accessory_ratio: float = 5.0
    min_move_rate: float = 0.1
    min_price_ratio: float = 1.15
    max_price_ratio: float = 3.0
    max_substitute_share: float = 0.5
    max_exclusive_share: float = 0.1
    family_false_discovery_rate: float = 0.05
    max_substitutes: int = 60
    min_main_share: float = 0.9
    inherited: int = 5
