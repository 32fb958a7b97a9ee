"""The catalogue of relationships as it stands: what was learned, and what people say in its place."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import chain, islice
from typing import Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Table, select

from models.artifact import NO_NUMBER, Content
from models.artifact.relationships import BASES, EVIDENCE, RELATIONS, UP_SELL
from service.catalogue.pairs import relationship_id_of
from service.catalogue.schemas import DaysBetween, RelationshipOut
from service.catalogue.tables import Product, Relationship
from service.readmodel.product_index import ProductIndex
from service.readmodel.relationship_wording import CURATED_GROUNDS, grounds_of
from service.readmodel.relationships import Learned
from service.storage.bulk import stored_rows

_SOURCES_AT_ONCE: Final = 200
_NOTHING_SAID: Final = dict.fromkeys(("note", "created_at", "created_by", "updated_at", "updated_by"))
_UNKNOWN: Final = dict.fromkeys(("line", "price_minor", "currency"))
_COUNTED: Final = (
    *("together", "n_source", "n_target", "n_total", "support", "confidence", "lift", "cosine"),
    *("log_likelihood_ratio", "value_growth", "days_between"),
)


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
    """The order within a source: upgrades first; of each relation, what people say first, then the strongest."""

    relation: int
    is_learned: bool
    weakness: float
    target_product_id: str


@dataclass(frozen=True)
class Entry:
    """One relationship as it stands.

    at:   where it stands among what was learned, if it was. said: what people say of it, if they do.
    source, target: the rows of the products table.
    """

    source: dict[str, Any]
    target: dict[str, Any]
    relation: str
    status: str
    strength: float
    at: int | None
    said: dict[str, Any] | None

    @property
    def key(self) -> SortKey:
        is_learned = self.status == "mined"
        return SortKey(RELATIONS.index(self.relation), is_learned, -self.strength, self.target["product_id"])


class RelationshipCatalogue:
    """Reads the relationships of the artifact in use together with those in the database."""

    def __init__(self, connection: Connection, shelf: ProductIndex | None) -> None:
        self._connection = connection
        self._shelf = shelf
        self._learned: Learned | None = shelf.links.learned if shelf else None

    def walk(self, wanted: RelationshipFilter, source_ids: Iterable[str] | None = None) -> Iterator[Entry]:
        """Yield what is wanted, source by source, in the order of identifiers unless ``source_ids`` tells another."""
        left = iter(self.source_ids(wanted) if source_ids is None else source_ids)
        while some := list(islice(left, _SOURCES_AT_ONCE)):
            yield from self._entries(some, wanted)

    def source_ids(self, wanted: RelationshipFilter, at_least: str = "") -> Iterator[str]:
        """Yield the products that may have any that is wanted, in the order of their identifiers."""
        if wanted.product_id is not None:
            yield from (wanted.product_id,) if wanted.product_id >= at_least else ()
            return
        among = self._products_of(wanted)
        query = select(Relationship.source_product_id).distinct()
        said = sorted(i for i in self._connection.scalars(query) if i >= at_least and (among is None or i in among))
        last = None
        for product_id in merge(said, self._learned_sources(wanted, at_least, among)):
            if product_id != last:
                yield product_id
            last = product_id

    def source_ids_by_line(self, wanted: RelationshipFilter) -> Iterator[str]:
        """Yield the same products by line and name; those without a line last."""
        found = list(self.source_ids(wanted))
        stored = stored_rows(self._connection, cast(Table, Product.__table__), found)
        products = [stored.get(product_id) or self._product(product_id) for product_id in found]
        products.sort(key=lambda product: (not product["line"], product["line"] or "", product["name"]))
        return (product["product_id"] for product in products)

    def learned_relation(self, source_id: str, target_id: str) -> str | None:
        """What was learned of a pair, if anything."""
        at = self.position(source_id, target_id)
        return RELATIONS[self._learned.found.relation[at]] if self._learned and at is not None else None

    def position(self, source_id: str, target_id: str) -> int | None:
        """Where a relationship stands among what was learned, if it was."""
        if self._shelf is None or self._learned is None:
            return None
        source, target = self._shelf.row_of(source_id), self._shelf.row_of(target_id)
        return None if source is None or target is None else self._learned.position(source, target)

    def shown(self, entry: Entry) -> RelationshipOut:
        """An entry as callers read it."""
        source, target, said = entry.source, entry.target, entry.said or _NOTHING_SAID
        return RelationshipOut(
            relationship_id=relationship_id_of(source["product_id"], target["product_id"]),
            source_product_id=source["product_id"],
            source_name=source["name"],
            target_product_id=target["product_id"],
            target_name=target["name"],
            relation=cast(Any, entry.relation),
            status=cast(Any, entry.status),
            strength=entry.strength,
            **self.figures(entry),
            **{name: said[name] for name in _NOTHING_SAID},
        )

    def figures(self, entry: Entry) -> dict[str, Any]:
        """What an entry rests on."""
        if self._shelf is None or entry.at is None:
            step, currency = _price_step(entry.source, entry.target)
            nothing = dict.fromkeys(_COUNTED)
            words = {"basis": "product", "evidence": "people", "reason": _as_sentence(CURATED_GROUNDS)}
            return {**words, **nothing, "price_step_minor": step, "currency": currency}
        return figures_of(self._shelf.content, entry.at)

    def _entries(self, source_ids: Sequence[str], wanted: RelationshipFilter) -> Iterator[Entry]:
        table = cast(Table, Relationship.__table__)
        said: dict[str, dict[str, dict[str, Any]]] = {source_id: {} for source_id in source_ids}
        for row in self._connection.execute(select(table).where(table.c.source_product_id.in_(source_ids))).mappings():
            said[row["source_product_id"]][row["target_product_id"]] = dict(row)
        learned = {source_id: self._targets(source_id) for source_id in source_ids}
        named = {*source_ids, *chain(*learned.values(), *said.values())}
        stored = stored_rows(self._connection, cast(Table, Product.__table__), named)
        products = {product_id: stored.get(product_id) or self._product(product_id) for product_id in named}
        for source_id in source_ids:
            ours, theirs = learned[source_id], said[source_id]
            found = [
                self._entry(products[source_id], products[target_id], ours.get(target_id), theirs.get(target_id))
                for target_id in {**ours, **theirs}
            ]
            kept = [entry for entry in found if entry is not None and _is_wanted(entry, wanted)]
            yield from sorted(kept, key=lambda entry: entry.key)

    def _entry(
        self, source: dict[str, Any], target: dict[str, Any], at: int | None, said: dict[str, Any] | None
    ) -> Entry | None:
        found = self._learned.found if self._learned else None
        strength = float(found.strength[at]) if found and at is not None else 1.0
        if said is not None and said["status"] != "mined":
            return Entry(source, target, said["relation"], said["status"], strength, at, said)
        if found is None or at is None:
            return None  # A note on what is no longer learned.
        return Entry(source, target, RELATIONS[found.relation[at]], "mined", strength, at, said)

    def _product(self, product_id: str) -> dict[str, Any]:
        """A product that is not stored, since the artifact was trained on files."""
        row = self._shelf.row_of(product_id) if self._shelf else None
        if self._shelf is None or row is None:
            return {**_UNKNOWN, "product_id": product_id, "name": product_id}
        card, line = self._shelf.cards[row], self._shelf.content.products.lines[row] or None
        known = {"name": card.name, "line": line, "price_minor": card.price_minor, "currency": card.currency}
        return {**_UNKNOWN, "product_id": product_id, **known}

    def _targets(self, source_id: str) -> dict[str, int]:
        """What was learned of a product: the positions by target."""
        row = self._shelf.row_of(source_id) if self._shelf else None
        if row is None or self._learned is None:
            return {}
        at, ids = self._learned.slice_of(row), self._learned.ids
        return {ids[target]: at.start + i for i, target in enumerate(self._learned.found.target[at].tolist())}

    def _learned_sources(self, wanted: RelationshipFilter, at_least: str, among: set[str] | None) -> Iterator[str]:
        if self._learned is None or wanted.status not in (None, "mined"):
            return
        found = self._learned.found
        passes: NDArray[np.bool_] = found.strength >= wanted.minimum_strength
        if wanted.relation is not None:
            passes = passes & (found.relation == RELATIONS.index(wanted.relation))
        leads = np.zeros(self._learned.n_products, dtype=np.bool_)
        leads[self._learned.sources[passes]] = True
        ids, flags = self._learned.ids, leads.tolist()
        for row in self._learned.order_of_ids:
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


def learned_upgrades(shelf: ProductIndex | None, product_id: str) -> list[str]:
    """The identifiers of a product's learned upgrades."""
    row = shelf.row_of(product_id) if shelf else None
    if shelf is None or row is None:
        return []
    learned = shelf.links.learned
    at = learned.slice_of(row)
    targets = learned.found.target[at][learned.found.relation[at] == UP_SELL]
    return [shelf.content.products.ids.texts[target] for target in targets.tolist()]


