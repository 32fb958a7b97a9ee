"""Where the rows of one file pass: wanted ones go on, rejected ones are written down and counted."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.rows.chunks import Chunk, Progress, Reject, Source
from service.rows.errors import MissingColumn, TooManyRejects
from service.rows.options import ImportOptions, ImportSummary, map_columns
from service.rows.rejects import Rejects
from service.rows.validation import RowErrors


@dataclass(frozen=True)
class ImportRun:
    """One file to import: its rows, which column fills which field, and what becomes of those that are refused."""

    source: Source
    columns: Mapping[str, str]
    options: ImportOptions
    summary: ImportSummary
    rejects: Rejects
    progress: Callable[[Progress], None]

    def wanted_columns(self) -> list[str]:
        """The file's columns that are read."""
        return [*dict.fromkeys((*self.columns.values(), *(condition.column for condition in self.options.where)))]

    def ignored_columns(self) -> list[str]:
        """The file's columns that mean nothing to us."""
        return [name for name in self.source.names if name not in self.wanted_columns()]

    def chunks(self) -> Iterator[Chunk]:
        """The rows that ``--where`` wants."""
        for chunk in self.source.chunks(self.wanted_columns(), self.options.batch_rows, self.progress):
            flags = [True] * len(chunk.lines)
            for condition in self.options.where:
                found = condition.flags(chunk.columns.get(condition.column) or [None] * len(chunk.lines))
                flags = [before and now for before, now in zip(flags, found, strict=True)]
            self.summary.read += chunk.rows_read
            self.summary.skipped += len(flags) - sum(flags)
            yield chunk if all(flags) else chunk.keep(flags)

    def rows(self, chunk: Chunk) -> list[dict[str, Any]]:
        """A chunk's rows by our own field names; those of a column that it lacks are None."""
        empty = [None] * len(chunk.lines)
        values = {ours: chunk.columns.get(theirs) or empty for ours, theirs in self.columns.items()}
        return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]

    def refuse(self, chunk: Chunk, faults: RowErrors) -> None:
        """Write down a chunk's unreadable and faulty rows; raises TooManyRejects before anything else is written."""
        faulty = [Reject(chunk.lines[index], faults[index], chunk.row(index)) for index in sorted(faults)]
        rejected = sorted(chunk.unreadable + faulty, key=lambda reject: reject.line)
        path = self.rejects.write(self.source.path, rejected)
        if path and path not in self.summary.rejects_files:
            self.summary.rejects_files.append(path)
        self.summary.rejected += len(rejected)
        limit = self.options.max_rejects
        if limit is not None and self.summary.rejected > limit:
            raise TooManyRejects(limit, self.summary)


def check_columns(
    source: Source, fields: Sequence[str], mandatory: Sequence[str], options: ImportOptions
) -> dict[str, str]:
    """Find the column of each field; raises MissingColumn if a mandatory one has none."""
    columns = map_columns(source.path, source.names, fields, options)
    if missing := [field for field in mandatory if field not in columns]:
        raise MissingColumn(source.path, missing, source.names)
    return columns
