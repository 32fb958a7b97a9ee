"""Workbooks (XLSX), through openpyxl, which is imported when it is needed: the first sheet; its first row is names."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from zipfile import BadZipFile

from service.rows.chunks import Chunk, Progress
from service.rows.errors import UnreadableFile
from service.rows.layout import PLAIN_LAYOUT, FileLayout, distinct_names
from service.rows.readers.footer import Footer, Record

MAGIC: Final = b"PK\x03\x04"
_BROKEN: Final = (BadZipFile, KeyError, ValueError, OSError, EOFError, IndexError)
Row = tuple[Any, ...]


class WorkbookSource:
    """An XLSX file. Values are those of the sheet; of formulas, the last computed value."""

    origins: Mapping[str, Sequence[str]] = MappingProxyType({})

    def __init__(self, path: Path, layout: FileLayout = PLAIN_LAYOUT) -> None:
        self.path = path
        self._skip_rows = layout.skip_rows
        with self._opened() as rows:
            header = next(islice(rows, self._skip_rows, None), ())
        names = [str(name).strip() if name is not None else f"column {number}" for number, name in enumerate(header, 1)]
        if not any(name is not None for name in header):
            raise UnreadableFile(path, "the first row of its first sheet is empty; it must name the columns")
        self.names = distinct_names(names)

    def chunks(self, wanted: Sequence[str], rows: int, progress: Callable[[Progress], None]) -> Iterator[Chunk]:
        """Read the rows; empty ones are skipped, and so is a report's footer."""
        done, places, footer = 0, [self.names.index(name) for name in wanted], Footer(len(self.names), is_padded=True)
        with self._opened() as sheet_rows:
            numbered = islice(enumerate(sheet_rows, 1), self._skip_rows + 1, None)
            while batch := list(islice(numbered, rows)):
                filled: list[Record] = []
                for line, row in batch:
                    if not footer.takes(line, row):
                        filled += [*footer.give_back(), (line, row)]
                done += len(batch)
                yield _chunk_of(filled, wanted, places)
                progress(Progress(self.path, done, done, "rows"))
        if footer.is_certain:
            yield Chunk([], {name: [] for name in wanted}, footer_lines=len(footer.lines))
        elif footer.lines:
            yield _chunk_of(footer.give_back(), wanted, places)

    @contextmanager
    def _opened(self) -> Iterator[Iterator[Row]]:
        from openpyxl import load_workbook

        try:
            with self.path.open("rb") as file:
                workbook = load_workbook(file, read_only=True, data_only=True)
                yield iter(workbook.worksheets[0].iter_rows(values_only=True))
        except _BROKEN as error:
            raise UnreadableFile(self.path, f"the workbook can't be read: {error}") from error


def _chunk_of(records: Sequence[Record], wanted: Sequence[str], places: Sequence[int]) -> Chunk:
    columns = {
        name: [row[place] if place < len(row) else None for _, row in records]
        for name, place in zip(wanted, places, strict=True)
    }
    return Chunk([line for line, _ in records], columns, [], len(records))
