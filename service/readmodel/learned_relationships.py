"""Relationships between products as an artifact holds them."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.artifact import Content
from models.artifact.relationships import UP_SELL
from service.readmodel.relationship_overlay import LearnedRelationship


class LearnedRelationships:
    """An artifact's relationships by product row. Immutable."""

    def __init__(self, content: Content) -> None:
        self.arrays = content.relationships
        self.n_products = len(content.products.ids)
        self._texts = content.products.ids.texts

    @cached_property
    def ids(self) -> list[str]:
        """Product identifiers by row, decoded once."""
        return list(self._texts)

    @cached_property
    def rows_by_id(self) -> list[int]:
        """Product rows in the order of their identifiers."""
        ids = self.ids
        return sorted(range(self.n_products), key=ids.__getitem__)

    @cached_property
    def sources(self) -> NDArray[np.int32]:
        """Int32 (R,): the product row that each relationship starts from."""
        return self.arrays.sources()

    @cached_property
    def is_needed(self) -> NDArray[np.bool_]:
        """Bool (P,): whether a product is an accessory that is no use without a main product."""
        is_needed = np.zeros(self.n_products, dtype=np.bool_)
        is_needed[self.arrays.target[self.arrays.is_needed]] = True
        return is_needed

    def positions(self, source: int) -> range:
        """Return where the relationships of a source product stand."""
        starts = self.arrays.starts
        return range(int(starts[source]), int(starts[source + 1]))

    def relation_of(self, source: int, target: int) -> int | None:
        """Return the code of a pair's relationship, if it was learned."""
        known = self.targets_of(source).get(target)
        return None if known is None else known.relation

    def upgrades_of(self, source: int) -> list[int]:
        """Return the upgrades of a source product: the first of its relationships."""
        begin, end = self._upgrade_bounds[source], self._upgrade_bounds[source + self.n_products]
        upgrades: list[int] = self.arrays.target[begin:end].tolist() if end > begin else []
        return upgrades

    @cached_property
    def _upgrade_bounds(self) -> list[int]:
        """Where each product's upgrades begin, then where they end."""
        starts = self.arrays.starts
        n_upgrades = np.concatenate(([0], np.cumsum(self.arrays.relation == UP_SELL)))
        ends = starts[:-1] + n_upgrades[starts[1:]] - n_upgrades[starts[:-1]]
        return [*starts[:-1].tolist(), *ends.tolist()]

    def targets_of(self, source: int) -> dict[int, LearnedRelationship]:
        """Return the relationships of a source product by target."""
        positions, arrays = self.positions(source), self.arrays
        run = slice(positions.start, positions.stop)
        columns = (arrays.target[run].tolist(), arrays.relation[run].tolist(), arrays.strength[run].tolist())
        return {
            target: LearnedRelationship(position, relation, strength)
            for position, target, relation, strength in zip(positions, *columns, strict=True)
        }
