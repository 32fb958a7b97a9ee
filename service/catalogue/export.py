"""The catalogue of relationships for people: product names first, figures in words, safe to open in a spreadsheet."""

import csv
from collections.abc import Iterator
from io import BytesIO, StringIO
from typing import Final

from service.catalogue.errors import TooLargeForSpreadsheet
from service.catalogue.relationships import Catalogue, Entry, RelationshipFilter
from service.catalogue.schemas import DaysBetween
from service.ingestion.formulas import harmless
from service.ingestion.money import from_minor

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
MOST_ROWS: Final = 2**20 - 1
"""What a sheet holds beside its header."""
_LINES_AT_ONCE: Final = 500


def as_csv(catalogue: Catalogue, wanted: RelationshipFilter) -> Iterator[bytes]:
    """Yield the catalogue as CSV, part by part. It begins with a byte order mark, or spreadsheets spoil names."""
    text = StringIO()
    write = csv.writer(text).writerow
    text.write("\ufeff")
    write(COLUMNS)
    for number, entry in enumerate(_sorted(catalogue, wanted), 1):
        write(_row(catalogue, entry))
        if number % _LINES_AT_ONCE == 0:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def as_workbook(catalogue: Catalogue, wanted: RelationshipFilter) -> bytes:
    """Return the catalogue as a workbook of one sheet; raises TooLargeForSpreadsheet."""
    # Takes 0.2 s, which a start-up need not.
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Relationships")
    sheet.freeze_panes = "A2"
    sheet.append(COLUMNS)
    for number, entry in enumerate(_sorted(catalogue, wanted), 1):
        if number > MOST_ROWS:
            sheet.close()
            raise TooLargeForSpreadsheet(MOST_ROWS)
        sheet.append([ILLEGAL_CHARACTERS_RE.sub("\ufffd", cell) for cell in _row(catalogue, entry)])
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def _sorted(catalogue: Catalogue, wanted: RelationshipFilter) -> Iterator[Entry]:
    return catalogue.walk(wanted, catalogue.source_ids_by_line(wanted))


def _row(catalogue: Catalogue, entry: Entry) -> list[str]:
    figures = catalogue.figures(entry)
    said = entry.said or {}
    cells = (
        entry.source["line"] or "",
        entry.source["name"],
        entry.target["name"],
        entry.relation,
        figures["reason"],
        _time(figures["days_between"]),
        _step(figures["price_step_minor"], figures["currency"]),
        f"{entry.strength:.3f}",
        entry.status,
        said.get("note") or "",
        said.get("updated_by") or "",
        entry.source["product_id"],
        entry.target["product_id"],
    )
    return [harmless(cell) for cell in cells]


def _time(days: DaysBetween | None) -> str:
    if days is None:
        return ""
    span = f"{days.first_quartile:.0f} to {days.third_quartile:.0f}"
    return f"{days.median:.0f} days (half within {span}; {days.n:,} accounts)"


def _step(step: int | None, currency: str | None) -> str:
    if step is None:
        return ""
    return f"{from_minor(abs(step), currency)} {'more' if step > 0 else 'less'}" if step else "same price"
