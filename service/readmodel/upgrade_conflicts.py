"""Learned upgrades that give way to curated ones, so that no upgrades lead round in a circle."""

from collections.abc import Callable, Collection, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from service.readmodel.learned_relationships import LearnedRelationships
from service.readmodel.relation import Relation
from service.readmodel.relationship_overlay import CuratedRelationship, find_path

CuratedBySource = Mapping[int, Mapping[int, CuratedRelationship]]
"""Curated relationships by the row of the product that leads, then by that of the one it leads to."""


def find_conflicts(learned: LearnedRelationships, curated: CuratedBySource) -> dict[int, set[int]]:
    """Return targets by source of the learned upgrades that would lead back to where a curated upgrade comes from.

    The result depends on the relationships alone, not on the order in which they were curated.
    """
    by_source = {
        source: sorted(target for target, decided in targets.items() if _is_upgrade(decided))
        for source, targets in sorted(curated.items())
    }
    upgrades = {source: targets for source, targets in by_source.items() if targets}
    dropped: dict[int, set[int]] = {}

    def successors(source: int) -> list[int]:
        decided, gone = curated.get(source, {}), dropped.get(source, ())
        standing = [target for target in learned.upgrades_of(source) if target not in decided and target not in gone]
        return sorted(standing + upgrades.get(source, []))

    if not _has_circle({source: successors(source) for source in _reachable(upgrades, successors)}):
        return dropped
    for source, targets in upgrades.items():
        for target in targets:
            while (path := find_path(target, source, successors)) is not None:
                learned_pairs = [pair for pair in pairwise(path) if pair[1] not in curated.get(pair[0], {})]
                if not learned_pairs:
                    break
                last_source, last_target = learned_pairs[-1]
                dropped.setdefault(last_source, set()).add(last_target)
    return dropped


def _is_upgrade(decided: CuratedRelationship) -> bool:
    return decided.relation is Relation.UP_SELL and not decided.is_banned


def _reachable(begin: Collection[int], successors: Callable[[int], list[int]]) -> set[int]:
    """Return the products that upgrades lead to from some, these included."""
    reached, waiting = set(begin), list(begin)
    while waiting:
        for target in successors(waiting.pop()):
            if target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached


def _has_circle(graph: Mapping[int, list[int]]) -> bool:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError:
        return True
    return False
