"""Chunks of a file's rows, by column, and the rows that were rejected."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class RowError:
    """Why one field of one row is invalid."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was refused, and why."""

    line: int
    row_errors: tuple[RowError, ...]
    row: dict[str, Any] | str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows: the line of each, the values by the file's own column names, and rows that were unreadable."""

    lines: list[int]
    columns: dict[str, list[Any]]
    unreadable: list[Reject] = field(default_factory=list)
    rows_read: int = 0
    footer_lines: int = 0
    """Lines below the last row that hold no row, such as a report's copyright."""

    def row(self, index: int) -> dict[str, Any]:
        """One row as it was given."""
        return {name: values[index] for name, values in self.columns.items()}

    def keep(self, flags: Sequence[bool]) -> "Chunk":
        """Only the rows whose flag is set."""
        columns = {name: list(compress(values, flags)) for name, values in self.columns.items()}
        return replace(self, lines=list(compress(self.lines, flags)), columns=columns)

    def split(self, index: int) -> tuple["Chunk", "Chunk"]:
        """The rows before an index, with all that was counted and rejected, and the rows from it on."""
        before = {name: values[:index] for name, values in self.columns.items()}
        after = {name: values[index:] for name, values in self.columns.items()}
        return replace(self, lines=self.lines[:index], columns=before), Chunk(self.lines[index:], after)

    def followed_by(self, other: "Chunk") -> "Chunk":
        """Both chunks as one. A column that only one of them has is empty in the other."""
        names = dict.fromkeys((*self.columns, *other.columns))
        columns = {name: self._values(name) + other._values(name) for name in names}
        unreadable = self.unreadable + other.unreadable
        footer_lines = self.footer_lines + other.footer_lines
        return Chunk(self.lines + other.lines, columns, unreadable, self.rows_read + other.rows_read, footer_lines)

    def _values(self, name: str) -> list[Any]:
        values = self.columns.get(name)
        return [None] * len(self.lines) if values is None else values


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one file is read."""

    path: Path
    done: int
    total: int
    unit: str


class Source(Protocol):
    """A file of rows.

    names:   its columns, and those that are derived from them.
    origins: of each derived column, the file's columns that it is made of.
    """

    path: Path
    names: list[str]
    origins: Mapping[str, Sequence[str]]

    def chunks(self, wanted: Sequence[str], rows: int, progress: Callable[[Progress], None]) -> Iterable[Chunk]:
        """Read the rows, at most ``rows`` at a time; only the wanted columns are needed.

        Raises UnreadableFile after the last good rows were yielded.
        """
        ...