def figures_of(content: Content, at: int) -> dict[str, Any]:
    """What a learned relationship rests on."""
    found = content.relationships
    step = int(found.price_step_minor[at])
    is_counted = bool(found.n_total[at])
    return {
        "basis": BASES[found.basis[at]],
        "evidence": EVIDENCE[found.evidence[at]],
        "reason": _as_sentence(grounds_of(found, at)),
        "together": int(found.together[at]),
        "n_source": int(found.n_source[at]),
        "n_target": int(found.n_target[at]),
        "n_total": int(found.n_total[at]),
        "support": float(found.together[at]) / int(found.n_total[at]) if is_counted else None,
        "confidence": _known(found.confidence[at]),
        "lift": _known(found.lift[at]),
        "cosine": _known(found.cosine[at]),
        "log_likelihood_ratio": _known(found.llr[at]),
        "value_growth": _known(found.value_growth[at]),
        "days_between": _days(content, at),
        "price_step_minor": None if step == NO_NUMBER else step,
        "currency": None if step == NO_NUMBER else content.products.currencies[int(found.target[at])] or None,
    }


def _is_wanted(entry: Entry, wanted: RelationshipFilter) -> bool:
    return (
        wanted.relation in (None, entry.relation)
        and wanted.status in (None, entry.status)
        and entry.strength >= wanted.minimum_strength
    )


def _price_step(source: dict[str, Any], target: dict[str, Any]) -> tuple[int | None, str | None]:
    is_known = None not in (source["price_minor"], target["price_minor"]) and source["currency"] == target["currency"]
    return (target["price_minor"] - source["price_minor"], target["currency"]) if is_known else (None, None)


def _as_sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _known(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(value)


def _days(content: Content, at: int) -> DaysBetween | None:
    found = content.relationships
    if not found.n_days[at]:
        return None
    low, median, high = found.days[at].tolist()
    return DaysBetween(first_quartile=low, median=median, third_quartile=high, n=int(found.n_days[at]))
