"""How products lead to each other: what the artifact learned, with people's word in place of it where they spoke."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.artifact import Content
from models.artifact.relationships import ACCESSORY, RELATIONS, SUBSTITUTE, UP_SELL
from service.readmodel.edges import Edges, UpgradeTable
from service.readmodel.relation import Relation
from service.readmodel.relationship_wording import CURATED_GROUNDS, LEADS, grounds_of

ProductPair = tuple[int, int]
MAX_CACHED_LINKS: Final = 500_000
_NOBODY: Final[frozenset[int]] = frozenset()
_NOWHERE: Final[list["RankedTarget"]] = []


class CuratedRelationship(NamedTuple):
    """What people say of a pair of products, in place of what was learned. is_banned: it must not be shown."""

    relation: Relation
    is_banned: bool


class Link(NamedTuple):
    """That one product leads to another. before, after: the reason in words, around the name of the one it leads from.

    is_said: whether people say so. strength: between 0 and 1; what people say is certain, unless it was learned, too.
    """

    relation: Relation
    is_said: bool
    strength: float
    before: str
    after: str


RankedTarget = tuple[bool, float, int, int]
"""Where one product leads, the best sorting first: whether only learned, minus the strength, target, source."""

CuratedBySource = Mapping[int, Mapping[int, CuratedRelationship]]
"""The word of people, by the row of the product that leads, then by that of the one it leads to."""


class Learned:
    """An artifact's relationships, found from either end. Never changes."""

    def __init__(self, content: Content) -> None:
        self.found = content.relationships
        self.n_products = len(content.products.ids)
        self._texts = content.products.ids.texts
        self.owned_offsets, self.owned_products = content.owned_offsets, content.owned_products
        self.sources = self.found.sources()
        self._sources_of = {code: self._reversed(code) for code in (ACCESSORY, SUBSTITUTE)}

    @cached_property
    def order_of_ids(self) -> list[int]:
        """The product rows in the order of their identifiers."""
        ids = self.ids
        return sorted(range(self.n_products), key=ids.__getitem__)

    @cached_property
    def ids(self) -> list[str]:
        """The identifiers by row, decoded once."""
        return list(self._texts)

    def leading(self, relation: int) -> NDArray[np.bool_]:
        """Return bool (P,): the products that lead to any of this relation."""
        return self._mask(self.sources[self.found.relation == relation])

    def led_to(self, relation: int) -> NDArray[np.bool_]:
        """Return bool (P,): the products that any leads to by this relation."""
        return self._mask(self.found.target[self.found.relation == relation])

    def slice_of(self, source: int) -> slice:
        """Where all that a product leads to stands."""
        starts = self.found.starts
        return slice(int(starts[source]), int(starts[source + 1]))

    def position(self, source: int, target: int) -> int | None:
        """The position of one relationship, if it was learned."""
        at = self.slice_of(source)
        places = (self.found.target[at] == target).nonzero()[0]
        return at.start + int(places[0]) if len(places) else None

    def sources_of(self, target: int, relation: int) -> frozenset[int]:
        """The products that lead to one."""
        targets, sources = self._sources_of[relation]
        begin, end = targets.searchsorted((target, target + 1)).tolist()
        return frozenset(sources[begin:end].tolist())

    def _reversed(self, relation: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        places = (self.found.relation == relation).nonzero()[0]
        places = places[self.found.target[places].argsort(kind="stable")]
        return self.found.target[places], self.sources[places]

    def _mask(self, rows: NDArray[np.int32]) -> NDArray[np.bool_]:
        mask = np.zeros(self.n_products, dtype=np.bool_)
        mask[rows] = True
        return mask


class RelationshipIndex:
    """What decisions ask of relationships. Never changes: a new word of people makes a new one.

    upgradable:  bool (P,), whether a product may have an upgrade, or people spoke of what it leads to.
    promoted:    by source, what people say goes with it.
    banned_from: by target, the products from which people banned it.
    is_guarded:  bool (P,), whether a ban, a substitute or a main product may stand in the way of offering a product.
    """

    def __init__(self, learned: Learned, said: CuratedBySource) -> None:
        self.learned = learned
        self._said = said
        self._found = learned.found
        self._links: dict[int, Link | None] = {}
        self._upgrades: dict[int, list[RankedTarget]] = {}
        self._sources: dict[tuple[int, int], frozenset[int]] = {}
        self._said_of: dict[int, dict[int, CuratedRelationship]] = {}
        self.upgradable = learned.leading(UP_SELL)
        self.is_guarded = learned.led_to(SUBSTITUTE) | learned.led_to(ACCESSORY)
        self.promoted: dict[int, list[RankedTarget]] = {}
        self.banned_from: dict[int, frozenset[int]] = {}
        self._hear()
        self._dropped = self._against_people()
        companions = {source: [t for t, word in words.items() if _is_companion(word)] for source, words in said.items()}
        self.promoted = {source: self._leads(source, found) for source, found in companions.items() if found}

    def of(self, source: int, target: int) -> Link | None:
        """Return how a product leads to another, if it does."""
        key = source * self.learned.n_products + target
        try:
            return self._links[key]
        except KeyError:
            if len(self._links) >= MAX_CACHED_LINKS:
                self._links = {}
            found = self._links[key] = self._link(source, target)
            return found

    def upgrades_of(self, source: int) -> list[RankedTarget]:
        """Return a product's upgrades: first what people say, then the strongest."""
        try:
            return self._upgrades[source]
        except KeyError:
            found = self._upgrades[source] = self._leads(source, self._targets(source, (Relation.UP_SELL,)))
            return found

    def promoted_of(self, source: int) -> list[RankedTarget]:
        """Return what people say goes with a product."""
        return self.promoted.get(source, _NOWHERE)

    def companions_of(self, source: int) -> list[RankedTarget]:
        """Return what goes with a product: first what people say, then the strongest."""
        return self._leads(source, self._targets(source, (Relation.CROSS_SELL, Relation.ACCESSORY)))

    def mains_of(self, product: int) -> frozenset[int]:
        """The products without which this one is nothing; empty if it is no accessory."""
        return self._leading_to(product, ACCESSORY)

    def replaced_by(self, product: int) -> frozenset[int]:
        """The products that this one stands in for."""
        return self._leading_to(product, SUBSTITUTE)

    @cached_property
    def upgrades(self) -> UpgradeTable:
        """Every upgrade, for deciding array by array."""
        learned, said = self._learned(UP_SELL), self._said_pairs(Relation.UP_SELL)
        found, n_products = self._found, self.learned.n_products
        gone = np.array([s * n_products + t for s, t in self._dropped], dtype=np.int64)
        learned = learned[~np.isin(self._keys(learned), gone)]
        strengths = [self._strength(self.learned.position(source, target)) for source, target in said.tolist()]
        return UpgradeTable(
            is_said=np.arange(len(learned) + len(said)) >= len(learned),
            strengths=np.concatenate((found.strength[learned], np.array(strengths, dtype=np.float32))),
            sources=np.concatenate((self.learned.sources[learned], said[:, 0])),
            targets=np.concatenate((found.target[learned], said[:, 1])),
            n_products=n_products,
        )

    @cached_property
    def mains(self) -> Edges:
        """From each accessory to the products without which it is nothing."""
        return self._backwards(ACCESSORY)

    @cached_property
    def substitutes(self) -> Edges:
        """From each substitute to the products that it stands in for."""
        return self._backwards(SUBSTITUTE)

    @cached_property
    def bans(self) -> Edges:
        """From each product that people banned to those from which they did."""
        pairs = [(source, target) for target, sources in self.banned_from.items() for source in sources]
        sources, targets = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
        return Edges(targets, sources, self.learned.n_products)

    def with_curated(self, words: Mapping[int, Mapping[int, CuratedRelationship]]) -> "RelationshipIndex":
        """Replace all that people say of some sources."""
        said = {source: of for source, of in {**self._said, **words}.items() if of}
        return RelationshipIndex(self.learned, said)

    def _backwards(self, relation: int) -> Edges:
        learned, said = self._learned(relation), self._said_pairs(Relation(RELATIONS[relation]))
        return Edges(
            np.concatenate((self._found.target[learned], said[:, 1])),
            np.concatenate((self.learned.sources[learned], said[:, 0])),
            self.learned.n_products,
        )

    def _learned(self, relation: int) -> NDArray[np.int64]:
        """Where the learned relationships stand that people did not speak of."""
        places: NDArray[np.int64] = (self._found.relation == relation).nonzero()[0]
        n_products = self.learned.n_products
        said = [source * n_products + target for source, words in self._said.items() for target in words]
        return places[~np.isin(self._keys(places), np.array(said, dtype=np.int64))]

    def _keys(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """One number for each relationship's pair of products."""
        keys: NDArray[np.int64] = self.learned.sources[places].astype(np.int64)
        keys *= self.learned.n_products
        keys += self._found.target[places]
        return keys

    def _said_pairs(self, relation: Relation) -> NDArray[np.int32]:
        """What people say, int32 (n, 2): source and target."""
        pairs = [
            (source, target)
            for source, words in self._said.items()
            for target, word in words.items()
            if word.relation is relation and not word.is_banned
        ]
        return np.array(pairs, dtype=np.int32).reshape(-1, 2)

    def _hear(self) -> None:
        banned: dict[int, set[int]] = {}
        for source, words in self._said.items():
            self.upgradable[source] = True
            for target, word in words.items():
                self._said_of.setdefault(target, {})[source] = word
                self.is_guarded[target] = True
                if word.is_banned:
                    banned.setdefault(target, set()).add(source)
        self.banned_from = {target: frozenset(sources) for target, sources in banned.items()}

    def _link(self, source: int, target: int) -> Link | None:
        word = self._said.get(source, {}).get(target)
        if word is not None and word.is_banned:
            return None
        at = self.learned.position(source, target)
        if word is None and (at is None or (source, target) in self._dropped):
            return None
        grounds = CURATED_GROUNDS if at is None else grounds_of(self._found, at)
        relation = word.relation if word is not None else Relation(RELATIONS[self._found.relation[at or 0]])
        return Link(relation, word is not None, self._strength(at), LEADS[relation], f": {grounds}")

    def _strength(self, at: int | None) -> float:
        return 1.0 if at is None else float(self._found.strength[at])

    def _targets(self, source: int, relations: Sequence[Relation]) -> list[int]:
        words = self._said.get(source, {})
        targets = [*words, *(t for t in self._found.target[self.learned.slice_of(source)].tolist() if t not in words)]
        return [t for t in targets if (link := self.of(source, t)) is not None and link.relation in relations]

    def _leads(self, source: int, targets: Sequence[int]) -> list[RankedTarget]:
        links = ((target, self.of(source, target)) for target in targets)
        return sorted((not link.is_said, -link.strength, target, source) for target, link in links if link is not None)

    def _leading_to(self, product: int, relation: int) -> frozenset[int]:
        key = (product, relation)
        if key not in self._sources:
            words = self._said_of.get(product, {})
            learned = self.learned.sources_of(product, relation).difference(words)
            said = (s for s, word in words.items() if not word.is_banned and word.relation == RELATIONS[relation])
            self._sources[key] = learned.union(said) or _NOBODY
        return self._sources[key]

    def _against_people(self) -> frozenset[ProductPair]:
        """Find the learned upgrades that would lead back to where an upgrade by the word of people comes from."""
        dropped: set[ProductPair] = set()
        for source, words in self._said.items():
            for target, word in words.items():
                if not word.is_banned and word.relation is Relation.UP_SELL:
                    while (edge := self._learned_edge_between(target, source, dropped)) is not None:
                        dropped.add(edge)
        return frozenset(dropped)

    def _learned_edge_between(self, begin: int, end: int, dropped: set[ProductPair]) -> ProductPair | None:
        """Return a learned edge on a path of upgrades, if there is such a path."""
        came_from: dict[int, tuple[int, bool]] = {begin: (begin, False)}
        waiting = [begin]
        while waiting and end not in came_from:
            at = waiting.pop()
            for target, is_said in self._raw_upgrades(at):
                if target not in came_from and (is_said or (at, target) not in dropped):
                    came_from[target] = (at, is_said)
                    waiting.append(target)
        at = end
        while at in came_from and at != begin:
            before, is_said = came_from[at]
            if not is_said:
                return before, at
            at = before
        return None

    def _raw_upgrades(self, source: int) -> Iterator[tuple[int, bool]]:
        words = self._said.get(source, {})
        yield from ((t, True) for t, word in words.items() if not word.is_banned and word.relation is Relation.UP_SELL)
        at = self.learned.slice_of(source)
        is_upgrade = self._found.relation[at] == UP_SELL
        yield from ((t, False) for t in self._found.target[at][is_upgrade].tolist() if t not in words)


def _is_companion(word: CuratedRelationship) -> bool:
    return not word.is_banned and word.relation in (Relation.CROSS_SELL, Relation.ACCESSORY)
