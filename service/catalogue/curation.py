"""Curated relationships: checked, then stored in place of what was learned."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import Connection, Table, delete, select, text, tuple_

from service.base.money import from_minor
from service.catalogue.curated import curated_from
from service.catalogue.live import RELATIONSHIPS_CHANGED
from service.catalogue.pairs import Pair
from service.catalogue.schemas import RelationshipIn
from service.catalogue.tables import Product, Relationship
from service.readmodel.relation import Relation
from service.readmodel.relationship_overlay import (
    CuratedRelationship,
    LearnedRelationship,
    find_path,
    overlay,
    upgrades_among,
)
from service.rows.chunks import RowError
from service.storage.bulk import RowStatus, stored_rows, upsert_rows
from service.storage.changes import ChangeLog

LearnedFrom = Callable[[str], Mapping[str, LearnedRelationship]]
"""Returns what was learned of a source product, by the identifier of the target."""
Outcome = RowStatus | RowError
_PAIRS_PER_QUERY: Final = 500
_TABLE: Final = cast(Table, Relationship.__table__)


class Curation:
    """One transaction's work on relationships. Rows are judged in order, each with those before it already in force."""

    def __init__(self, connection: Connection, changes: ChangeLog, now: datetime, learned: LearnedFrom) -> None:
        self._connection = connection
        self._changes = changes
        self._now = now
        self._learned = learned
        self._curated: dict[str, dict[str, CuratedRelationship]] = {}
        self._is_read = False
        if connection.dialect.name == "postgresql":
            # Two writers, each blind to the other's row, could close a circle together.
            connection.execute(text("LOCK TABLE relationships IN SHARE ROW EXCLUSIVE MODE"))

    def put(self, rows: Sequence[RelationshipIn], author: str) -> list[Outcome]:
        """Store what is said of each pair, or say what is wrong with it."""
        products = self._products({i for row in rows for i in (row.source_product_id, row.target_product_id)})
        pairs = [(row.source_product_id, row.target_product_id) for row in rows]
        stored = self.stored(pairs)
        current: dict[Pair, dict[str, Any] | None] = dict(stored)
        outcomes: list[Outcome] = []
        for pair, row in zip(pairs, rows, strict=True):
            outcome = self._objection(row, products) or _status(current.get(pair), row)
            outcomes.append(outcome)
            if outcome in ("created", "updated"):
                current[pair] = self._record(current.get(pair), row, author)
                self._accept(row)
        self._write(stored, current)
        return outcomes

    def remove(self, pair: Pair) -> bool:
        """Delete what is curated of a pair; return whether there was anything."""
        stored = self.stored([pair])
        self._write(stored, dict.fromkeys(stored))
        return bool(stored)

    def stored(self, pairs: Iterable[Pair]) -> dict[Pair, dict[str, Any]]:
        """Return what is curated of some pairs."""
        wanted = sorted(set(pairs))
        key = tuple_(Relationship.source_product_id, Relationship.target_product_id)
        stored: dict[Pair, dict[str, Any]] = {}
        for start in range(0, len(wanted), _PAIRS_PER_QUERY):
            query = select(_TABLE).where(key.in_(wanted[start : start + _PAIRS_PER_QUERY]))
            for row in self._connection.execute(query).mappings():
                stored[row["source_product_id"], row["target_product_id"]] = dict(row)
        return stored

    def _record(self, before: dict[str, Any] | None, row: RelationshipIn, author: str) -> dict[str, Any] | None:
        if row.status == "mined" and row.note is None:
            return None
        by = row.author or author
        created = {"created_at": self._now, "created_by": by}
        if before:
            created = {name: before[name] for name in created}
        return {**row.model_dump(exclude={"author"}), **created, "updated_at": self._now, "updated_by": by}

    def _write(self, stored: dict[Pair, dict[str, Any]], current: dict[Pair, dict[str, Any] | None]) -> None:
        changed = {pair: row for pair, row in current.items() if row is not stored.get(pair)}
        upsert_rows(self._connection, _TABLE, [row for row in changed.values() if row is not None])
        for source_id, target_id in (pair for pair, row in changed.items() if row is None and pair in stored):
            self._connection.execute(
                delete(Relationship).where(
                    Relationship.source_product_id == source_id, Relationship.target_product_id == target_id
                )
            )
        self._changes.touch(RELATIONSHIPS_CHANGED, {source_id for source_id, _ in changed})

    def _products(self, product_ids: set[str]) -> dict[str, dict[str, Any]]:
        return stored_rows(self._connection, cast(Table, Product.__table__), product_ids)

    def _objection(self, row: RelationshipIn, products: dict[str, dict[str, Any]]) -> RowError | None:
        source, target = products.get(row.source_product_id), products.get(row.target_product_id)
        if source is None or target is None:
            field = "source_product_id" if source is None else "target_product_id"
            return RowError(field, f"names no product: there is no {getattr(row, field)!r}")
        if row.source_product_id == row.target_product_id:
            return RowError("target_product_id", "is the product itself: a product can't be related to itself")
        if row.relation != "up_sell" or row.status not in ("approved", "added"):
            return None
        downwards = _downwards(source, target)
        if downwards:
            return RowError("relation", downwards)
        path = find_path(row.target_product_id, row.source_product_id, self._upgrades_of)
        if path:
            circle = " → ".join([row.source_product_id, *path])
            return RowError("relation", f"up_sell would lead round in a circle: {circle}; ban one of those first")
        return None

    def _upgrades_of(self, product_id: str) -> list[str]:
        """Return where a product leads by upgrades, once the rows accepted so far are in force."""
        self._read_curated()
        standing = overlay(self._learned(product_id), self._curated.get(product_id, {}))
        return [upgrade.target for upgrade in upgrades_among(standing)]

    def _read_curated(self) -> None:
        """Read what is curated, unless it was read: only upgrades need it. Rows accepted before stay in force."""
        if self._is_read:
            return
        self._is_read = True
        accepted, self._curated = self._curated, curated_from(self._connection)
        for source_id, targets in accepted.items():
            self._curated.setdefault(source_id, {}).update(targets)

    def _accept(self, row: RelationshipIn) -> None:
        targets = self._curated.setdefault(row.source_product_id, {})
        if row.status != "mined":
            targets[row.target_product_id] = CuratedRelationship(Relation(row.relation), row.status == "banned")
        else:
            targets.pop(row.target_product_id, None)


def _status(before: dict[str, Any] | None, row: RelationshipIn) -> RowStatus:
    if before is None:
        return "unchanged" if row.status == "mined" and row.note is None else "created"
    is_same = all(before[name] == getattr(row, name) for name in ("relation", "status", "note"))
    return "unchanged" if is_same else "updated"


def _downwards(source: dict[str, Any], target: dict[str, Any]) -> str | None:
    """Say why a target is no upgrade, if the catalogue says so."""
    is_of_family = source["family"] is not None and source["family"] == target["family"]
    if is_of_family and None not in (source["tier"], target["tier"]) and target["tier"] < source["tier"]:
        return (
            f"up_sell leads downwards: {target['product_id']!r} is tier {target['tier']} of family "
            f"{target['family']!r}, below tier {source['tier']} of {source['product_id']!r}"
        )
    is_priced = None not in (source["price_minor"], target["price_minor"])
    if is_priced and source["currency"] == target["currency"] and target["price_minor"] < source["price_minor"]:
        costs, more = (from_minor(product["price_minor"], product["currency"]) for product in (target, source))
        return f"up_sell leads downwards: {target['product_id']!r} costs {costs}, less than {more}"
    return None
