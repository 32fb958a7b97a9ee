"""Files that hold everything: what they lack is gone."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, Select

from service.base.errors import DomainError
from service.rows.chunks import Chunk
from service.rows.import_memory import PresentIds
from service.rows.import_run import ImportRun, import_transaction
from service.rows.summary import ImportSummary
from service.rows.text_fields import read_identifier
from service.rows.validation import RowErrors
from service.storage.changes import ChangeKind, ChangeLog
from service.storage.turns import hold_off_erasures

PERCENT: Final = 100


class TooManyRemovals(DomainError):
    """Files lack more of what is stored than may go without being asked for."""

    code = "too-many-removals"

    def __init__(self, what: str, allowed: str, summary: ImportSummary) -> None:
        self.summary = summary
        """What was imported before."""
        super().__init__(f"{what}. Nothing was removed; what the files hold is stored. {allowed}")


def refuse_too_many(what: str, count: int, total: int, import_run: ImportRun, advice: str = "") -> None:
    """Raise TooManyRemovals if more than the allowed share would go; in a dry run, only warn of it."""
    options, summary = import_run.options, import_run.summary
    if count <= options.allow_removals * total:
        return
    wanted = min(-(-count * PERCENT // total), PERCENT) / PERCENT
    excess = (
        f"{count:,} of {total:,} {what} ({count / total:.0%}), since the files lack them; only "
        f"{options.allow_removals:.0%} may go"
    )
    allowed = f"If they are whole, run the import again with --allow-removals {wanted:g}{advice}."
    if not options.is_dry_run:
        raise TooManyRemovals(excess, allowed, summary)
    summary.warnings.append(f"{excess}, so nothing would be removed. {allowed}")


def remove_missing(
    engine: Engine,
    import_run: ImportRun,
    now: datetime,
    kind: ChangeKind,
    stored: Callable[[], Select[str]],
    remove: Callable[[Connection, Sequence[str], datetime], None],
    gone: str,
    would_be: str,
) -> None:
    """With ``--complete``, remove the records that no file holds, in one transaction; raises TooManyRemovals.

    stored: selects the identifiers of the records that may go.
    gone:   what becomes of them, for the summary.
    would_be: what would become of too many.
    """
    options, notes = import_run.options, import_run.summary.counted_notes
    present = import_run.memory.part(PresentIds)
    if not options.is_complete:
        return
    if present.n_unknown:
        text = "rows have no readable identifier, so nothing was removed that the files lack (--complete)"
        notes.add(text, present.n_unknown, is_warning=True)
        return
    with import_transaction(engine, options) as connection:
        hold_off_erasures(connection)
        ids = sorted(connection.scalars(stored()))
        missing = present.missing(ids)
        refuse_too_many(would_be, len(missing), len(ids), import_run)
        remove(connection, missing, now)
        changes = ChangeLog()
        changes.touch(kind, missing)
        changes.write(connection, now)
    notes.add(gone.format(were=options.were), len(missing), "".join(missing[:1]))


def note_present(
    import_run: ImportRun, key: str, chunk: Chunk, records: Sequence[dict[str, Any]], row_errors: RowErrors
) -> None:
    """Note the records that a chunk holds. Refused rows count: what they describe is not gone."""
    present = import_run.memory.part(PresentIds)
    present.add({record[key] for record in records})
    present.n_unknown += len(chunk.unreadable)
    values = chunk.columns.get(import_run.columns[key]) or [None] * len(chunk.lines)
    refused = [_identifier(values[row]) for row in row_errors]
    present.n_unknown += refused.count(None)
    present.add({identifier for identifier in refused if identifier is not None})


def _identifier(value: object) -> str | None:
    try:
        return read_identifier(value)
    except ValueError:
        return None
