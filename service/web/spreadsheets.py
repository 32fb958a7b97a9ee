"""Tables for people, as CSV or as a workbook: no cell of them is run as a formula."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO, StringIO
from typing import Final

from service.base.errors import DomainError
from service.rows.formulas import harmless

MAX_ROWS: Final = 2**20 - 1
"""What a sheet holds beside its header."""
CSV_TYPE: Final = "text/csv"
XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_LINES_AT_ONCE: Final = 500

Cell = str | int | float | None
Row = Sequence[Cell]


class TooLargeForSpreadsheet(DomainError):
    """A workbook's sheet does not hold as many rows."""

    code = "too-large-for-spreadsheet"

    def __init__(self, n_rows: int) -> None:
        super().__init__(f"A sheet holds {n_rows:,} rows at most. Narrow the export down, or take CSV.")


def csv_of(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a table as CSV, part by part. It begins with a byte order mark, or spreadsheets spoil names."""
    text = StringIO()
    write = csv.writer(text).writerow
    text.write("\ufeff")
    write(columns)
    for number, row in enumerate(rows, 1):
        write([_harmless(cell) for cell in row])
        if number % _LINES_AT_ONCE == 0:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def workbook_of(title: str, columns: Sequence[str], rows: Iterable[Row]) -> bytes:
    """Return a table as a workbook of one sheet; raises TooLargeForSpreadsheet."""
    # Takes 0.2 s, which a start-up need not.
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    def printable(cell: Cell) -> Cell:
        return ILLEGAL_CHARACTERS_RE.sub("\ufffd", cell) if isinstance(cell, str) else cell

    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet(title)
    sheet.freeze_panes = "A2"
    sheet.append(columns)
    for number, row in enumerate(rows, 1):
        if number > MAX_ROWS:
            sheet.close()
            raise TooLargeForSpreadsheet(MAX_ROWS)
        sheet.append([printable(_harmless(cell)) for cell in row])
    file = BytesIO()
    workbook.save(file)
    return file.getvalue()


def _harmless(cell: Cell) -> Cell:
    return harmless(cell) if isinstance(cell, str) else cell
