"""One file on its way through an import: unwanted rows are skipped, bad ones refused and counted."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Engine

from service.rows.chunks import Chunk, Progress, Reject, Source
from service.rows.conditions import Condition, as_text
from service.rows.errors import TooManyRejects
from service.rows.import_memory import DryRunTransaction, ImportMemory
from service.rows.options import ImportOptions
from service.rows.order_options import key_columns
from service.rows.summary import ImportSummary
from service.rows.validation import RowErrors
from service.rows.value_formats import USUAL_FORMATS, ValueFormats

_MAX_SHOWN_ROWS: Final = 5


class RejectWriter(Protocol):
    """Takes the rows that were refused."""

    def write(self, source: Path, rejects: Sequence[Reject]) -> Path | None:
        """Take rejected rows of one file; return where they were written, if anywhere."""
        ...


@contextmanager
def import_transaction(engine: Engine, options: ImportOptions) -> Iterator[Connection]:
    """Begin a transaction, which is committed at the end; of a dry run it is rolled back."""
    with engine.connect() as connection, connection.begin() as transaction:
        yield connection
        if options.is_dry_run:
            transaction.rollback()


@contextmanager
def joined_transaction(engine: Engine, import_run: "ImportRun") -> Iterator[Connection]:
    """As ``import_transaction``; but in a dry run, it sees what the files before this one hold."""
    if import_run.options.is_dry_run:
        yield import_run.memory.part(DryRunTransaction).connection(engine)
        return
    with import_transaction(engine, import_run.options) as connection:
        yield connection


@dataclass(frozen=True)
class ImportRun:
    """One file to import: its rows, which column fills which field, and what becomes of the refused rows."""

    source: Source
    columns: Mapping[str, str]
    options: ImportOptions
    summary: ImportSummary
    rejects: RejectWriter
    progress: Callable[[Progress], None]
    formats: ValueFormats = USUAL_FORMATS
    memory: ImportMemory = field(default_factory=ImportMemory)
    """Shared by all files of one command."""

    def wanted_columns(self) -> list[str]:
        """The file's columns that are read."""
        conditions = (condition.column for condition in self.conditions())
        of_key = key_columns(self.options.orders, self.source.names)
        return [*dict.fromkeys((*self.columns.values(), *conditions, *of_key))]

    def ignored_columns(self) -> list[str]:
        """The file's columns that are not read."""
        origins, wanted = self.source.origins, self.wanted_columns()
        read = {column for name in wanted for column in origins.get(name, [name])}
        return [name for name in self.source.names if name not in read and name not in origins]

    def chunks(
        self, condition_columns: Callable[[Chunk], Mapping[str, Sequence[Any]]] = lambda chunk: chunk.columns
    ) -> Iterator[Chunk]:
        """The rows that meet every ``--where``.

        condition_columns: the columns of a chunk as the conditions see them.
        """
        for chunk in self.source.chunks(self.wanted_columns(), self.options.batch_rows, self.progress):
            flags = [True] * len(chunk.lines)
            columns = condition_columns(chunk)
            for condition in self.conditions():
                is_met = condition.flags(columns.get(condition.column) or [None] * len(chunk.lines))
                flags = [before and now for before, now in zip(flags, is_met, strict=True)]
            self.summary.read += chunk.rows_read
            self.summary.footer_lines += chunk.footer_lines
            self.summary.skipped += len(flags) - sum(flags)
            yield chunk if all(flags) else chunk.keep(flags)

    def conditions(self) -> list[Condition]:
        """The conditions that the file's rows must meet."""
        return [each for each in self.options.where if not each.is_optional or each.column in self.source.names]

    def rows(self, chunk: Chunk, as_written: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
        """A chunk's rows by our own field names; those of a column that it lacks are None.

        as_written: fields whose values are not replaced by what they mean.
        """
        values = {
            ours: self._written(chunk, ours) if ours in as_written else self.values(chunk, ours)
            for ours in self.columns
        }
        return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]

    def values(self, chunk: Chunk, ours: str) -> list[Any]:
        """A chunk's values of one of our fields, by the caller's own meanings of them; None where it lacks them."""
        values = self._written(chunk, ours)
        meanings = self.options.values.get(ours)
        if not meanings:
            return values
        return [meanings.get(as_text(value).strip().casefold(), value) for value in values]

    def _written(self, chunk: Chunk, ours: str) -> list[Any]:
        return chunk.columns.get(self.columns[ours]) or [None] * len(chunk.lines)

    def show(self, rows: Iterable[dict[str, Any]]) -> None:
        """Keep the first rows of a dry run, as they would be stored."""
        if self.options.is_dry_run and len(self.summary.sample) < _MAX_SHOWN_ROWS:
            self.summary.sample.extend(islice(rows, _MAX_SHOWN_ROWS - len(self.summary.sample)))

    def refuse(self, chunk: Chunk, row_errors: RowErrors) -> None:
        """Write a chunk's unreadable and invalid rows to the rejects; raises TooManyRejects above the limit."""
        invalid = [Reject(chunk.lines[index], row_errors[index], chunk.row(index)) for index in sorted(row_errors)]
        self.reject(sorted(chunk.unreadable + invalid, key=lambda reject: reject.line))

    def reject(self, rejected: Sequence[Reject]) -> None:
        """Write rows to the rejects; raises TooManyRejects above the limit."""
        path = self.rejects.write(self.source.path, rejected)
        if path and path not in self.summary.rejects_files:
            self.summary.rejects_files.append(path)
        self.summary.rejected += len(rejected)
        limit = self.options.max_rejects
        if limit is not None and self.summary.rejected > limit:
            raise TooManyRejects(limit, self.summary)
