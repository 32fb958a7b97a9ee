"""The catalogue of relationships as it stands: what was learned, with what is curated in its place."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import chain, islice
from typing import Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Table, func, select

from models.artifact.relationships import BASES, RELATIONS
from service.catalogue.learned import learned_between, learned_from
from service.catalogue.pairs import relationship_id_of
from service.catalogue.relationship_figures import figures_of_curated, figures_of_learned
from service.catalogue.schemas import RelationshipOut
from service.catalogue.tables import Product, Relationship
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.learned_relationships import LearnedRelationships
from service.readmodel.relation import Relation
from service.readmodel.relationship_overlay import CuratedRelationship, StandingRelationship, overlay
from service.storage.bulk import stored_rows

Row = dict[str, Any]
_PRODUCTS: Final = cast(Table, Product.__table__)
_RELATIONSHIPS: Final = cast(Table, Relationship.__table__)
_SOURCES_AT_ONCE: Final = 200
_NOT_CURATED: Final = dict.fromkeys(("note", "created_at", "created_by", "updated_at", "updated_by"))
_NOT_STORED: Final = dict.fromkeys(("line", "price_minor", "currency"))


@dataclass(frozen=True)
class RelationshipFilter:
    """Which relationships to list; None lets all pass. Line and category are those of the source."""

    product_id: str | None = None
    line: str | None = None
    category: str | None = None
    relation: str | None = None
    status: str | None = None
    minimum_strength: float = 0


class SortKey(NamedTuple):
    """The order within a source: upgrades first; of each relation curated ones first, then the strongest."""

    relation: int
    is_learned: bool
    weakness: float
    target_product_id: str


@dataclass(frozen=True)
class Entry:
    """One relationship as it stands.

    source, target: rows of the products table. stored: the row of the relationships table on the pair, if any.
    """

    source: Row
    target: Row
    standing: StandingRelationship[str]
    stored: Row | None

    @property
    def relation(self) -> str:
        """What the target is to the source."""
        return RELATIONS[self.standing.relation]

    @property
    def status(self) -> str:
        """``mined`` unless it is curated."""
        return str(self.stored["status"]) if self.stored and self.standing.is_curated else "mined"

    @property
    def key(self) -> SortKey:
        """See ``SortKey``."""
        return SortKey(*self.standing.sort_key)


class RelationshipCatalogue:
    """Reads the relationships of the artifact in use together with those in the database."""

    def __init__(self, connection: Connection, view: CatalogueView | None) -> None:
        self._connection = connection
        self._view = view

    def walk(self, wanted: RelationshipFilter, source_ids: Iterable[str] | None = None) -> Iterator[Entry]:
        """Yield what is wanted, source by source, in the order of identifiers unless ``source_ids`` gives another."""
        remaining = iter(self.source_ids(wanted) if source_ids is None else source_ids)
        while batch := list(islice(remaining, _SOURCES_AT_ONCE)):
            yield from self._entries(batch, wanted)

    def source_ids(self, wanted: RelationshipFilter, at_least: str = "") -> Iterator[str]:
        """Yield the products that may have any that is wanted, in the order of their identifiers."""
        if wanted.product_id is not None:
            yield from (wanted.product_id,) if wanted.product_id >= at_least else ()
            return
        among = self._products_of(wanted)
        query = select(Relationship.source_product_id).distinct()
        stored = sorted(i for i in self._connection.scalars(query) if i >= at_least and (among is None or i in among))
        last = None
        for product_id in merge(stored, self._learned_sources(wanted, at_least, among)):
            if product_id != last:
                yield product_id
            last = product_id

    def source_ids_by_line(self, wanted: RelationshipFilter) -> Iterator[str]:
        """Yield the same products by line and name; those without a line last."""
        source_ids = list(self.source_ids(wanted))
        stored = stored_rows(self._connection, _PRODUCTS, source_ids)
        products = [stored.get(product_id) or self._unstored_product(product_id) for product_id in source_ids]
        products.sort(key=lambda product: (not product["line"], product["line"] or "", product["name"]))
        return (product["product_id"] for product in products)

    def count_at_most(self, wanted: RelationshipFilter, basis: str | None, per_product: int | None) -> int:
        """Return an upper bound of how many relationships are wanted, from memory: curated ones count in addition.

        basis, per_product: count only learned ones of a basis, and only so many of each product.
        """
        n_curated = self._connection.scalar(select(func.count()).select_from(_RELATIONSHIPS)) or 0
        if self._view is None or wanted.status not in (None, "mined"):
            return n_curated
        learned, among = self._view.relationships.learned, self._products_of(wanted)
        passes = passing(learned, wanted)
        if basis is not None:
            passes = passes & (learned.arrays.basis == BASES.index(basis))
        by_source = np.bincount(learned.sources[passes], minlength=learned.n_products)
        if per_product is not None:
            by_source = np.minimum(by_source, per_product)
        if wanted.product_id is not None:
            among = {wanted.product_id}
        if among is not None:
            by_source = by_source[[row for row, product_id in enumerate(learned.ids) if product_id in among]]
        return n_curated + int(by_source.sum())

    def basis_of(self, entry: Entry) -> str:
        """Return whether products were counted, or their categories; ``product`` of what is curated alone."""
        position = entry.standing.position
        if self._view is None or position is None:
            return "product"
        return BASES[self._view.relationships.learned.arrays.basis[position]]

    def find(self, source_id: str, target_id: str) -> Entry | None:
        """Return the relationship of one pair, whether or not it gives way to another."""
        learned = learned_between(self._view, source_id, target_id)
        stored = self._stored_relationships([source_id])[source_id].get(target_id)
        standing = overlay({target_id: learned} if learned else {}, _curated({target_id: stored} if stored else {}))
        products = self._products([source_id, target_id])
        return Entry(products[source_id], products[target_id], standing[0], stored) if standing else None

    def learned_relation(self, source_id: str, target_id: str) -> str | None:
        """Return what was learned of a pair, if anything."""
        learned = learned_between(self._view, source_id, target_id)
        return RELATIONS[learned.relation] if learned else None

    def show(self, entry: Entry) -> RelationshipOut:
        """Return an entry as callers read it."""
        source, target, stored = entry.source, entry.target, entry.stored or _NOT_CURATED
        return RelationshipOut(
            relationship_id=relationship_id_of(source["product_id"], target["product_id"]),
            source_product_id=source["product_id"],
            source_name=source["name"],
            target_product_id=target["product_id"],
            target_name=target["name"],
            relation=cast(Any, entry.relation),
            status=cast(Any, entry.status),
            strength=entry.standing.strength,
            **self.figures(entry),
            **{name: stored[name] for name in _NOT_CURATED},
        )

    def figures(self, entry: Entry) -> dict[str, Any]:
        """Return what an entry rests on."""
        position = entry.standing.position
        if self._view is None or position is None:
            return figures_of_curated(entry.source, entry.target)
        return figures_of_learned(self._view.products.content, position)

    def _entries(self, source_ids: Sequence[str], wanted: RelationshipFilter) -> Iterator[Entry]:
        stored = self._stored_relationships(source_ids)
        standing = {
            source_id: overlay(learned_from(self._view, source_id), _curated(stored[source_id]))
            for source_id in source_ids
        }
        target_ids = (relationship.target for relationships in standing.values() for relationship in relationships)
        products = self._products(chain(source_ids, target_ids))
        for source_id, relationships in standing.items():
            for relationship in relationships:
                row = stored[source_id].get(relationship.target)
                entry = Entry(products[source_id], products[relationship.target], relationship, row)
                if _is_wanted(entry, wanted):
                    yield entry

    def _stored_relationships(self, source_ids: Sequence[str]) -> dict[str, dict[str, Row]]:
        stored: dict[str, dict[str, Row]] = {source_id: {} for source_id in source_ids}
        query = select(_RELATIONSHIPS).where(_RELATIONSHIPS.c.source_product_id.in_(source_ids))
        for row in self._connection.execute(query).mappings():
            stored[row["source_product_id"]][row["target_product_id"]] = dict(row)
        return stored

    def _products(self, product_ids: Iterable[str]) -> dict[str, Row]:
        named = set(product_ids)
        stored = stored_rows(self._connection, _PRODUCTS, named)
        return {product_id: stored.get(product_id) or self._unstored_product(product_id) for product_id in named}

    def _unstored_product(self, product_id: str) -> Row:
        """Return a product that is not stored, since the artifact was trained on files."""
        row = self._view.products.row_of(product_id) if self._view else None
        if self._view is None or row is None:
            return {**_NOT_STORED, "product_id": product_id, "name": product_id}
        info, line = self._view.products.info(row), self._view.products.content.products.lines[row] or None
        known = {"name": info.name, "line": line, "price_minor": info.price_minor, "currency": info.currency}
        return {**_NOT_STORED, "product_id": product_id, **known}

    def _learned_sources(self, wanted: RelationshipFilter, at_least: str, among: set[str] | None) -> Iterator[str]:
        if self._view is None or wanted.status not in (None, "mined"):
            return
        learned = self._view.relationships.learned
        passes = passing(learned, wanted)
        leads = np.zeros(learned.n_products, dtype=np.bool_)
        leads[learned.sources[passes]] = True
        ids, flags = learned.ids, leads.tolist()
        for row in learned.rows_by_id:
            if flags[row] and ids[row] >= at_least and (among is None or ids[row] in among):
                yield ids[row]

    def _products_of(self, wanted: RelationshipFilter) -> set[str] | None:
        if wanted.line is None and wanted.category is None:
            return None
        query = select(Product.product_id)
        if wanted.line is not None:
            query = query.where(Product.line == wanted.line)
        if wanted.category is not None:
            query = query.where(Product.category == wanted.category)
        return set(self._connection.scalars(query))


def passing(learned: LearnedRelationships, wanted: RelationshipFilter) -> NDArray[np.bool_]:
    """Return bool (R,): which learned relationships are of the wanted relation, and strong enough."""
    passes: NDArray[np.bool_] = learned.arrays.strength >= wanted.minimum_strength
    if wanted.relation is not None:
        passes = passes & (learned.arrays.relation == RELATIONS.index(wanted.relation))
    return passes


def _curated(rows: dict[str, Row]) -> dict[str, CuratedRelationship]:
    """Return what rows of the relationships table decide, by target. A row that holds only a note decides nothing."""
    return {
        target_id: CuratedRelationship(Relation(row["relation"]), row["status"] == "banned")
        for target_id, row in rows.items()
        if row["status"] != "mined"
    }


def _is_wanted(entry: Entry, wanted: RelationshipFilter) -> bool:
    return (
        wanted.relation in (None, entry.relation)
        and wanted.status in (None, entry.status)
        and entry.standing.strength >= wanted.minimum_strength
    )
