"""Curated relationships laid over learned ones: the one place that says which of them stand.

Products are named by any key: rows of the artifact in memory, identifiers in the database. Pure.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

from models.artifact.relationships import RELATIONS, UP_SELL
from service.readmodel.relation import Relation

Key = TypeVar("Key", int, str)
Successors = Callable[[Key], Iterable[Key]]
"""Where a product leads by upgrades."""

CURATED_STRENGTH = 1.0
"""Strength of a relationship that is curated and was not learned."""


class CuratedRelationship(NamedTuple):
    """What a person decided about a pair of products, in place of what was learned. is_banned: never offer it."""

    relation: Relation
    is_banned: bool


class LearnedRelationship(NamedTuple):
    """One relationship of an artifact. position: its place in the artifact's arrays. relation: a code."""

    position: int
    relation: int
    strength: float


class StandingRelationship(NamedTuple, Generic[Key]):
    """One relationship as it stands. position: where it was learned; None if it is curated alone. relation: a code."""

    target: Key
    relation: int
    is_curated: bool
    is_banned: bool
    strength: float
    position: int | None

    @property
    def sort_key(self) -> tuple[int, bool, float, Key]:
        """Upgrades first; within a relation curated ones first, then the strongest."""
        return self.relation, not self.is_curated, -self.strength, self.target


def overlay(
    learned: Mapping[Key, LearnedRelationship], curated: Mapping[Key, CuratedRelationship]
) -> list[StandingRelationship[Key]]:
    """Return the relationships of one source product, both arguments by target, in the order of ``sort_key``.

    A curated pair replaces the learned one and keeps its strength and position. Banned pairs are part of the result.
    """
    standing = [
        StandingRelationship(target, relationship.relation, False, False, relationship.strength, relationship.position)
        for target, relationship in learned.items()
        if target not in curated
    ]
    for target, decided in curated.items():
        known = learned.get(target)
        strength, position = (known.strength, known.position) if known else (CURATED_STRENGTH, None)
        code = RELATIONS.index(decided.relation)
        standing.append(StandingRelationship(target, code, True, decided.is_banned, strength, position))
    return sorted(standing, key=lambda relationship: relationship.sort_key)


def upgrades_among(standing: Iterable[StandingRelationship[Key]]) -> list[StandingRelationship[Key]]:
    """Return the upgrades that may be offered."""
    return [
        relationship for relationship in standing if relationship.relation == UP_SELL and not relationship.is_banned
    ]


def find_path(begin: Key, end: Key, successors: Successors[Key]) -> list[Key] | None:
    """Find a path of upgrades from one product to another, both included; None where there is none."""
    came_from = {begin: begin}
    waiting = [begin]
    while waiting and end not in came_from:
        product = waiting.pop()
        for target in successors(product):
            if target not in came_from:
                came_from[target] = product
                waiting.append(target)
    if end not in came_from:
        return None
    path = [end]
    while path[-1] != begin:
        path.append(came_from[path[-1]])
    return path[::-1]
