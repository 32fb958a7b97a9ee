"""Byte streams of plain and gzipped files, with how far they are read."""

import gzip
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final, cast

READ_ERRORS: Final = (OSError, EOFError, zlib.error, UnicodeError)
_GZIP_MAGIC: Final = b"\x1f\x8b"


class Stream:
    """An open file: the bytes to read, and the position in the file on disk."""

    def __init__(self, path: Path, raw: BinaryIO, content: BinaryIO) -> None:
        self.content = content
        self.size = path.stat().st_size
        self._raw = raw

    def position(self) -> int:
        """How many of ``size`` bytes are read: of a gzipped file, the compressed ones."""
        return self._raw.tell()


@contextmanager
def open_stream(path: Path) -> Iterator[BinaryIO]:
    """Open a file's content, decompressed where need be."""
    with measured_stream(path) as stream:
        yield stream.content


@contextmanager
def measured_stream(path: Path) -> Iterator[Stream]:
    """Open a file's content with its position."""
    with path.open("rb") as raw:
        is_gzip = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        if not is_gzip:
            yield Stream(path, raw, raw)
            return
        with gzip.open(raw) as content:
            yield Stream(path, raw, cast(BinaryIO, content))


def encoding_of_mark(content: BinaryIO) -> str:
    """The encoding that a byte order mark at the start of a content names; UTF-8 without one. Reads nothing."""
    start = content.peek(2)[:2] if isinstance(content, BufferedReader | gzip.GzipFile) else b""
    return "utf-16" if start in (BOM_UTF16_LE, BOM_UTF16_BE) else "utf-8-sig"


def reason_of(error: BaseException) -> str:
    """Why a read failed, for an error message."""
    if isinstance(error, EOFError):
        return "the compressed file is cut off before its end"
    if isinstance(error, gzip.BadGzipFile | zlib.error):
        return f"the compressed file is corrupt ({error})"
    if isinstance(error, UnicodeError):
        return f"its text is not in the encoding that it was read in ({error})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).splitlines()[0] if str(error) else type(error).__name__
