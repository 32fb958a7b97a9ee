"""Errors of a whole file or a whole request body. Those of a single row are a ``RowError``."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from service.base.errors import DomainError
from service.rows.summary import ImportSummary


class UnreadableFile(DomainError):
    """A file that can't be read (any further). Batches committed before it stay."""

    code = "unreadable-file"

    def __init__(self, path: Path, reason: str, line: int | None = None) -> None:
        self.path = path
        self.summary: ImportSummary | None = None
        """What was imported before, if anything may have been."""
        where = f"{path}, after line {line}" if line else str(path)
        super().__init__(f"{where}: {reason}")


class ReaderMissing(DomainError):
    """Reading this format needs a package that is not installed."""

    code = "reader-missing"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: reading Parquet needs pyarrow. Run: pip install 'nextoffer[train]'")


class MissingColumn(DomainError):
    """A mandatory field has no column in the file."""

    code = "missing-column"

    def __init__(self, path: Path, fields: Sequence[str], columns: Sequence[str], suggested: str) -> None:
        self.fields = fields
        advice = f" Perhaps: {suggested}" if suggested else " Name them with --map THEIRS=OURS."
        if 2 * sum(name.startswith("column ") for name in columns) >= len(columns) or len(columns) == 1:
            advice += " If the header stands further down, add --skip-rows N, the number of lines above it."
        if unnamed := [name for name in fields if f"={name}" not in suggested]:
            advice += f" (for {', '.join(unnamed)}, no column has a similar name)" if suggested else ""
        super().__init__(
            f"{path}: there is no column for {', '.join(fields)}. The columns are: {', '.join(columns)}.{advice}"
        )


class InvalidImportOption(DomainError):
    """An option of the import that is invalid, by itself or for this file."""

    code = "invalid-import-option"


class TooManyRejects(DomainError):
    """More rows were rejected than the caller allowed."""

    code = "too-many-rejects"

    def __init__(self, limit: int, summary: ImportSummary) -> None:
        self.summary = summary
        super().__init__(
            f"More than {limit} rows were rejected, so the import stopped. The batch in hand was not written; "
            "batches written before it stay, whole."
        )


class RowsUnreadable(DomainError):
    """A request body that is neither a JSON array nor NDJSON."""

    code = "rows-unreadable"


class TooManyRows(DomainError):
    """A request with more rows than one request may carry."""

    code = "too-many-rows"

    def __init__(self, limit: int) -> None:
        super().__init__(f"One request may carry at most {limit} rows. Split it, or use: nextoffer import")


def close_columns(name: str, among: Iterable[str]) -> list[str]:
    """The column that was probably meant by a name, if any."""
    lowered = {column.casefold(): column for column in among}
    matches = get_close_matches(name.casefold(), lowered, n=1, cutoff=0.55)
    return [lowered[match] for match in matches]


def no_column(name: str, names: Sequence[str]) -> str:
    """Say that a file has no such column, and which of its columns may have been meant."""
    if numbered := [each for each in names if each.startswith(f"{name} (")]:
        return f"several columns are called {name}; they are told apart as {', '.join(numbered)}."
    close = close_columns(name, names)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"the file has no column {name}; its columns are {', '.join(names)}.{hint}"
