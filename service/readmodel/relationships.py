"""Relationships between products as decisions use them: learned ones, with curated ones in their place."""

from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW, Content
from models.artifact.relationships import ACCESSORY, CROSS_SELL, RELATIONS, SUBSTITUTE, UP_SELL
from service.readmodel.edges import Edges
from service.readmodel.learned_relationships import LearnedRelationships
from service.readmodel.relation import Relation
from service.readmodel.relationship_overlay import (
    CuratedRelationship,
    LearnedRelationship,
    StandingRelationship,
    find_path,
    overlay,
    upgrades_among,
)
from service.readmodel.relationship_wording import CURATED_GROUNDS, LEADS, grounds_of

ProductPair = tuple[int, int]
CuratedBySource = Mapping[int, Mapping[int, CuratedRelationship]]
"""Curated relationships by the row of the product that leads, then by that of the one it leads to."""

SUBSTITUTE_OF, ACCESSORY_OF, BANNED_FROM = range(3)
"""What a product is to another that decides whether it may be offered."""
MAX_CACHED_LINKS: Final = 500_000
MAX_COMPANIONS: Final = 8
"""Companions of a product that are candidates: beyond them an account's own list says more."""
ONLY_CURATED: Final = -1
"""Position of a relationship that was not learned."""


class Link(NamedTuple):
    """That one product leads to another. before, after: the reason in words, around the name of the leading product."""

    relation: Relation
    before: str
    after: str


