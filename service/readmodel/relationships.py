"""Relationships between products as decisions use them: learned ones, with curated ones in their place."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import concatenate_ranges, offsets_of
from models.artifact import NO_ROW, Content
from models.artifact.relationships import ACCESSORY, CROSS_SELL, RELATIONS, SUBSTITUTE, UP_SELL
from service.readmodel.edges import Edges
from service.readmodel.learned_relationships import LearnedRelationships
from service.readmodel.relation import Relation
from service.readmodel.relationship_overlay import (
    StandingRelationship,
    overlay,
)
from service.readmodel.relationship_wording import CURATED_GROUNDS, LEADS, grounds_of, is_counted
from service.readmodel.upgrade_conflicts import CuratedBySource, find_conflicts

SUBSTITUTE_OF, ACCESSORY_OF, BANNED_FROM = range(3)
"""What a product is to another that decides whether it may be offered."""
MAX_CACHED_LINKS: Final = 500_000
MAX_COMPANIONS: Final = 8
"""Companions of a product that are candidates: beyond them an account's own list says more."""
ONLY_CURATED: Final = -1
"""Position of a relationship that was not learned."""


class Link(NamedTuple):
    """That one product leads to another.

    before, after: the reason in words, around the name of the leading product.
    is_counted:    whether it rests on customers who bought both, rather than on people or on categories.
    """

    relation: Relation
    before: str
    after: str
    is_counted: bool


