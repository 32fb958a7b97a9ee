"""What people say of relationships: judged, then stored in place of what was learned."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import Connection, Table, delete, select, text, tuple_

from service.base.money import from_minor
from service.catalogue.live import RELATIONSHIPS_CHANGED
from service.catalogue.pairs import Pair
from service.catalogue.schemas import RelationshipIn
from service.catalogue.tables import Product, Relationship
from service.rows.chunks import RowError
from service.storage.bulk import RowStatus, stored_rows, upsert_rows
from service.storage.changes import ChangeLog

LearnedUpgrades = Callable[[str], Iterable[str]]
"""Which upgrades of a product were learned, by identifiers."""
Outcome = RowStatus | RowError
_PAIRS_PER_QUERY: Final = 500
_TABLE: Final = cast(Table, Relationship.__table__)


class Curation:
    """One transaction's work on relationships. Rows are judged in order, each with those before it already in force."""

    def __init__(self, connection: Connection, changes: ChangeLog, now: datetime, learned: LearnedUpgrades) -> None:
        self._connection = connection
        self._changes = changes
        self._now = now
        self._learned = learned
        self._upgrades: dict[str, set[str]] = {}
        self._judged: dict[str, set[str]] | None = None
        self._accepted: list[RelationshipIn] = []
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
        """Take back what people said of a pair, and tell whether they had said anything."""
        stored = self.stored([pair])
        self._write(stored, dict.fromkeys(stored))
        return bool(stored)

    def stored(self, pairs: Iterable[Pair]) -> dict[Pair, dict[str, Any]]:
        """What people say of some pairs."""
        wanted = sorted(set(pairs))
        key = tuple_(Relationship.source_product_id, Relationship.target_product_id)
        found: dict[Pair, dict[str, Any]] = {}
        for start in range(0, len(wanted), _PAIRS_PER_QUERY):
            query = select(_TABLE).where(key.in_(wanted[start : start + _PAIRS_PER_QUERY]))
            for row in self._connection.execute(query).mappings():
                found[row["source_product_id"], row["target_product_id"]] = dict(row)
        return found

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
        way = self._way(row.target_product_id, row.source_product_id)
        if way:
            circle = " → ".join([row.source_product_id, *way])
            return RowError("relation", f"up_sell would lead round in a circle: {circle}; ban one of those first")
        return None

    def _way(self, begin: str, end: str) -> list[str] | None:
        """Find a way by upgrades from one product to another."""
        came_from = {begin: begin}
        waiting = [begin]
        while waiting and end not in came_from:
            at = waiting.pop()
            for target in self._upgrades_of(at):
                if target not in came_from:
                    came_from[target] = at
                    waiting.append(target)
        if end not in came_from:
            return None
        way = [end]
        while way[-1] != begin:
            way.append(came_from[way[-1]])
        return way[::-1]

    def _upgrades_of(self, product_id: str) -> set[str]:
        if self._judged is None:
            self._judged = {}
            query = select(
                Relationship.source_product_id,
                Relationship.target_product_id,
                Relationship.relation,
                Relationship.status,
            )
            for said in self._connection.execute(query.where(Relationship.status != "mined")):
                self._hear(self._judged, *said)
            for row in self._accepted:
                self._hear_row(self._judged, row)
        learned = set(self._learned(product_id)) - self._judged.get(product_id, set())
        return learned | self._upgrades.get(product_id, set())

    def _accept(self, row: RelationshipIn) -> None:
        self._accepted.append(row)
        if self._judged is not None:
            self._hear_row(self._judged, row)

    def _hear_row(self, judged: dict[str, set[str]], row: RelationshipIn) -> None:
        self._hear(judged, row.source_product_id, row.target_product_id, row.relation, row.status)

    def _hear(self, judged: dict[str, set[str]], source_id: str, target_id: str, relation: str, status: str) -> None:
        spoken_of, upgrades = judged.setdefault(source_id, set()), self._upgrades.setdefault(source_id, set())
        (spoken_of.discard if status == "mined" else spoken_of.add)(target_id)
        is_upgrade = relation == "up_sell" and status in ("approved", "added")
        (upgrades.add if is_upgrade else upgrades.discard)(target_id)


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
        costs, more = (from_minor(one["price_minor"], one["currency"]) for one in (target, source))
        return f"up_sell leads downwards: {target['product_id']!r} costs {costs}, less than {more}"
    return None