class RelationshipIndex:
    """Every relationship that stands, as arrays of one length, grouped by source. Immutable: a change makes a new one.

    starts:     int64 (P + 1,); those of product p are ``[starts[p]:starts[p + 1]]``, upgrades first, then cross-sells,
                accessories and substitutes; of each relation curated ones first, then the strongest.
    target:     int32 (R,), product rows. relation: int8 (R,), codes. strength: float32 (R,).
    is_curated: bool (R,). position: int32 (R,), where it was learned, ONLY_CURATED for others.
    dropped:    learned upgrades that give way, since with curated ones they would lead round in a circle.
    """

    def __init__(self, learned: LearnedRelationships, curated: CuratedBySource) -> None:
        self.learned = learned
        self.curated = curated
        self.dropped = frozenset(_conflicts(learned, curated))
        self._resolved: dict[int, Link | None] = {}
        self._lay_out()

    @classmethod
    def from_content(cls, content: Content) -> "RelationshipIndex":
        """Index an artifact's relationships, with nothing curated yet."""
        return cls(LearnedRelationships(content), {})

    def with_curated(self, changed: CuratedBySource) -> "RelationshipIndex":
        """Replace all curated relationships of some source products."""
        curated = {source: targets for source, targets in {**self.curated, **changed}.items() if targets}
        return RelationshipIndex(self.learned, curated)

    def standing(self, source: int) -> list[StandingRelationship[int]]:
        """Return the relationships of a source product as they stand, banned ones included."""
        return overlay(_not_dropped(self.learned, source, self.dropped), self.curated.get(source, {}))

    def runs(self, relation: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where the relationships of a kind begin and end for each product, int64 (P,) each."""
        bounds = self._bounds
        return bounds[relation], bounds[relation + 1]

    @cached_property
    def _bounds(self) -> list[NDArray[np.int64]]:
        """Begin of each relation's run for each product, and the end of the last."""
        begins, ends = self.starts[:-1], self.starts[1:]
        bounds = [begins]
        for code in (UP_SELL, CROSS_SELL, ACCESSORY):
            totals = np.zeros(len(self.target) + 1, dtype=np.int64)
            np.cumsum(self.relation == code, out=totals[1:])
            bounds.append(bounds[-1] + totals[ends] - totals[begins])
        return [*bounds, ends]

    @cached_property
    def is_upgradable(self) -> NDArray[np.bool_]:
        """Bool (P,): whether a product has an upgrade."""
        begins, ends = self.runs(UP_SELL)
        return ends > begins

    @cached_property
    def companions(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return what goes with each product best, strongest first: targets int32 (P, K) and strengths float32 (P, K).

        NO_ROW and minus infinity where a product has fewer than MAX_COMPANIONS.
        """
        begins, ends = self._bounds[CROSS_SELL], self._bounds[SUBSTITUTE]
        positions = begins[:, None] + np.arange(MAX_COMPANIONS)
        accessories = self._bounds[ACCESSORY][:, None] + np.arange(MAX_COMPANIONS)
        positions = np.where(positions < self._bounds[ACCESSORY][:, None], positions, -1)
        accessories = np.where(accessories < ends[:, None], accessories, -1)
        positions = np.concatenate((positions, accessories), axis=1)
        is_there = positions >= 0
        if not is_there.any():
            shape = (self.learned.n_products, 0)
            return np.empty(shape, dtype=np.int32), np.empty(shape, dtype=np.float32)
        strength = np.where(is_there, self.strength[positions], -np.inf).astype(np.float32)
        best = np.argsort(-strength, axis=1, kind="stable")[:, :MAX_COMPANIONS]
        target = np.where(is_there, self.target[positions], NO_ROW)
        return np.take_along_axis(target, best, axis=1), np.take_along_axis(strength, best, axis=1)

    @cached_property
    def promoted(self) -> Edges[np.int64]:
        """What is curated to go with each product, as positions in the arrays of this index."""
        chosen = np.flatnonzero(self.is_curated & np.isin(self.relation, (CROSS_SELL, ACCESSORY)))
        chosen = chosen[np.lexsort((self.target[chosen], -self.strength[chosen]))]
        return Edges(self._sources[chosen], chosen, self.learned.n_products)

    @cached_property
    def strongest(self) -> NDArray[np.float32]:
        """Float32 (P,): the strength of each product's strongest companion, minus infinity where it has none."""
        strengths = self.companions[1]
        return strengths[:, 0].copy() if strengths.shape[1] else np.full(len(strengths), -np.inf, dtype=np.float32)

    @cached_property
    def guards(self) -> Edges[np.int64]:
        """What may stand in the way of offering each product, as positions in ``guard_others`` and ``guard_kinds``."""
        products = self._guard_columns[0]
        return Edges(products, np.arange(len(products)), self.learned.n_products)

    @property
    def guard_others(self) -> NDArray[np.int32]:
        """Int32 (G,): the other product of each guard."""
        return self._guard_columns[1]

    @property
    def guard_kinds(self) -> NDArray[np.int8]:
        """Int8 (G,): SUBSTITUTE_OF, ACCESSORY_OF or BANNED_FROM the other product."""
        return self._guard_columns[2]

    @cached_property
    def _guard_columns(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int8]]:
        chosen = np.flatnonzero(self.relation >= ACCESSORY)
        kinds = np.where(self.relation[chosen] == SUBSTITUTE, SUBSTITUTE_OF, ACCESSORY_OF).astype(np.int8)
        bans = [(s, t) for s, targets in self.curated.items() for t, decided in targets.items() if decided.is_banned]
        banned_from, banned = np.array(bans, dtype=np.int32).reshape(-1, 2).T
        return (
            np.concatenate((self.target[chosen], banned)),
            np.concatenate((self._sources[chosen], banned_from)),
            np.concatenate((kinds, np.full(len(bans), BANNED_FROM, dtype=np.int8))),
        )

    def link(self, source: int, target: int) -> Link | None:
        """Return how a product leads to another, in words, if it does."""
        key = source * self.learned.n_products + target
        try:
            return self._resolved[key]
        except KeyError:
            if len(self._resolved) >= MAX_CACHED_LINKS:
                self._resolved = {}
            link = self._resolved[key] = self._describe(source, target)
            return link

    def _describe(self, source: int, target: int) -> Link | None:
        begin, end = self.starts[source], self.starts[source + 1]
        places = (self.target[begin:end] == target).nonzero()[0]
        if not len(places):
            return None
        place = int(begin + places[0])
        position = int(self.position[place])
        grounds = CURATED_GROUNDS if position == ONLY_CURATED else grounds_of(self.learned.arrays, position)
        relation = Relation(RELATIONS[self.relation[place]])
        return Link(relation, LEADS[relation], f": {grounds}")

    @cached_property
    def _sources(self) -> NDArray[np.int32]:
        return np.repeat(np.arange(self.learned.n_products, dtype=np.int32), np.diff(self.starts))

    def _lay_out(self) -> None:
        """Take learned relationships as they are, and ``standing`` for sources with curated or dropped pairs."""
        arrays = self.learned.arrays
        n_learned = len(arrays.target)
        changed = sorted({*self.curated, *(source for source, _ in self.dropped)})
        runs = {
            source: [relationship for relationship in self.standing(source) if not relationship.is_banned]
            for source in changed
        }
        lengths = np.diff(arrays.starts)
        lengths[changed] = [len(run) for run in runs.values()]
        self.starts: NDArray[np.int64] = np.concatenate(([0], np.cumsum(lengths))) if changed else arrays.starts
        columns = list(zip(*self._parts(runs, n_learned), strict=True))
        self.target: NDArray[np.int32] = _joined(columns[0])
        self.relation: NDArray[np.int8] = _joined(columns[1])
        self.strength: NDArray[np.float32] = _joined(columns[2])
        self.is_curated: NDArray[np.bool_] = _joined(columns[3])
        self.position: NDArray[np.int32] = _joined(columns[4])

    def _parts(
        self, runs: Mapping[int, Sequence[StandingRelationship[int]]], n_learned: int
    ) -> Iterator[tuple[NDArray[Any], ...]]:
        """Yield stretches of learned relationships and, between them, the runs of changed sources."""
        begin = 0
        for source, run in runs.items():
            replaced = self.learned.positions(source)
            yield self._learned_part(begin, replaced.start)
            yield _as_arrays(run)
            begin = replaced.stop
        yield self._learned_part(begin, n_learned)

    def _learned_part(self, begin: int, end: int) -> tuple[NDArray[Any], ...]:
        arrays, kept = self.learned.arrays, slice(begin, end)
        is_curated = np.zeros(end - begin, dtype=np.bool_)
        positions = np.arange(begin, end, dtype=np.int32)
        return arrays.target[kept], arrays.relation[kept], arrays.strength[kept], is_curated, positions


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Concatenate; a single part stays the mapped array that it is."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _as_arrays(run: Sequence[StandingRelationship[int]]) -> tuple[NDArray[Any], ...]:
    positions = [ONLY_CURATED if relationship.position is None else relationship.position for relationship in run]
    return (
        np.array([relationship.target for relationship in run], dtype=np.int32),
        np.array([relationship.relation for relationship in run], dtype=np.int8),
        np.array([relationship.strength for relationship in run], dtype=np.float32),
        np.array([relationship.is_curated for relationship in run], dtype=np.bool_),
        np.array(positions, dtype=np.int32),
    )


def _not_dropped(
    learned: LearnedRelationships, source: int, dropped: Container[ProductPair]
) -> dict[int, LearnedRelationship]:
    targets = learned.targets_of(source)
    return {target: relationship for target, relationship in targets.items() if (source, target) not in dropped}


def _conflicts(learned: LearnedRelationships, curated: CuratedBySource) -> set[ProductPair]:
    """Find the learned upgrades that would lead back to where a curated upgrade comes from."""
    dropped: set[ProductPair] = set()

    def successors(source: int) -> list[int]:
        standing = overlay(_not_dropped(learned, source, dropped), curated.get(source, {}))
        return [upgrade.target for upgrade in upgrades_among(standing)]

    for source, targets in curated.items():
        for target, decided in targets.items():
            if decided.is_banned or decided.relation is not Relation.UP_SELL:
                continue
            while (path := find_path(target, source, successors)) is not None:
                learned_pairs = [pair for pair in pairwise(path) if pair[1] not in curated.get(pair[0], {})]
                if not learned_pairs:
                    break
                dropped.add(learned_pairs[-1])
    return dropped
