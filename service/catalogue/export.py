"""The catalogue of relationships for people: product names first, figures in words, safe to open in a spreadsheet."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection

from service.base.money import from_minor
from service.catalogue.relationships import Entry, RelationshipCatalogue, RelationshipFilter
from service.catalogue.schemas import DaysBetween
from service.readmodel.catalogue_view import CatalogueView
from service.web.columns import CURRENCY, TEXT_WIDTH, WIDE, Column, Row, money, number, share, text, whole

COLUMNS: Final[tuple[Column, ...]] = (
    text("product_line"),
    text("product", width=WIDE),
    text("related_product", width=WIDE),
    text("relation"),
    text("reason", width=TEXT_WIDTH),
    whole("together"),
    whole("buyers"),
    share("confidence"),
    number("lift"),
    text("basis"),
    text("typical_time", width=WIDE),
    whole("median_days"),
    text("price_step"),
    money("price_difference", "price_step_minor"),
    CURRENCY,
    number("strength"),
    text("status"),
    text("note", width=WIDE),
    text("author"),
    text("source_product_id"),
    text("target_product_id"),
)
DEFAULT_PER_PRODUCT: Final = 10
MAX_PER_PRODUCT: Final = 1_000
ABOUT: Final = {
    "relation": "What the related product is to the product: up_sell, cross_sell, accessory or substitute.",
    "together": "Baskets, or for sequences, moves and substitutes accounts, with both products.",
    "buyers": "Customers behind those baskets; each guest's basket counts as one customer.",
    "confidence": "Share of the baskets or accounts with the product that have the related product, too.",
    "lift": "How many times as often as by chance.",
    "basis": "product: the products themselves were counted. category: their categories were, for want of history.",
    "strength": "Between 0 and 1, comparable within a relation.",
    "status": "mined: learned, and not judged yet. approved: it stands. banned: it is never shown. added: curated.",
}


@dataclass(frozen=True)
class Selection:
    """Which of the relationships that pass the filter are exported; all by default.

    basis:       of the learned ones.
    per_product: at most so many of each product. What is curated always comes along.
    """

    basis: str | None = None
    per_product: int | None = None


def rows_of(
    catalogue: RelationshipCatalogue, wanted: RelationshipFilter, selection: Selection | None = None
) -> Iterator[Row]:
    """Yield the rows of the catalogue by product line and name."""
    entries = catalogue.walk(wanted, catalogue.source_ids_by_line(wanted))
    for entry in select_entries(catalogue, entries, selection or Selection()):
        yield _row(catalogue, entry)


def count_at_most(
    connection: Connection, view: CatalogueView | None, wanted: RelationshipFilter, selection: Selection
) -> int:
    """Return an upper bound of the number of rows, without reading them."""
    return RelationshipCatalogue(connection, view).count_at_most(wanted, selection.basis, selection.per_product)


def select_entries(catalogue: RelationshipCatalogue, entries: Iterable[Entry], selection: Selection) -> Iterator[Entry]:
    """Yield the selected relationships, source by source, in their order."""
    for _, of_source in groupby(entries, key=lambda entry: entry.source["product_id"]):
        kept = [
            entry
            for entry in of_source
            if entry.stored or selection.basis is None or catalogue.basis_of(entry) == selection.basis
        ]
        yield from kept if selection.per_product is None else best_of(kept, selection.per_product)


def best_of(entries: list[Entry], n: int) -> Iterator[Entry]:
    """Yield all curated relationships, and so many learned ones: the strongest of each relation in turn.

    Strengths compare within a relation alone, so that no relation may crowd out the others.
    """
    seen: dict[str, int] = defaultdict(int)
    places: list[tuple[int, int]] = []
    for place, entry in enumerate(entries):
        if not entry.stored:
            places.append((seen[entry.relation], place))
            seen[entry.relation] += 1
    chosen = {place for _, place in sorted(places)[:n]}
    yield from (entry for place, entry in enumerate(entries) if entry.stored or place in chosen)


def _row(catalogue: RelationshipCatalogue, entry: Entry) -> dict[str, Any]:
    figures, stored = catalogue.figures(entry), entry.stored or {}
    days = figures["days_between"]
    return {
        **figures,
        "product_line": entry.source["line"] or "",
        "product": entry.source["name"],
        "related_product": entry.target["name"],
        "relation": entry.relation,
        "typical_time": _time(days),
        "median_days": days and round(days.median),
        "price_step": _step(figures["price_step_minor"], figures["currency"]),
        "confidence": _rounded(figures["confidence"], 4),
        "lift": _rounded(figures["lift"], 3),
        "strength": _rounded(entry.standing.strength, 4),
        "status": entry.status,
        "note": stored.get("note") or "",
        "author": stored.get("updated_by") or "",
        "source_product_id": entry.source["product_id"],
        "target_product_id": entry.target["product_id"],
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _time(days: DaysBetween | None) -> str:
    if days is None:
        return ""
    span = f"{days.first_quartile:.0f} to {days.third_quartile:.0f}"
    return f"{days.median:.0f} days (half within {span}; {days.n:,} account{'' if days.n == 1 else 's'})"


def _step(step: int | None, currency: str | None) -> str:
    if step is None:
        return ""
    return f"{from_minor(abs(step), currency)} {'more' if step > 0 else 'less'}" if step else "same price"
