"""Relationships in words, for whoever talks to a customer."""

from typing import Final

from models.artifact import Relationships
from models.artifact.relationships import CATEGORY_BASIS, DECLARED, MOVES, OWNERS, SEQUENCE, SUBSTITUTE
from service.readmodel.relation import Relation

LEADS: Final = {
    Relation.UP_SELL: "An upgrade of ",
    Relation.CROSS_SELL: "Goes with ",
    Relation.ACCESSORY: "Belongs to ",
    Relation.SUBSTITUTE: "Stands in for ",
}
"""What comes before the name of the product that a relationship leads from."""
CURATED_GROUNDS: Final = "recommended by our product experts."


def grounds_of(rows: Relationships, position: int) -> str:
    """Say in words what a learned relationship rests on."""
    together, evidence = int(rows.together[position]), int(rows.evidence[position])
    if evidence == DECLARED:
        return "a higher tier of the same family."
    if evidence == MOVES:
        return f"{together:,} of {int(rows.n_source[position]):,} accounts that bought it moved up."
    if evidence == OWNERS:
        share = f"{rows.strength[position]:.0%} fewer than by chance"
        return f"of {int(rows.n_source[position]):,} customers who have it, {together:,} have both, {share}."
    if rows.relation[position] == SUBSTITUTE:
        return f"{together:,} accounts buy both, but {rows.strength[position]:.0%} less often together than by chance."
    times = f"{rows.lift[position]:.1f} times as often as by chance"
    if evidence == SEQUENCE:
        return f"bought soon afterwards by {together:,} accounts, {times}."
    orders = f"{together:,} orders by {int(rows.buyers[position]):,} customers"
    what = "their categories are bought" if rows.basis[position] == CATEGORY_BASIS else "bought"
    return f"{what} together in {orders}, {times}."


def is_counted(rows: Relationships, position: int) -> bool:
    """Tell whether customers were counted who have, or bought, both products of a learned relationship."""
    return bool(
        rows.basis[position] != CATEGORY_BASIS and rows.together[position] and rows.evidence[position] != OWNERS
    )
