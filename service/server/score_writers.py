"""Writers of score files, one per format: each takes tables and streams them to a file."""

import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from service.training.errors import OptionInvalid

SHEET_ROWS: Final = 1_048_576
"""Rows of an XLSX sheet, its header included: Microsoft, "Excel specifications and limits"."""
_LINE: Final = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY


class ScoreWriter(ABC):
    """Writes tables of one schema to a file."""

    @abstractmethod
    def write_table(self, table: pa.Table) -> None:
        """Append the rows of a table."""


class _ArrowWriter(ScoreWriter):
    """Parquet and CSV, which pyarrow writes."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def write_table(self, table: pa.Table) -> None:
        self._writer.write_table(table)


class _JsonLinesWriter(ScoreWriter):
    """NDJSON: an object per row; null where a value is not known."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write_table(self, table: pa.Table) -> None:
        columns = [_json_values(column) for column in table.columns]
        for row in zip(*columns, strict=True):
            self._file.write(orjson.dumps(dict(zip(table.column_names, row, strict=True)), option=_LINE))


def _json_values(column: pa.ChunkedArray) -> list[Any]:
    # As NumPy's own type, a float32 is written with its own digits; NaN is written as null.
    return list(column.to_numpy()) if pa.types.is_float32(column.type) else column.to_pylist()


class _SheetWriter(ScoreWriter):
    """XLSX: one sheet, with real numbers and identifiers as text."""

    def __init__(self, sheet: Any, schema: pa.Schema, name: str) -> None:
        self._sheet = sheet
        self._name = name
        self._n_rows = 1
        sheet.write_row(0, 0, schema.names)
        sheet.freeze_panes(1, 0)

    def write_table(self, table: pa.Table) -> None:
        if self._n_rows + table.num_rows > SHEET_ROWS:
            raise OptionInvalid(
                f"--out {self._name}: a sheet holds {SHEET_ROWS:,} rows with its header, and there are more. Ask for "
                "fewer products per account with --limit, or write .csv or .parquet, which have no bound."
            )
        writes = [_cell_writer(self._sheet, field.type) for field in table.schema]
        columns = [_cells(column) for column in table.columns]
        for number, row in enumerate(zip(*columns, strict=True), self._n_rows):
            for place, (write, value) in enumerate(zip(writes, row, strict=True)):
                if value is not None:
                    write(number, place, value)
        self._n_rows += table.num_rows


def _cell_writer(sheet: Any, kind: pa.DataType) -> Callable[[int, int, Any], object]:
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    writer: Callable[[int, int, Any], object] = sheet.write_number if is_number else sheet.write_string
    return writer


def _cells(column: pa.ChunkedArray) -> list[Any]:
    if not pa.types.is_float32(column.type):
        values: list[Any] = column.to_pylist()
        return values
    # Seven digits: those that a float32 has.
    return [None if np.isnan(value) else float(f"{value:.7g}") for value in column.to_numpy()]


@contextmanager
def _parquet(path: Path, schema: pa.Schema, _name: str) -> Iterator[ScoreWriter]:
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        yield _ArrowWriter(writer)


@contextmanager
def _csv(path: Path, schema: pa.Schema, name: str) -> Iterator[ScoreWriter]:
    options = pyarrow.csv.WriteOptions(quoting_style="needed")
    with _opened(path, name) as file, pyarrow.csv.CSVWriter(file, schema, write_options=options) as writer:
        yield _ArrowWriter(writer)


@contextmanager
def _json_lines(path: Path, _schema: pa.Schema, name: str) -> Iterator[ScoreWriter]:
    with _opened(path, name) as file:
        yield _JsonLinesWriter(file)


def _opened(path: Path, name: str) -> Any:
    compression = "gzip" if name.lower().endswith(".gz") else None
    return pa.output_stream(str(path), compression=compression)


@contextmanager
def _xlsx(path: Path, schema: pa.Schema, name: str) -> Iterator[ScoreWriter]:
    # Takes 0.1 s, which the other formats need not.
    import xlsxwriter

    # The rows wait in temporary files until the workbook is closed: here, beside the file, and removed with the folder.
    folder = tempfile.mkdtemp(prefix=".nextoffer-xlsx-", dir=path.parent)
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "tmpdir": folder}
    try:
        with xlsxwriter.Workbook(str(path), options) as workbook:
            yield _SheetWriter(workbook.add_worksheet("scores"), schema, name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


WRITERS: Final = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".csv.gz": _csv,
    ".ndjson": _json_lines,
    ".ndjson.gz": _json_lines,
    ".xlsx": _xlsx,
}
"""By the ending of the file's name. Called with the path to write, the schema, and the name that was asked for."""
