"""Readers of the file formats: each turns a file into chunks and never loads it whole."""

from pathlib import Path
from typing import BinaryIO, Final

from service.rows.arrangement import arrange
from service.rows.chunks import Source
from service.rows.errors import UnreadableFile
from service.rows.layout import PLAIN_LAYOUT, FileLayout
from service.rows.readers.delimited import DelimitedSource
from service.rows.readers.ndjson import NdjsonSource
from service.rows.readers.parquet import ParquetSource
from service.rows.readers.streams import READ_ERRORS, open_stream, reason_of
from service.rows.readers.workbook import MAGIC, WorkbookSource

__all__ = ["open_source"]

_OTHER_FORMATS: Final = {
    b"\xd0\xcf\x11\xe0": "an old workbook (XLS); save it as XLSX or CSV",
    b"%PDF": "a PDF document; export its table as CSV or XLSX",
    b"<": "HTML or XML, as some systems call XLS; open it in a spreadsheet and save it as XLSX or CSV",
    b"[": "a JSON array; write one object per line (NDJSON)",
}
"""Formats that are not read, by their first bytes, and what to do."""


def open_source(path: Path, layout: FileLayout = PLAIN_LAYOUT) -> Source:
    """Open a file; its format is told from its first bytes, whatever its name is."""
    source = _open_format(path, layout)
    return arrange(source, layout, is_nested=getattr(source, "is_nested", False))


def _open_format(path: Path, layout: FileLayout) -> Source:
    try:
        with path.open("rb") as raw:
            magic = raw.read(4)
        if magic == b"PAR1":
            return ParquetSource(path)
        if magic == MAGIC:
            return WorkbookSource(path, layout)
        with open_stream(path) as stream:
            start = _first_bytes(stream)
    except READ_ERRORS as error:
        raise UnreadableFile(path, reason_of(error)) from error
    if not start:
        raise UnreadableFile(path, "the file is empty")
    for first_bytes, advice in _OTHER_FORMATS.items():
        if start.startswith(first_bytes):
            raise UnreadableFile(path, f"the file is {advice}")
    return NdjsonSource(path) if start.startswith(b"{") else DelimitedSource(path, layout)


def _first_bytes(stream: BinaryIO) -> bytes:
    return stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
