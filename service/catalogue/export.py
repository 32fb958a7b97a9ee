"""The catalogue of relationships for people: product names first, figures in words, safe to open in a spreadsheet."""

from collections.abc import Iterator
from typing import Final

from service.base.money import from_minor
from service.catalogue.relationships import Entry, RelationshipCatalogue, RelationshipFilter
from service.catalogue.schemas import DaysBetween
from service.web.spreadsheets import csv_of, workbook_of

COLUMNS: Final = (
    "product_line",
    "product",
    "related_product",
    "relation",
    "reason",
    "typical_time",
    "price_step",
    "strength",
    "status",
    "note",
    "author",
    "source_product_id",
    "target_product_id",
)


def as_csv(catalogue: RelationshipCatalogue, wanted: RelationshipFilter) -> Iterator[bytes]:
    """Yield the catalogue as CSV, part by part."""
    return csv_of(COLUMNS, (_row(catalogue, entry) for entry in _sorted(catalogue, wanted)))


def as_workbook(catalogue: RelationshipCatalogue, wanted: RelationshipFilter) -> bytes:
    """Return the catalogue as a workbook of one sheet; raises TooLargeForSpreadsheet."""
    return workbook_of("Relationships", COLUMNS, (_row(catalogue, entry) for entry in _sorted(catalogue, wanted)))


def _sorted(catalogue: RelationshipCatalogue, wanted: RelationshipFilter) -> Iterator[Entry]:
    return catalogue.walk(wanted, catalogue.source_ids_by_line(wanted))


def _row(catalogue: RelationshipCatalogue, entry: Entry) -> tuple[str, ...]:
    figures = catalogue.figures(entry)
    stored = entry.stored or {}
    return (
        entry.source["line"] or "",
        entry.source["name"],
        entry.target["name"],
        entry.relation,
        figures["reason"],
        _time(figures["days_between"]),
        _step(figures["price_step_minor"], figures["currency"]),
        f"{entry.standing.strength:.3f}",
        entry.status,
        stored.get("note") or "",
        stored.get("updated_by") or "",
        entry.source["product_id"],
        entry.target["product_id"],
    )


def _time(days: DaysBetween | None) -> str:
    if days is None:
        return ""
    span = f"{days.first_quartile:.0f} to {days.third_quartile:.0f}"
    return f"{days.median:.0f} days (half within {span}; {days.n:,} accounts)"


def _step(step: int | None, currency: str | None) -> str:
    if step is None:
        return ""
    return f"{from_minor(abs(step), currency)} {'more' if step > 0 else 'less'}" if step else "same price"
