"""Import files: ``import_file`` is what the command line and the demo call."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from service.imports.registry import IMPORT_KINDS
from service.rows.chunks import Progress
from service.rows.errors import UnreadableFile
from service.rows.format_detection import detect_formats
from service.rows.import_memory import ImportMemory
from service.rows.import_run import ImportRun
from service.rows.options import ImportOptions
from service.rows.readers import open_source
from service.rows.rejects import Rejects
from service.rows.summary import ImportSummary
from service.storage.database import check_schema


def import_file(
    engine: Engine,
    kind_name: str,
    paths: Sequence[Path],
    options: ImportOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ImportSummary:
    """Import files of one kind (see ``IMPORT_KINDS``), one after the other.

    The same file twice changes nothing the second time. Rows that are refused are written to the rejects file.
    Raises, before anything is written, UnreadableFile, MissingColumn or InvalidImportOption; while it goes on,
    UnreadableFile or TooManyRejects: then whole batches that were written before stay.
    """
    kind, options = IMPORT_KINDS[kind_name], options or ImportOptions()
    check_schema(engine)
    started = time.monotonic()
    sources = [open_source(path, options.layout) for path in paths]
    columns = [kind.check_columns(source, options) for source in sources]
    formats = [
        detect_formats(source, columns_of_source, kind.kinds, options.formats)
        for source, columns_of_source in zip(sources, columns, strict=True)
    ]
    summary, memory = ImportSummary(kind.name, kind.row_noun), ImportMemory()
    with closing(Rejects(options.rejects, paths)) as rejects, closing(memory):
        for source, columns_of_source, written in zip(sources, columns, formats, strict=True):
            show = progress or (lambda _: None)
            import_run = ImportRun(source, columns_of_source, options, summary, rejects, show, written, memory)
            summary.columns[source.path] = columns_of_source
            summary.ignored_columns[source.path] = import_run.ignored_columns()
            try:
                kind.import_rows(engine, import_run, clock())
            except UnreadableFile as error:
                error.summary = summary
                raise
            finally:
                summary.seconds = time.monotonic() - started
        if kind.finish:
            kind.finish(engine, import_run, clock())
            summary.seconds = time.monotonic() - started
    return summary
