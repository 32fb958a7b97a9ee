"""Every threshold of the relationships, named once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RelationshipParameters:
    """What counts as a relationship.

    least_together:      baskets, or accounts, that must show it.
    false_discovery_rate: the share of false finds that is accepted among all that stand.
    most_per_product:    relationships that a product keeps of each relation.
    sequence_days:       how long after a first purchase another one still belongs to it.
    accessory_share, accessory_ratio: at least this share of the accessory's baskets hold its main product, and that
                         share is at least so many times the one of the other direction.
    least_move_rate:     where no tier tells, so large a share of the accounts that bought the cheaper one moved up.
    least_price_ratio, most_price_ratio: where no tier tells, an upgrade costs between these times as much.
    most_substitute_share: substitutes are together at most in this share of the baskets that chance would give.
    inherited:           products that one with little history inherits from its category.
    """

    least_together: int = 5
    false_discovery_rate: float = 0.01
    most_per_product: int = 20
    sequence_days: int = 30
    accessory_share: float = 0.5
    accessory_ratio: float = 5.0
    least_move_rate: float = 0.1
    least_price_ratio: float = 1.15
    most_price_ratio: float = 3.0
    most_substitute_share: float = 0.5
    inherited: int = 5
