"""Relationships in words, for whoever talks to a customer."""

from typing import Final

from models.artifact import Relationships
from models.artifact.relationships import CATEGORY_BASIS, DECLARED, MOVES, SEQUENCE, SUBSTITUTE
from service.readmodel.relation import Relation

LEADS: Final = {
    Relation.UP_SELL: "An upgrade of ",
    Relation.CROSS_SELL: "Goes with ",
    Relation.ACCESSORY: "Belongs to ",
    Relation.SUBSTITUTE: "Stands in for ",
}
"""What comes before the name of the product that a relationship leads from."""
CURATED_GROUNDS: Final = "recommended by our product experts."


def grounds_of(found: Relationships, at: int) -> str:
    """Say in words what a learned relationship rests on."""
    together, evidence = int(found.together[at]), int(found.evidence[at])
    if evidence == DECLARED:
        return "a higher tier of the same family."
    if evidence == MOVES:
        return f"{together:,} of {int(found.n_source[at]):,} accounts that bought it moved up."
    if found.relation[at] == SUBSTITUTE:
        return f"{together:,} accounts buy both, but {found.strength[at]:.0%} less often together than by chance."
    times = f"{found.lift[at]:.1f} times as often as by chance"
    if evidence == SEQUENCE:
        return f"bought soon afterwards by {together:,} accounts, {times}."
    what = "their categories are bought" if found.basis[at] == CATEGORY_BASIS else "bought"
    return f"{what} together in {together:,} orders, {times}."
