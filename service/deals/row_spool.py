"""Rows of one file, grouped by their deal outside memory."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from service.deals.schemas import DealRow
from service.rows.chunks import RowError


@dataclass(frozen=True)
class SpooledRow:
    """One row of a deal: its line, as it stands in the file, and as it was validated, or what is wrong with it."""

    line: int
    row: dict[str, Any]
    deal: DealRow | None = None
    errors: tuple[RowError, ...] = ()


class RowSpool:
    """An unnamed SQLite database, which spills to a file that vanishes with the process."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute(
            "CREATE TABLE spool (deal_id TEXT, line INTEGER, row TEXT, deal TEXT, errors TEXT, "
            "PRIMARY KEY (deal_id, line)) WITHOUT ROWID"
        )

    def add(self, deal_id: str, rows: Iterable[SpooledRow]) -> None:
        """Add rows of one deal."""
        self._database.executemany(
            "INSERT INTO spool VALUES (?, ?, ?, ?, ?)",
            [
                (
                    deal_id,
                    each.line,
                    json.dumps(each.row, default=str),
                    each.deal and each.deal.model_dump_json(exclude_unset=True),
                    json.dumps([(error.field, error.reason) for error in each.errors]),
                )
                for each in rows
            ],
        )

    def batches(self, rows: int) -> Iterator[list[list[SpooledRow]]]:
        """The rows of each deal, in the order of the file; whole deals, of about as many rows at a time."""
        cursor = self._database.execute("SELECT * FROM spool ORDER BY deal_id, line")
        batch: list[list[SpooledRow]] = []
        size = 0
        for _, group in groupby(cursor, key=lambda values: values[0]):
            batch.append([self._parse(*values) for _, *values in group])
            size += len(batch[-1])
            if size >= rows:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def close(self) -> None:
        """Free the disk space."""
        self._database.close()

    def _parse(self, line: int, row: str, deal: str | None, errors: str) -> SpooledRow:
        return SpooledRow(
            line,
            json.loads(row),
            DealRow.model_validate_json(deal) if deal else None,
            tuple(RowError(field, reason) for field, reason in json.loads(errors)),
        )
