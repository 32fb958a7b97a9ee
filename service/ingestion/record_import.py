"""Import a file of accounts or products: all of it in one transaction, or nothing."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from pydantic import TypeAdapter
from sqlalchemy import Connection, Engine

from service.accounts.queries import upsert_accounts
from service.accounts.schemas import AccountIn
from service.catalogue.queries import upsert_products
from service.catalogue.schemas import ProductIn
from service.ingestion.chunks import Chunk
from service.ingestion.errors import UnreadableFile
from service.ingestion.fields import is_blank
from service.ingestion.intake import Intake
from service.ingestion.queries import RowStatus, changed_ids
from service.ingestion.validation import validate_rows
from service.live.changes import ChangeKind, ChangeLog

_ROWS_PER_WRITE: Final = 2000
_NESTED: Final = "attributes."


@dataclass(frozen=True)
class RecordKind:
    """Accounts or products: how a row is validated, and how records are written."""

    key: str
    adapter: TypeAdapter[list[Any]]
    fields: tuple[str, ...]
    upsert: Callable[[Connection, Sequence[dict[str, Any]], datetime], list[RowStatus]]
    changes: ChangeKind


ACCOUNTS: Final = RecordKind(
    "account_id", TypeAdapter(list[AccountIn]), tuple(AccountIn.model_fields), upsert_accounts, ChangeKind.ACCOUNTS
)
PRODUCTS: Final = RecordKind(
    "product_id", TypeAdapter(list[ProductIn]), tuple(ProductIn.model_fields), upsert_products, ChangeKind.PRODUCTS
)


def import_records(engine: Engine, intake: Intake, kind: RecordKind, now: datetime) -> None:
    """Import the records of one file. What precedes an unreadable part of it is imported."""
    broken: UnreadableFile | None = None
    with closing(_Spool()) as spool:
        try:
            for chunk in intake.chunks():
                spool.add(kind.key, _validated(chunk, intake, kind))
        except UnreadableFile as error:
            broken = error
        intake.summary.repeated += spool.repeated
        with engine.begin() as connection:
            changes = ChangeLog()
            for records in spool.records(_ROWS_PER_WRITE):
                statuses = kind.upsert(connection, records, now)
                changes.touch(kind.changes, changed_ids(kind.key, records, statuses))
                intake.summary.rows.add(statuses.count("created"), statuses.count("updated"), len(statuses))
            changes.write(connection, now)
    if broken:
        raise broken


def _validated(chunk: Chunk, intake: Intake, kind: RecordKind) -> list[dict[str, Any]]:
    good, faults = validate_rows(kind.adapter, _rows(chunk, intake))
    intake.refuse(chunk, faults)
    return [row.record(intake.options.default_currency) for row in good.values()]


def _rows(chunk: Chunk, intake: Intake) -> list[dict[str, Any]]:
    """Rows as the schemas want them: columns mapped to ``attributes.NAME`` become one object."""
    rows = intake.rows(chunk)
    named = [name for name in intake.columns if name.startswith(_NESTED)]
    for row in rows if named else ():
        given = {name.removeprefix(_NESTED): row.pop(name) for name in named}
        row["attributes"] = {name: value for name, value in given.items() if not is_blank(value)}
    return rows


class _Spool:
    """Records by identifier, outside memory: a later row of the file completes or replaces an earlier one.

    An unnamed SQLite database spills to a file that vanishes with the process.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE spool (id TEXT PRIMARY KEY, record BLOB) WITHOUT ROWID")
        self.repeated = 0

    def add(self, key: str, records: Sequence[dict[str, Any]]) -> None:
        merged: dict[str, dict[str, Any]] = {}
        for record in records:
            earlier = merged.get(record[key]) or self._find(record[key])
            self.repeated += bool(earlier)
            merged[record[key]] = {**earlier, **record}
        rows = [(record_id, orjson.dumps(record)) for record_id, record in merged.items()]
        self._database.executemany("INSERT OR REPLACE INTO spool VALUES (?, ?)", rows)

    def records(self, rows: int) -> Iterator[list[dict[str, Any]]]:
        """All records in the order of their identifiers, some at a time."""
        cursor = self._database.execute("SELECT record FROM spool ORDER BY id")
        while some := cursor.fetchmany(rows):
            yield [orjson.loads(record) for (record,) in some]

    def close(self) -> None:
        self._database.close()

    def _find(self, record_id: str) -> dict[str, Any]:
        found = self._database.execute("SELECT record FROM spool WHERE id = ?", (record_id,)).fetchone()
        record: dict[str, Any] = orjson.loads(found[0]) if found else {}
        return record
