"""CSV (RFC 4180), with any of the usual delimiters."""

import csv
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TextIO

from service.rows.chunks import Chunk, Progress, Reject, RowError
from service.rows.errors import UnreadableFile
from service.rows.layout import PLAIN_LAYOUT, FileLayout, distinct_names
from service.rows.readers.footer import Footer, Record, may_hold_total
from service.rows.readers.streams import READ_ERRORS, Stream, encoding_of_mark, measured_stream, reason_of

DELIMITERS: Final = ",;\t|"
_NO_ROW: Final[list[str]] = []
_ENCODING_ADVICE: Final = "if the file has another encoding, name it, as in --encoding cp1252"
_DELIMITER_LINE: Final = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
"""How a file tells Excel its delimiter, on a line of its own above the header."""


class DelimitedSource:
    """A CSV file: the first line names the columns, the delimiter is the commonest of ``DELIMITERS`` there.

    Blank lines are skipped, and so is what follows the last of them if it is a report's footer.
    """

    origins: Mapping[str, Sequence[str]] = MappingProxyType({})

    def __init__(self, path: Path, layout: FileLayout = PLAIN_LAYOUT) -> None:
        self.path = path
        self._layout = layout
        with measured_stream(path) as stream, closing(_Records(stream, layout)) as records:
            self.names = self._header(records)

    def chunks(self, wanted: Sequence[str], rows: int, progress: Callable[[Progress], None]) -> Iterator[Chunk]:
        """Read the rows. A malformed row is rejected by itself."""
        with measured_stream(self.path) as stream, closing(_Records(stream, self._layout)) as records:
            line = 0
            try:
                self._header(records)
                footer = Footer(len(self.names))
                while chunk := self._read(records, rows, footer):
                    yield chunk
                    line = records.line
                    progress(Progress(self.path, stream.position(), stream.size, "bytes"))
                if footer.lines:
                    yield Chunk([], {name: [] for name in self.names}, footer_lines=len(footer.lines))
            except READ_ERRORS as error:
                raise UnreadableFile(self.path, reason_of(error), line) from error

    def _header(self, records: "_Records") -> list[str]:
        try:
            header = next((record for _, record in records if record), _NO_ROW)
        except READ_ERRORS as error:
            raise UnreadableFile(self.path, reason_of(error)) from error
        if isinstance(header, Reject):
            raise UnreadableFile(self.path, f"its first line is not a header: {header.row_errors[0].reason}")
        names = [name.strip() or f"column {number}" for number, name in enumerate(header, start=1)]
        if not _is_decodable(names):
            raise UnreadableFile(self.path, f"its first line is not {records.encoding_name}; {_ENCODING_ADVICE}")
        if any("\0" in name for name in names):
            reason = "its first line holds NUL characters, as UTF-16 without a mark does; add --encoding utf-16-le"
            raise UnreadableFile(self.path, reason)
        return distinct_names(names)

    def _read(self, records: "_Records", rows: int, footer: Footer) -> Chunk | None:
        first_line, columns = records.read_plain_rows(rows, len(self.names))
        if columns:
            n_rows = len(columns[0])
            chunk = Chunk(
                list(range(first_line, first_line + n_rows)), dict(zip(self.names, columns, strict=True)), [], n_rows
            )
            before = self._chunk_of(footer.give_back())
            return _without_undecodable(before.followed_by(chunk) if before.rows_read else chunk)
        return self._read_one_by_one(records, rows, footer)

    def _read_one_by_one(self, records: "_Records", rows: int, footer: Footer) -> Chunk | None:
        read: list[Record] = []
        rejects: list[Reject] = []
        for line, record in records:
            if isinstance(record, Reject):
                rejects.append(record)
            elif not footer.takes(line, record):
                read += [*footer.give_back(), (line, record)]
            if len(read) + len(rejects) >= rows:
                break
        chunk = self._chunk_of(read, rejects)
        return _without_undecodable(chunk) if chunk.rows_read else None

    def _chunk_of(self, records: Sequence[Record], rejects: Sequence[Reject] = ()) -> Chunk:
        """The records as a chunk; those of another width than the header are rejected."""
        width = len(self.names)
        rows = [(line, values) for line, values in records if len(values) == width]
        unreadable = [*rejects, *_wrong_widths([each for each in records if len(each[1]) != width], width)]
        columns = [list(column) for column in zip(*(values for _, values in rows), strict=True)] or [
            [] for _ in self.names
        ]
        named = dict(zip(self.names, columns, strict=True))
        return Chunk([line for line, _ in rows], named, unreadable, len(records) + len(rejects))


