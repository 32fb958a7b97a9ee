"""Import a file of records, such as accounts or products: all of it in one transaction, or nothing."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import orjson
from pydantic import BaseModel, TypeAdapter
from sqlalchemy import Connection, Engine

from service.accounts.queries import upsert_accounts
from service.accounts.schemas import AccountIn
from service.catalogue.queries import upsert_products
from service.catalogue.schemas import ProductIn
from service.deals.queries import upsert_deals
from service.deals.resolve import resolve_deals
from service.deals.schemas import DealIn
from service.orders.importing import product_matcher
from service.rows.chunks import Chunk
from service.rows.errors import UnreadableFile
from service.rows.field_types import is_blank
from service.rows.import_run import ImportRun
from service.rows.options import ImportSummary, Kind
from service.rows.validation import RowErrors, validate_rows
from service.storage.changes import ChangeLog
from service.storage.records import Upserted

_ROWS_PER_WRITE: Final = 2000
_NESTED: Final = "attributes."


Resolve = Callable[[Mapping[int, Any]], tuple[dict[int, dict[str, Any]], RowErrors]]
"""From valid rows to the columns that each sets, and what is wrong with the others, by their index."""


def _as_they_are(_engine: Engine, intake: ImportRun) -> Resolve:
    return lambda rows: ({index: row.record(intake.options.default_currency) for index, row in rows.items()}, {})


def _resolver_of_deals(engine: Engine, intake: ImportRun) -> Resolve:
    matcher = product_matcher(engine, intake)

    def resolve(rows: Mapping[int, DealIn]) -> tuple[dict[int, dict[str, Any]], RowErrors]:
        records, faults = resolve_deals(rows, matcher, intake.options.default_currency)
        meant = ((rows[index].product_id, record["product_id"]) for index, record in records.items())
        intake.summary.matched.update(pair for pair in meant if pair[0] != pair[1])
        return records, faults

    return resolve


@dataclass(frozen=True)
class RecordKind:
    """One kind of record: how a row is validated and resolved, and how records are written.

    mandatory: fields that a file must have; the first is the key.
    resolver:  is asked once for each file.
    times:     reads those columns back that JSON has no type for.
    """

    row: type[BaseModel]
    mandatory: tuple[str, ...]
    upsert: Callable[[Connection, Sequence[dict[str, Any]], datetime, ChangeLog], Upserted]
    resolver: Callable[[Engine, ImportRun], Resolve] = _as_they_are
    times: Mapping[str, Callable[[str], date]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The column that identifies a record."""
        return self.mandatory[0]

    @property
    def fields(self) -> tuple[str, ...]:
        """What a row may hold."""
        return tuple(self.row.model_fields)


RECORD_KINDS: Final[dict[Kind, RecordKind]] = {
    "accounts": RecordKind(AccountIn, ("account_id",), upsert_accounts),
    "products": RecordKind(ProductIn, ("product_id",), upsert_products),
    "deals": RecordKind(
        DealIn,
        ("deal_id", "product_id", "stage"),
        upsert_deals,
        _resolver_of_deals,
        {
            "opened_at": datetime.fromisoformat,
            "closed_at": datetime.fromisoformat,
            "expected_close": date.fromisoformat,
        },
    ),
}


def import_records(engine: Engine, intake: ImportRun, kind: RecordKind, now: datetime) -> None:
    """Import the records of one file. What precedes an unreadable part of it is imported."""
    broken: UnreadableFile | None = None
    adapter, resolve = TypeAdapter(list[kind.row]), kind.resolver(engine, intake)  # type: ignore[name-defined]
    with closing(_Spool()) as spool:
        try:
            for chunk in intake.chunks():
                spool.add(kind.key, _good_records(chunk, intake, adapter, resolve))
        except UnreadableFile as error:
            broken = error
        intake.summary.repeated += spool.repeated
        with engine.begin() as connection:
            changes = ChangeLog()
            for records in spool.records(_ROWS_PER_WRITE, kind.times):
                _count(kind.upsert(connection, records, now, changes), intake.summary)
            changes.write(connection, now)
    if broken:
        raise broken


def _good_records(
    chunk: Chunk, intake: ImportRun, adapter: TypeAdapter[list[Any]], resolve: Resolve
) -> list[dict[str, Any]]:
    valid, faults = validate_rows(adapter, _rows(chunk, intake))
    good, unresolved = resolve(valid)
    intake.refuse(chunk, faults | unresolved)
    return list(good.values())


def _count(done: Upserted, summary: ImportSummary) -> None:
    summary.rows.add(done.statuses.count("created"), done.statuses.count("updated"), len(done.statuses))
    summary.account_stubs += done.stubs.accounts
    summary.product_stubs += done.stubs.products


def _rows(chunk: Chunk, intake: ImportRun) -> list[dict[str, Any]]:
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

    def records(self, rows: int, times: Mapping[str, Callable[[str], date]]) -> Iterator[list[dict[str, Any]]]:
        """All records in the order of their identifiers, some at a time."""
        cursor = self._database.execute("SELECT record FROM spool ORDER BY id")
        while some := cursor.fetchmany(rows):
            yield [_timed(orjson.loads(record), times) for (record,) in some]

    def close(self) -> None:
        self._database.close()

    def _find(self, record_id: str) -> dict[str, Any]:
        found = self._database.execute("SELECT record FROM spool WHERE id = ?", (record_id,)).fetchone()
        record: dict[str, Any] = orjson.loads(found[0]) if found else {}
        return record


def _timed(record: dict[str, Any], times: Mapping[str, Callable[[str], date]]) -> dict[str, Any]:
    given = {name: read(record[name]) for name, read in times.items() if record.get(name) is not None}
    return record | given
