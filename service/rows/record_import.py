"""Import a file of records, such as accounts or products: all of it in one transaction, or nothing."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from sqlalchemy import Connection, Engine

from service.rows.chunks import Chunk
from service.rows.errors import UnreadableFile
from service.rows.import_run import ImportRun
from service.rows.record_spool import RecordSpool
from service.rows.summary import ImportSummary
from service.rows.text_fields import is_blank
from service.rows.validation import RowErrors, validate_rows
from service.storage.changes import ChangeLog
from service.storage.records import Upserted

_RECORDS_PER_WRITE: Final = 2000
_NESTED: Final = "attributes."

Resolve = Callable[[Mapping[int, Any]], tuple[dict[int, dict[str, Any]], RowErrors]]
"""From valid rows to the columns that each sets, and the errors of the others, by index."""


def resolve_as_given(import_run: ImportRun) -> Resolve:
    """Take each row's own columns: ``row.record(default_currency)``."""
    currency = import_run.options.default_currency
    return lambda rows: ({index: row.record(currency) for index, row in rows.items()}, {})


@dataclass(frozen=True)
class RecordImport:
    """How records of one kind are validated, resolved and written.

    key:      the column that identifies a record.
    resolver: called once for each file; by default rows are taken as they are given.
    times:    parsers of the columns that JSON has no type for.
    """

    row: type[BaseModel]
    key: str
    upsert: Callable[[Connection, Sequence[dict[str, Any]], datetime, ChangeLog], Upserted]
    resolver: Callable[[Engine, ImportRun], Resolve] = lambda _, import_run: resolve_as_given(import_run)
    times: Mapping[str, Callable[[str], date]] = field(default_factory=dict)

    def import_rows(self, engine: Engine, import_run: ImportRun, now: datetime) -> None:
        """Import the records of one file. What precedes an unreadable part of it is imported."""
        broken: UnreadableFile | None = None
        with closing(RecordSpool(self.key, self.times)) as spool:
            try:
                fill_spool(spool, import_run, self.row, self.resolver(engine, import_run))
            except UnreadableFile as error:
                broken = error
            import_run.summary.repeated += spool.repeated
            self._write(engine, spool, import_run.summary, now)
        if broken:
            raise broken

    def _write(self, engine: Engine, spool: RecordSpool, summary: ImportSummary, now: datetime) -> None:
        with engine.begin() as connection:
            changes = ChangeLog()
            for records in spool.batches(_RECORDS_PER_WRITE):
                upserted = self.upsert(connection, records, now, changes)
                statuses = upserted.statuses
                summary.rows.add(statuses.count("created"), statuses.count("updated"), len(statuses))
                summary.account_stubs += upserted.stubs.accounts
                summary.product_stubs += upserted.stubs.products
            changes.write(connection, now)


def fill_spool(spool: RecordSpool, import_run: ImportRun, row: type[BaseModel], resolve: Resolve) -> None:
    """Validate and resolve the rows of one file, refuse the bad ones and spool the good ones."""
    adapter = TypeAdapter(list[row])  # type: ignore[valid-type]
    for chunk in import_run.chunks():
        valid, row_errors = validate_rows(adapter, _rows(chunk, import_run))
        records, unresolved = resolve(valid)
        import_run.refuse(chunk, row_errors | unresolved)
        spool.add(list(records.values()))


def _rows(chunk: Chunk, import_run: ImportRun) -> list[dict[str, Any]]:
    """Rows as the schemas want them: columns mapped to ``attributes.NAME`` become one object."""
    rows = import_run.rows(chunk)
    nested = [name for name in import_run.columns if name.startswith(_NESTED)]
    for row in rows if nested else ():
        values = {name.removeprefix(_NESTED): row.pop(name) for name in nested}
        row["attributes"] = {name: value for name, value in values.items() if not is_blank(value)}
    return rows
