"""One file on its way through an import: unwanted rows are skipped, bad ones refused and counted."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from service.rows.chunks import Chunk, Progress, Reject, Source
from service.rows.errors import TooManyRejects
from service.rows.options import ImportOptions
from service.rows.summary import ImportSummary
from service.rows.validation import RowErrors


class RejectWriter(Protocol):
    """Takes the rows that were refused."""

    def write(self, source: Path, rejects: Sequence[Reject]) -> Path | None:
        """Take rejected rows of one file; return where they were written, if anywhere."""
        ...


@dataclass(frozen=True)
class ImportRun:
    """One file to import: its rows, which column fills which field, and what becomes of the refused rows."""

    source: Source
    columns: Mapping[str, str]
    options: ImportOptions
    summary: ImportSummary
    rejects: RejectWriter
    progress: Callable[[Progress], None]

    def wanted_columns(self) -> list[str]:
        """The file's columns that are read."""
        return [*dict.fromkeys((*self.columns.values(), *(condition.column for condition in self.options.where)))]

    def ignored_columns(self) -> list[str]:
        """The file's columns that are not read."""
        return [name for name in self.source.names if name not in self.wanted_columns()]

    def chunks(self) -> Iterator[Chunk]:
        """The rows that meet every ``--where``."""
        for chunk in self.source.chunks(self.wanted_columns(), self.options.batch_rows, self.progress):
            flags = [True] * len(chunk.lines)
            for condition in self.options.where:
                is_met = condition.flags(chunk.columns.get(condition.column) or [None] * len(chunk.lines))
                flags = [before and now for before, now in zip(flags, is_met, strict=True)]
            self.summary.read += chunk.rows_read
            self.summary.skipped += len(flags) - sum(flags)
            yield chunk if all(flags) else chunk.keep(flags)

    def rows(self, chunk: Chunk) -> list[dict[str, Any]]:
        """A chunk's rows by our own field names; those of a column that it lacks are None."""
        empty = [None] * len(chunk.lines)
        values = {ours: chunk.columns.get(theirs) or empty for ours, theirs in self.columns.items()}
        return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]

    def refuse(self, chunk: Chunk, row_errors: RowErrors) -> None:
        """Write a chunk's unreadable and invalid rows to the rejects; raises TooManyRejects above the limit."""
        invalid = [Reject(chunk.lines[index], row_errors[index], chunk.row(index)) for index in sorted(row_errors)]
        rejected = sorted(chunk.unreadable + invalid, key=lambda reject: reject.line)
        path = self.rejects.write(self.source.path, rejected)
        if path and path not in self.summary.rejects_files:
            self.summary.rejects_files.append(path)
        self.summary.rejected += len(rejected)
        limit = self.options.max_rejects
        if limit is not None and self.summary.rejected > limit:
            raise TooManyRejects(limit, self.summary)
