"""Workbooks (XLSX), through openpyxl, which is imported when it is needed: the first sheet; its first row is names."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

from service.rows.chunks import Chunk, Progress
from service.rows.errors import UnreadableFile

MAGIC: Final = b"PK\x03\x04"
_BROKEN: Final = (BadZipFile, KeyError, ValueError, OSError, EOFError, IndexError)
Row = tuple[Any, ...]


class WorkbookSource:
    """An XLSX file. Values are those of the sheet; of formulas, the last computed value."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._opened() as rows:
            header = next(rows, ())
        names = [str(name).strip() if name is not None else f"column {number}" for number, name in enumerate(header, 1)]
        if not any(name is not None for name in header):
            raise UnreadableFile(path, "the first row of its first sheet is empty; it must name the columns")
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise UnreadableFile(path, f"columns are named more than once: {', '.join(repeated)}")
        self.names = names

    def chunks(self, wanted: Sequence[str], rows: int, progress: Callable[[Progress], None]) -> Iterator[Chunk]:
        """Read the rows; empty ones are skipped."""
        done, places = 0, [self.names.index(name) for name in wanted]
        with self._opened() as sheet_rows:
            numbered = enumerate(sheet_rows, 1)
            next(numbered)
            while batch := list(islice(numbered, rows)):
                filled = [(line, row) for line, row in batch if any(value is not None for value in row)]
                done += len(batch)
                columns = {
                    name: [row[place] if place < len(row) else None for _, row in filled]
                    for name, place in zip(wanted, places, strict=True)
                }
                yield Chunk([line for line, _ in filled], columns, [], len(filled))
                progress(Progress(self.path, done, done, "rows"))

    @contextmanager
    def _opened(self) -> Iterator[Iterator[Row]]:
        from openpyxl import load_workbook

        try:
            with self.path.open("rb") as file:
                workbook = load_workbook(file, read_only=True, data_only=True)
                yield iter(workbook.worksheets[0].iter_rows(values_only=True))
        except _BROKEN as error:
            raise UnreadableFile(self.path, f"the workbook can't be read: {error}") from error
