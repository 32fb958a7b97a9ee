"""Import curated relationships from files: a whole file in one transaction."""

from datetime import datetime
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import Engine

from service.catalogue.curation import Curation
from service.catalogue.schemas import RelationshipIn
from service.rows.chunks import Chunk, RowError
from service.rows.errors import UnreadableFile
from service.rows.formulas import plain_row
from service.rows.import_kind import ImportKind
from service.rows.import_run import ImportRun, import_transaction
from service.rows.validation import validate_rows
from service.storage.changes import ChangeLog

_AUTHOR: Final = "nextoffer import"
_RELATIONSHIPS: Final = TypeAdapter(list[RelationshipIn])


def import_relationships(engine: Engine, import_run: ImportRun, now: datetime) -> None:
    """Import the relationships of one file. What precedes an unreadable part of it is imported.

    Rows that contradict the catalogue or each other are refused. Learned upgrades are not checked: those that would
    close a circle with curated ones give way.
    """
    broken: UnreadableFile | None = None
    with import_transaction(engine, import_run.options) as connection:
        changes = ChangeLog()
        curation = Curation(connection, changes, now, lambda _: {})
        try:
            for chunk in import_run.chunks():
                _put(chunk, import_run, curation)
        except UnreadableFile as error:
            broken = error
        changes.write(connection, now)
    if broken:
        raise broken


def _put(chunk: Chunk, import_run: ImportRun, curation: Curation) -> None:
    good, row_errors = validate_rows(_RELATIONSHIPS, [plain_row(row) for row in import_run.rows(chunk)])
    outcomes = dict(zip(good, curation.put(list(good.values()), _AUTHOR), strict=True))
    refused = {index: (outcome,) for index, outcome in outcomes.items() if isinstance(outcome, RowError)}
    import_run.refuse(chunk, {**row_errors, **refused})
    statuses = [outcome for outcome in outcomes.values() if not isinstance(outcome, RowError)]
    import_run.summary.rows.add(statuses.count("created"), statuses.count("updated"), len(statuses))


RELATIONSHIP_IMPORT: Final = ImportKind(
    name="relationships",
    help="""Import curated relationships: source_product_id, target_product_id, relation, status, note, author.

    Reads what GET /v1/relationships/export gives. A row replaces all that was curated of its pair; status is added if
    left out, and mined withdraws the curation. A file goes in whole, or not at all.
    """,
    fields=tuple(RelationshipIn.model_fields),
    mandatory=("source_product_id", "target_product_id", "relation"),
    import_rows=import_relationships,
)