class RelationshipIndex:
    """Every relationship that stands, as arrays of one length, grouped by source. Immutable: a change makes a new one.

    starts:     int64 (P + 1,); those of product p are ``[starts[p]:starts[p + 1]]``, upgrades first, then cross-sells,
                accessories and substitutes; of each relation curated ones first, then the strongest.
    target:     int32 (R,), product rows. relation: int8 (R,), codes. strength: float32 (R,).
    is_curated: bool (R,). position: int32 (R,), where it was learned, ONLY_CURATED for others.
    dropped:    by source, targets of learned upgrades that give way: with curated ones they would lead in a circle.
    """

    def __init__(
        self, learned: LearnedRelationships, curated: CuratedBySource, before: "RelationshipIndex | None" = None
    ) -> None:
        self.learned = learned
        self.curated = curated
        self.dropped = find_conflicts(learned, curated)
        self._resolved: dict[int, Link | None] = {}
        self._runs = {source: self._run_of(source, before) for source in sorted({*curated, *self.dropped})}
        self._lay_out()

    @classmethod
    def from_content(cls, content: Content) -> "RelationshipIndex":
        """Index an artifact's relationships, with nothing curated yet."""
        return cls(LearnedRelationships(content), {})

    def with_curated(self, changed: CuratedBySource) -> "RelationshipIndex":
        """Replace all curated relationships of some source products."""
        curated = {source: targets for source, targets in {**self.curated, **changed}.items() if targets}
        return RelationshipIndex(self.learned, curated, before=self)

    def prepare(self) -> None:
        """Work out what decisions need, so that none of them has to: for a million relationships it takes .1 s."""
        _ = (self._bounds, self.is_upgradable, self.promoted, self.strongest, self.guards)

    def standing(self, source: int) -> list[StandingRelationship[int]]:
        """Return the relationships of a source product as they stand, banned ones included."""
        dropped = self.dropped.get(source, ())
        learned = {t: relationship for t, relationship in self.learned.targets_of(source).items() if t not in dropped}
        return overlay(learned, self.curated.get(source, {}))

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
        is_needed = self._is_needed
        is_guard = (self.relation == SUBSTITUTE) | ((self.relation == ACCESSORY) & is_needed[self.target])
        chosen = np.flatnonzero(is_guard)
        kinds = np.where(self.relation[chosen] == SUBSTITUTE, SUBSTITUTE_OF, ACCESSORY_OF).astype(np.int8)
        bans = [(s, t) for s, targets in self.curated.items() for t, decided in targets.items() if decided.is_banned]
        # A banned accessory is still one: its ban does not open it to those without the main product.
        accessories = [
            pair for pair in bans if self.learned.relation_of(*pair) == ACCESSORY and self.learned.is_needed[pair[1]]
        ]
        sources, targets = np.array(bans + accessories, dtype=np.int32).reshape(-1, 2).T
        kinds_of_bans = np.repeat([BANNED_FROM, ACCESSORY_OF], [len(bans), len(accessories)]).astype(np.int8)
        return (
            np.concatenate((self.target[chosen], targets)),
            np.concatenate((self._sources[chosen], sources)),
            np.concatenate((kinds, kinds_of_bans)),
        )

    @property
    def _is_needed(self) -> NDArray[np.bool_]:
        """Bool (P,): whether a product is an accessory that needs one of its main products: learned, or curated."""
        is_needed = self.learned.is_needed.copy()
        is_needed[self.target[self.is_curated & (self.relation == ACCESSORY)]] = True
        return is_needed

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
        counted = position != ONLY_CURATED and is_counted(self.learned.arrays, position)
        return Link(relation, LEADS[relation], f": {grounds}", counted)

    @cached_property
    def _sources(self) -> NDArray[np.int32]:
        return np.repeat(np.arange(self.learned.n_products, dtype=np.int32), np.diff(self.starts))

    def _run_of(self, source: int, before: "RelationshipIndex | None") -> "Run":
        """Lay out what stands of one source, or take it over from the index before where nothing changed."""
        if before is not None and source in before._runs:
            is_same = self.curated.get(source) is before.curated.get(source)
            if is_same and self.dropped.get(source) == before.dropped.get(source):
                return before._runs[source]
        return as_arrays([relationship for relationship in self.standing(source) if not relationship.is_banned])

    def _lay_out(self) -> None:
        """Take learned relationships as they are, but for sources with curated or dropped pairs."""
        arrays = self.learned.arrays
        n_learned = len(arrays.target)
        if not self._runs:
            self.starts: NDArray[np.int64] = arrays.starts
            self.target: NDArray[np.int32] = arrays.target
            self.relation: NDArray[np.int8] = arrays.relation
            self.strength: NDArray[np.float32] = arrays.strength
            self.is_curated: NDArray[np.bool_] = np.zeros(n_learned, dtype=np.bool_)
            self.position: NDArray[np.int32] = np.arange(n_learned, dtype=np.int32)
            return
        changed, lengths = np.array(list(self._runs)), np.diff(arrays.starts)
        replaced = concatenate_ranges(arrays.starts[changed], lengths[changed])[1]
        lengths[changed] = [len(run.target) for run in self._runs.values()]
        self.starts = offsets_of(lengths)
        kept = np.delete(np.arange(n_learned), replaced)
        sources = self.learned.sources[kept]
        to_kept = self.starts[sources] + kept - arrays.starts[sources]
        to_new = concatenate_ranges(self.starts[changed], lengths[changed])[1]
        new = Run(*map(np.concatenate, zip(*self._runs.values(), strict=True)))

        def merged(learned: NDArray[Any], of_runs: NDArray[Any]) -> NDArray[Any]:
            column = np.empty(len(kept) + len(of_runs), dtype=of_runs.dtype)
            column[to_kept], column[to_new] = learned, of_runs
            return column

        self.target = merged(arrays.target[kept], new.target)
        self.relation = merged(arrays.relation[kept], new.relation)
        self.strength = merged(arrays.strength[kept], new.strength)
        self.is_curated = merged(np.zeros(len(kept), dtype=np.bool_), new.is_curated)
        self.position = merged(kept.astype(np.int32), new.position)


class Run(NamedTuple):
    """What stands of one source, arrays of one length: see ``RelationshipIndex``."""

    target: NDArray[np.int32]
    relation: NDArray[np.int8]
    strength: NDArray[np.float32]
    is_curated: NDArray[np.bool_]
    position: NDArray[np.int32]


def as_arrays(run: Sequence[StandingRelationship[int]]) -> Run:
    """Lay a list of relationships out as columns."""
    positions = [ONLY_CURATED if relationship.position is None else relationship.position for relationship in run]
    return Run(
        np.array([relationship.target for relationship in run], dtype=np.int32),
        np.array([relationship.relation for relationship in run], dtype=np.int8),
        np.array([relationship.strength for relationship in run], dtype=np.float32),
        np.array([relationship.is_curated for relationship in run], dtype=np.bool_),
        np.array(positions, dtype=np.int32),
    )
