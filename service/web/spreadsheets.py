"""Tables for people, as CSV or as a workbook: no cell of them is run as a formula."""

import csv
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from io import StringIO
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, Any, Final

from service.base.errors import DomainError
from service.base.money import exponent_of
from service.web.columns import WIDE, Cell, Column, Kind, Row

MAX_WORKBOOK_ROWS: Final = 100_000
"""Rows of a workbook's sheet. A sheet would hold 1,048,575; 100,000 rows of 13 columns take 10 to 20 s of CPU."""
CSV_TYPE: Final = "text/csv"
XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_LINES_AT_ONCE: Final = 500
_ROWS_PER_PAUSE: Final = 200
_PAUSE_SECONDS: Final = 0.0001
"""Requests wait for Python's lock while a workbook is written: a pause lets them pass."""
_BYTES_AT_ONCE: Final = 256 * 1024
_MAX_TITLE: Final = 31
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NOT_IN_TITLES: Final = re.compile(r"[\[\]:*?/\\]")
_FORMATS: Final = {
    Kind.WHOLE: "#,##0",
    Kind.NUMBER: "#,##0.00",
    Kind.SHARE: "0.0%",
    Kind.DAY: "yyyy-mm-dd",
    Kind.TIME: "yyyy-mm-dd hh:mm",
}


class TooLargeForSpreadsheet(DomainError):
    """A workbook's sheet is not written with as many rows."""

    code = "too-large-for-spreadsheet"

    def __init__(self, n_rows: int) -> None:
        super().__init__(
            f"The list has {n_rows:,} rows; a workbook is written with {MAX_WORKBOOK_ROWS:,} at most. "
            "Narrow it down with a filter, or take format=csv, which has no limit."
        )


@dataclass(frozen=True)
class Table:
    """A table whose rows can be read again and again.

    at_most: an upper bound of the number of rows, known without reading them.
    """

    title: str
    columns: Sequence[Column]
    rows: Callable[[], Iterable[Row]]
    at_most: int = 0


@dataclass(frozen=True)
class Workbook:
    """Tables, a sheet each, and what a reader should know of them, which is on a sheet of its own at the end."""

    tables: Sequence[Table]
    about: Mapping[str, object] = field(default_factory=dict)


# --- CSV (RFC 4180) ---------------------------------------------------------------------------------------------------


