"""NDJSON: one JSON object per line."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Final

import orjson

from service.rows.chunks import Chunk, Progress, Reject, RowError
from service.rows.errors import UnreadableFile
from service.rows.readers.streams import READ_ERRORS, measured_stream, reason_of

_LINES_TO_LEARN_NAMES: Final = 1000


class NdjsonSource:
    """An NDJSON file. Its columns are the names in the first thousand objects; later objects may have more."""

    origins: Mapping[str, Sequence[str]] = MappingProxyType({})

    def __init__(self, path: Path) -> None:
        self.path = path
        with measured_stream(path) as stream:
            try:
                chunk = _read(islice(numbered(stream.content), _LINES_TO_LEARN_NAMES), _LINES_TO_LEARN_NAMES, ())
            except READ_ERRORS as error:
                raise UnreadableFile(path, reason_of(error)) from error
        self.names = list(chunk.columns) if chunk else []
        columns = chunk.columns.values() if chunk else ()
        self.is_nested = any(isinstance(value, dict) for values in columns for value in values)

    def chunks(self, wanted: Sequence[str], rows: int, progress: Callable[[Progress], None]) -> Iterator[Chunk]:
        """Read the rows. A line that is no object is rejected by itself."""
        line = 0
        with measured_stream(self.path) as stream:
            lines = numbered(stream.content)
            try:
                while chunk := _read(lines, rows, wanted):
                    yield chunk
                    line = max([*chunk.lines[-1:], *(reject.line for reject in chunk.unreadable[-1:])])
                    progress(Progress(self.path, stream.position(), stream.size, "bytes"))
            except READ_ERRORS as error:
                raise UnreadableFile(self.path, reason_of(error), line) from error


def numbered(content: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Number the lines from 1, and skip blank ones."""
    for number, line in enumerate(content, start=1):
        text = (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()
        if text:
            yield number, text


def parse_object(line: bytes) -> dict[str, Any] | RowError:
    """Parse one line; a RowError if it is not a JSON object."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return RowError("", f"is not JSON: {error}")
    return value if isinstance(value, dict) else RowError("", f"must be an object, not {type(value).__name__}")


def _read(lines: Iterator[tuple[int, bytes]], rows: int, wanted: Sequence[str]) -> Chunk | None:
    numbers: list[int] = []
    objects: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    for number, line in islice(lines, rows):
        parsed = parse_object(line)
        if isinstance(parsed, RowError):
            rejects.append(Reject(number, (parsed,), line.decode(errors="replace")))
        else:
            numbers.append(number)
            objects.append(parsed)
    if not numbers and not rejects:
        return None
    names = dict.fromkeys((*wanted, *(name for each in objects for name in each)))
    columns = {name: [each.get(name) for each in objects] for name in names}
    return Chunk(numbers, columns, rejects, len(numbers) + len(rejects))
