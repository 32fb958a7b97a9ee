"""Import files: ``import_file`` is what the command line and the demo call."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from service.catalogue.relationship_importing import (
    MANDATORY_RELATIONSHIP_FIELDS,
    RELATIONSHIP_FIELDS,
    import_relationships,
)
from service.orders.importing import MANDATORY_ORDER_FIELDS, ORDER_FIELDS, import_orders
from service.rows.chunks import Progress, Source
from service.rows.errors import UnreadableFile
from service.rows.import_run import ImportRun, check_columns
from service.rows.options import ImportOptions, ImportSummary, Kind
from service.rows.readers import open_source
from service.rows.record_import import RECORD_KINDS, import_records
from service.rows.rejects import Rejects
from service.storage.database import check_schema

FIELDS: Final[dict[Kind, tuple[str, ...]]] = {
    **{name: kind.fields for name, kind in RECORD_KINDS.items()},
    "orders": ORDER_FIELDS,
    "relationships": RELATIONSHIP_FIELDS,
}
MANDATORY: Final[dict[Kind, tuple[str, ...]]] = {
    **{name: kind.mandatory for name, kind in RECORD_KINDS.items()},
    "orders": MANDATORY_ORDER_FIELDS,
    "relationships": MANDATORY_RELATIONSHIP_FIELDS,
}


def import_file(
    engine: Engine,
    kind: Kind,
    paths: Sequence[Path],
    options: ImportOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ImportSummary:
    """Import files of accounts, products, order lines, relationships or deals, one after the other.

    The same file twice changes nothing the second time. Rows that are refused are written to the rejects file.
    Raises, before anything is written, UnreadableFile, MissingColumn or InvalidImportOption; while it goes on,
    UnreadableFile or TooManyRejects: then whole batches that were written before stay.
    """
    options = options or ImportOptions()
    check_schema(engine)
    begun = time.monotonic()
    opened = [_check(open_source(path), kind, options) for path in paths]
    summary = ImportSummary(kind)
    with closing(Rejects(options.rejects, paths)) as rejects:
        for source, columns in opened:
            intake = ImportRun(source, columns, options, summary, rejects, progress or (lambda _: None))
            summary.ignored_columns[source.path] = intake.ignored_columns()
            try:
                _import_one(engine, kind, intake, clock())
            except UnreadableFile as error:
                error.summary = summary
                raise
            finally:
                summary.seconds = time.monotonic() - begun
    return summary


def _check(source: Source, kind: Kind, options: ImportOptions) -> tuple[Source, dict[str, str]]:
    return source, check_columns(source, FIELDS[kind], MANDATORY[kind], options)


def _import_one(engine: Engine, kind: Kind, intake: ImportRun, now: datetime) -> None:
    if kind == "orders":
        import_orders(engine, intake, now)
    elif kind == "relationships":
        import_relationships(engine, intake, now)
    else:
        import_records(engine, intake, RECORD_KINDS[kind], now)