def csv_of(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a table as CSV, part by part. It begins with a byte order mark, or spreadsheets spoil names."""
    text = StringIO()
    write = csv.writer(text).writerow
    text.write("\ufeff")
    write([column.name for column in columns])
    for number, row in enumerate(rows, 1):
        write([_plain(column.cell_of(row)) for column in columns])
        if number % _LINES_AT_ONCE == 0:
            yield text.getvalue().encode(errors="replace")
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode(errors="replace")


def _plain(cell: Cell) -> str | int | float | None:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return cell.isoformat().replace("+00:00", "Z")
    if isinstance(cell, date):
        return cell.isoformat()
    return cell if cell is None or isinstance(cell, str | int | float) else f"{cell:f}"


# --- XLSX -------------------------------------------------------------------------------------------------------------


def workbook_of(workbook: Workbook) -> Iterator[bytes]:
    """Write a workbook to a temporary file, and return its parts; raises TooLargeForSpreadsheet.

    It is written before this returns, row by row: memory does not grow with it.
    """
    for table in workbook.tables:
        refuse_large(table)
    file = TemporaryFile()  # noqa: SIM115  It is closed when its last part was read.
    try:
        _write(workbook, file)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return _parts_of(file)


def refuse_large(table: Table) -> None:
    """Raise TooLargeForSpreadsheet. A bound may be too high: then rows are counted, up to the limit."""
    if table.at_most > MAX_WORKBOOK_ROWS:
        counted = sum(1 for _ in islice(table.rows(), MAX_WORKBOOK_ROWS + 1))
        if counted > MAX_WORKBOOK_ROWS:
            raise TooLargeForSpreadsheet(table.at_most)


def _parts_of(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while part := file.read(_BYTES_AT_ONCE):
            yield part


def _write(workbook: Workbook, file: IO[bytes]) -> None:
    # Takes 0.1 s, which a start-up need not.
    import xlsxwriter

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as written:
        for table in workbook.tables:
            _SheetWriter(written, table).write()
        if workbook.about:
            _write_about(written, workbook.about)


class _SheetWriter:
    """Writes one table as a sheet that is ready to be sorted, filtered and printed."""

    def __init__(self, workbook: Any, table: Table) -> None:
        self._workbook = workbook
        self._table = table
        self._sheet = workbook.add_worksheet(_NOT_IN_TITLES.sub(" ", table.title)[:_MAX_TITLE])
        self._formats = {column: self._format_of(column) for column in table.columns}
        self._money_formats: dict[int, Any] = {}

    def write(self) -> None:
        """Write header, rows, and how the sheet is shown and printed."""
        sheet, columns = self._sheet, self._table.columns
        for place, column in enumerate(columns):
            sheet.set_column(place, place, column.width, self._formats[column])
        header = self._workbook.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        sheet.write_row(0, 0, [column.name for column in columns], header)
        n_rows = self._write_rows()
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, max(n_rows, 1), max(len(columns) - 1, 0))
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        sheet.set_footer("&L&A&RPage &P of &N")

    def _write_rows(self) -> int:
        number = 0
        for number, row in enumerate(self._table.rows(), 1):
            if number > MAX_WORKBOOK_ROWS:
                raise TooLargeForSpreadsheet(max(self._table.at_most, number))
            for place, column in enumerate(self._table.columns):
                self._write_cell(number, place, column, row)
            if number % _ROWS_PER_PAUSE == 0:
                time.sleep(_PAUSE_SECONDS)
        return number

    def _write_cell(self, number: int, place: int, column: Column, row: Row) -> None:
        sheet, cell, cell_format = self._sheet, column.cell_of(row), self._formats[column]
        if cell is None:
            return
        if isinstance(cell, str):
            sheet.write_string(number, place, _UNPRINTABLE.sub("\ufffd", cell), cell_format)
        elif isinstance(cell, bool):
            sheet.write_boolean(number, place, cell, cell_format)
        elif isinstance(cell, datetime):
            sheet.write_datetime(number, place, cell.replace(tzinfo=None), cell_format)
        elif isinstance(cell, date):
            sheet.write_datetime(number, place, cell, cell_format)
        else:
            if column.kind is Kind.MONEY:
                cell_format = self._money_format(exponent_of(column.currency_of(row)))
            sheet.write_number(number, place, cell, cell_format)

    def _format_of(self, column: Column) -> Any:
        shown = {"num_format": _FORMATS[column.kind]} if column.kind in _FORMATS else {}
        wrapped = {"text_wrap": True} if column.kind is Kind.TEXT and column.width >= WIDE else {}
        return self._workbook.add_format({"valign": "top", **shown, **wrapped})

    def _money_format(self, exponent: int) -> Any:
        if exponent not in self._money_formats:
            shown = "#,##0" + (f".{'0' * exponent}" if exponent else "")
            self._money_formats[exponent] = self._workbook.add_format({"valign": "top", "num_format": shown})
        return self._money_formats[exponent]


def _write_about(workbook: Any, about: Mapping[str, object]) -> None:
    sheet, bold = workbook.add_worksheet("About"), workbook.add_format({"bold": True, "valign": "top"})
    wrapped = workbook.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 1, 80)
    for number, (name, value) in enumerate(about.items()):
        sheet.write_string(number, 0, name, bold)
        sheet.write_string(number, 1, _UNPRINTABLE.sub("\ufffd", "" if value is None else str(value)), wrapped)
