"""Files of rejected rows, for correction."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

import orjson

from service.rows.chunks import Reject
from service.rows.errors import InvalidImportOption

HEADER = ("file", "line", "field", "reason", "row")


class Rejects:
    """CSV files of rejected rows, each created with its first row.

    They go to one file if a path is given, or to ``<input's name>.rejects.csv`` in the current folder. A batch's
    rejected rows are written before its good rows are, so that none is lost.
    """

    def __init__(self, path: Path | None, inputs: Iterable[Path]) -> None:
        self._path = path
        self._inputs = list(inputs)
        self._files: dict[Path, TextIO] = {}

    def write(self, source: Path, rejects: Sequence[Reject]) -> Path | None:
        """Append rejected rows and return where; raises InvalidImportOption if they can't be written."""
        rows = [
            (source, reject.line, reject.row_errors[0].field, reason_of(reject), _row(reject)) for reject in rejects
        ]
        if not rows:
            return None
        path = self._path or Path(f"{source.name}.rejects.csv")
        try:
            file = self._files.get(path) or self._create(path)
            csv.writer(file).writerows(rows)
            file.flush()
        except OSError as error:
            raise InvalidImportOption(f"Rejected rows can't be written to {path}: {error.strerror}.") from error
        return path

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()

    def _create(self, path: Path) -> TextIO:
        if path.exists() and any(path.samefile(name) for name in self._inputs):
            raise InvalidImportOption(f"Rejected rows can't be written to {path}: it is a file to import.")
        file = self._files[path] = path.open("w", encoding="utf-8", newline="")
        csv.writer(file).writerow(HEADER)
        return file


def reason_of(reject: Reject) -> str:
    """Why a row was rejected; the first error's field goes without saying, the other fields are named."""
    first, *others = reject.row_errors
    return "; ".join([first.reason, *(f"{other.field} {other.reason}".strip() for other in others)])


def _row(reject: Reject) -> str:
    text = orjson.dumps(reject.row, default=str, option=orjson.OPT_NON_STR_KEYS) if _is_encodable(reject.row) else None
    return text.decode() if text is not None else repr(reject.row)


def _is_encodable(row: object) -> bool:
    try:
        orjson.dumps(row, default=str, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:
        return False
    return True
