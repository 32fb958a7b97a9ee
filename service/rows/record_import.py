"""Import a file of records, such as accounts or products: all of it in one transaction, or nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from sqlalchemy import Connection, Engine

from service.rows.attribute_types import AttributeTypes
from service.rows.chunks import Chunk
from service.rows.complete_files import note_present
from service.rows.errors import UnreadableFile
from service.rows.formulas import plain_row
from service.rows.guest_values import GuestValues
from service.rows.import_run import ImportRun, import_transaction
from service.rows.record_spool import RecordSpool
from service.rows.text_fields import is_blank
from service.rows.validation import RowErrors, placeholder_errors, validate_rows
from service.storage.changes import ChangeLog
from service.storage.records import Upserted
from service.storage.turns import hold_off_erasures

_RECORDS_PER_WRITE: Final = 2000
_NESTED: Final = "attributes."

Resolve = Callable[[Mapping[int, Any]], tuple[dict[int, dict[str, Any]], RowErrors]]
"""From valid rows to the columns that each sets, and the errors of the others, by index."""


def resolve_as_given(import_run: ImportRun) -> Resolve:
    """Take each row's own columns: ``row.record(default_currency)``."""
    currency = import_run.options.default_currency
    return lambda rows: ({index: row.record(currency) for index, row in rows.items()}, {})


def refuse_placeholders(resolve: Resolve, import_run: ImportRun) -> Resolve:
    """Refuse rows whose account is a placeholder for guests; ``resolve`` gets the others."""
    guests = GuestValues(import_run.options.orders.guest_values)

    def resolve_accounts(rows: Mapping[int, Any]) -> tuple[dict[int, dict[str, Any]], RowErrors]:
        refused = placeholder_errors(rows, guests)
        records, unresolved = resolve({index: row for index, row in rows.items() if index not in refused})
        return records, {**refused, **unresolved}

    return resolve_accounts


@dataclass(frozen=True)
class RecordImport:
    """How records of one kind are validated, resolved and written.

    key:      the column that identifies a record.
    resolver: called once for each file; by default rows are taken as they are given.
    times:    parsers of the columns that JSON has no type for.
    guard:    is entered before a file is written, and checks at its end, in the same transaction, what must then hold.
    """

    row: type[BaseModel]
    key: str
    upsert: Callable[[Connection, Sequence[dict[str, Any]], datetime, ChangeLog], Upserted]
    resolver: Callable[[Engine, ImportRun], Resolve] = lambda _, import_run: resolve_as_given(import_run)
    times: Mapping[str, Callable[[str], date]] = field(default_factory=dict)
    guard: Callable[[Connection, ImportRun], AbstractContextManager[None]] = lambda *_: nullcontext()

    def import_rows(self, engine: Engine, import_run: ImportRun, now: datetime) -> None:
        """Import the records of one file. What precedes an unreadable part of it is imported."""
        broken: UnreadableFile | None = None
        types = attribute_types_of(import_run)
        with closing(RecordSpool(self.key, self.times)) as spool:
            try:
                fill_spool(spool, import_run, self.row, self.resolver(engine, import_run), types)
            except UnreadableFile as error:
                broken = error
            import_run.summary.repeated += spool.repeated
            import_run.summary.notes += types.notes()
            self._write(engine, spool, import_run, types, now)
        if broken:
            raise broken

    def _write(
        self, engine: Engine, spool: RecordSpool, import_run: ImportRun, types: AttributeTypes, now: datetime
    ) -> None:
        summary = import_run.summary
        with import_transaction(engine, import_run.options) as connection:
            hold_off_erasures(connection)
            changes = ChangeLog()
            with self.guard(connection, import_run):
                for records in typed_batches(spool, types, _RECORDS_PER_WRITE):
                    import_run.show(records)
                    upserted = self.upsert(connection, records, now, changes)
                    statuses = upserted.statuses
                    summary.rows.add(statuses.count("created"), statuses.count("updated"), len(statuses))
                    summary.account_stubs += upserted.stubs.accounts
                    summary.product_stubs += upserted.stubs.products
            changes.write(connection, now)


def attribute_types_of(import_run: ImportRun) -> AttributeTypes:
    """The types of a file's columns ``attributes.NAME``, to be learned from its rows."""
    names = [name.removeprefix(_NESTED) for name in import_run.columns if name.startswith(_NESTED)]
    return AttributeTypes(names, import_run.options.attribute_types, import_run.formats.default)


def typed_batches(spool: RecordSpool, types: AttributeTypes, rows: int) -> Iterator[list[dict[str, Any]]]:
    """The spooled records, their attributes with the types that the whole file has shown."""
    for records in spool.batches(rows):
        for record in records:
            if record.get("attributes"):
                record["attributes"] = types.converted(record["attributes"])
        yield records


def fill_spool(
    spool: RecordSpool, import_run: ImportRun, row: type[BaseModel], resolve: Resolve, types: AttributeTypes
) -> None:
    """Validate and resolve the rows of one file, refuse the bad ones and spool the good ones."""
    adapter = TypeAdapter(list[row])  # type: ignore[valid-type]
    for chunk in import_run.chunks():
        valid, row_errors = validate_rows(adapter, _rows(chunk, import_run), import_run.formats)
        records, unresolved = resolve(valid)
        for index, record in list(records.items()):
            if errors := types.check(record.get("attributes") or {}):
                unresolved[index] = errors
                del records[index]
        note_present(import_run, spool.key, chunk, list(records.values()), row_errors | unresolved)
        import_run.refuse(chunk, row_errors | unresolved)
        spool.add(list(records.values()))


def _rows(chunk: Chunk, import_run: ImportRun) -> list[dict[str, Any]]:
    """Rows as the schemas want them: columns mapped to ``attributes.NAME`` become one object."""
    rows = [plain_row(row) for row in import_run.rows(chunk)]
    nested = [name for name in import_run.columns if name.startswith(_NESTED)]
    for row in rows if nested else ():
        values = {name.removeprefix(_NESTED): row.pop(name) for name in nested}
        row["attributes"] = {name: value for name, value in values.items() if not is_blank(value)}
    return rows
