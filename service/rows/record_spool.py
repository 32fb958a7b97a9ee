"""Records of one file on their way to the database, merged by identifier outside memory."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import orjson


class RecordSpool:
    """Records by identifier: a later row of the file completes or replaces an earlier one.

    An unnamed SQLite database, which spills to a file that vanishes with the process.

    times: parsers of the columns that JSON has no type for.
    """

    def __init__(self, key: str, times: Mapping[str, Callable[[str], date]]) -> None:
        self.key = key
        self._times = times
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE spool (id TEXT PRIMARY KEY, record BLOB) WITHOUT ROWID")
        self.repeated = 0

    def add(self, records: Sequence[dict[str, Any]]) -> None:
        """Add records in the order of their rows."""
        merged: dict[str, dict[str, Any]] = {}
        for record in records:
            record_id = record[self.key]
            earlier = merged.get(record_id) or self._stored(record_id)
            self.repeated += bool(earlier)
            merged[record_id] = {**earlier, **record}
        rows = [(record_id, orjson.dumps(record)) for record_id, record in merged.items()]
        self._database.executemany("INSERT OR REPLACE INTO spool VALUES (?, ?)", rows)

    def batches(self, rows: int) -> Iterator[list[dict[str, Any]]]:
        """All records in the order of their identifiers, at most ``rows`` at a time."""
        cursor = self._database.execute("SELECT record FROM spool ORDER BY id")
        while batch := cursor.fetchmany(rows):
            yield [self._parse(record) for (record,) in batch]

    def close(self) -> None:
        """Free the disk space."""
        self._database.close()

    def _stored(self, record_id: str) -> dict[str, Any]:
        row = self._database.execute("SELECT record FROM spool WHERE id = ?", (record_id,)).fetchone()
        return self._loads(row[0]) if row else {}

    def _parse(self, text: bytes) -> dict[str, Any]:
        record = self._loads(text)
        times = {name: parse(record[name]) for name, parse in self._times.items() if record.get(name) is not None}
        return record | times

    def _loads(self, text: bytes) -> dict[str, Any]:
        record: dict[str, Any] = orjson.loads(text)
        return record
