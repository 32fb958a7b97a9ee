"""Rows of training files that are invalid."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from service.rows.chunks import Reject
from service.rows.rejects import Rejects, reason_of

MAX_LISTED: Final = 10


class RejectedRows:
    """Keeps the first rejected rows as text, and writes all to a file if one is named."""

    def __init__(self, path: Path | None, inputs: Sequence[Path]) -> None:
        self.first: list[str] = []
        self._file = Rejects(path, inputs) if path else None

    def write(self, source: Path, rejects: Sequence[Reject]) -> Path | None:
        """Take rejected rows of one file; return the file that they are written to, if any."""
        for reject in rejects[: MAX_LISTED - len(self.first)]:
            field = reject.row_errors[0].field
            self.first.append(f"{source}, line {reject.line}: {f'{field} ' if field else ''}{reason_of(reject)}")
        return self._file.write(source, rejects) if self._file else None

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