class _Records:
    """Records of a CSV stream, each with the line it begins at.

    After a malformed record only its first line is rejected: the lines that it had swallowed are read again.
    """

    def __init__(self, stream: Stream, layout: FileLayout) -> None:
        encoding = layout.encoding or encoding_of_mark(stream.content)
        # Not every encoding can carry undecodable bytes along: UTF-16 stops at them.
        errors = "strict" if encoding.startswith("utf-16") else "surrogateescape"
        self._text = TextIOWrapper(stream.content, encoding=encoding, errors=errors, newline="")
        self.encoding_name = "UTF-8" if encoding.startswith("utf-8") else encoding
        self._lines = _Lines(self._text)
        self._lines.take(layout.skip_rows)
        named = _DELIMITER_LINE.fullmatch(self._lines.peek())
        if named:
            self._lines.take(1)
        self._delimiter = layout.delimiter or (named[1] if named else _commonest_delimiter(self._lines.peek()))
        # Strict: otherwise a quote that is never closed silently swallows the rest of the file.
        self._reader = csv.reader(self._lines, delimiter=self._delimiter, strict=True)

    def close(self) -> None:
        # The stream is its owner's to close; a wrapper that is collected would close it too.
        self._text.detach()

    @property
    def line(self) -> int:
        return self._lines.number

    def read_plain_rows(self, rows: int, width: int) -> tuple[int, list[list[str]]]:
        """Read rows at once, by column, if each is one line of ``width`` values without quotes; else read nothing.

        Four times as fast as one by one. Also returns the number of the first line.
        """
        first_line, lines = self._lines.number + 1, self._lines.take(rows)
        text = "".join(lines).replace("\r\n", "\n")
        counts = {line.count(self._delimiter) for line in lines}
        blank_line = f"\n{self._delimiter * (width - 1)}\n"
        if '"' in text or "\r" in text or counts != {width - 1} or blank_line in f"\n{text}\n" or may_hold_total(text):
            self._lines.give_back(lines)
            return first_line, []
        values = text.removesuffix("\n").replace("\n", self._delimiter).split(self._delimiter)
        return first_line, [values[place::width] for place in range(width)]

    def __iter__(self) -> Iterator[tuple[int, list[str] | Reject]]:
        while True:
            line = self._lines.begin_record()
            try:
                yield line, next(self._reader)
            except csv.Error as error:
                yield line, _reject(line, "", f"is malformed: {error}", self._lines.give_back_all_but_first())
            except StopIteration:
                return


class _Lines:
    """Physical lines, counted, that can be given back."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._waiting: deque[str] = deque()
        self._record: list[str] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else next(self._text)
        self._record.append(line)
        self.number += 1
        return line

    def take(self, count: int) -> list[str]:
        """The next lines, at most ``count``."""
        lines = [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
        lines += islice(self._text, count - len(lines))
        self.number += len(lines)
        return lines

    def give_back(self, lines: Sequence[str]) -> None:
        self._waiting.extendleft(reversed(lines))
        self.number -= len(lines)

    def peek(self) -> str:
        if not self._waiting and (line := self._text.readline()):
            self._waiting.append(line)
        return self._waiting[0] if self._waiting else ""

    def begin_record(self) -> int:
        self._record.clear()
        return self.number + 1

    def give_back_all_but_first(self) -> str:
        first, *others = self._record or [""]
        self.give_back(others)
        return first.rstrip("\r\n")


def _commonest_delimiter(header: str) -> str:
    bare = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=bare.count)


def _reject(line: int, field: str, reason: str, row: dict[str, Any] | str) -> Reject:
    return Reject(line, (RowError(field, reason),), row)


def _wrong_widths(records: Sequence[Record], width: int) -> list[Reject]:
    return [
        _reject(line, "", f"has {len(values)} values for {width} columns", ",".join(values)) for line, values in records
    ]


def _is_decodable(values: Sequence[str]) -> bool:
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_undecodable(chunk: Chunk) -> Chunk:
    """Reject the rows in which bytes could not be decoded."""
    if all(_is_decodable(values) for values in chunk.columns.values()):
        return chunk
    flags = [all(_is_decodable([values[i]]) for values in chunk.columns.values()) for i in range(len(chunk.lines))]
    for index, is_good in enumerate(flags):
        if not is_good:
            name, reason = _undecodable(chunk.row(index))
            row = {
                key: value.encode(errors="surrogateescape").decode(errors="replace")
                for key, value in chunk.row(index).items()
            }
            chunk.unreadable.append(_reject(chunk.lines[index], name, reason, row))
    return chunk.keep(flags)


def _undecodable(row: dict[str, str]) -> tuple[str, str]:
    name, value = next((name, value) for name, value in row.items() if not _is_decodable([value]))
    content = value.encode(errors="surrogateescape")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        byte = f"byte 0x{content[error.start]:02X}, its number {error.start + 1}"
        return name, f"holds {byte}, that is not UTF-8; {_ENCODING_ADVICE}"
    return name, "is not UTF-8"
