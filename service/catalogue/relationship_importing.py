"""Import a file of what people say of relationships: all of it in one transaction."""

from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Engine

from service.catalogue.curation import Curation
from service.catalogue.schemas import RelationshipIn
from service.rows.chunks import Chunk, RowError
from service.rows.errors import UnreadableFile
from service.rows.formulas import plain
from service.rows.import_run import ImportRun
from service.rows.validation import validate_rows
from service.storage.changes import ChangeLog

RELATIONSHIP_FIELDS: Final = tuple(RelationshipIn.model_fields)
MANDATORY_RELATIONSHIP_FIELDS: Final = ("source_product_id", "target_product_id", "relation")
_AUTHOR: Final = "nextoffer import"
_RELATIONSHIPS: Final = TypeAdapter(list[RelationshipIn])


def import_relationships(engine: Engine, intake: ImportRun, now: datetime) -> None:
    """Import the relationships of one file. What precedes an unreadable part of it is imported.

    Rows that contradict the catalogue or each other are refused. Upgrades that were learned are not asked: those that
    would lead round in a circle with what people say give way.
    """
    broken: UnreadableFile | None = None
    with engine.begin() as connection:
        changes = ChangeLog()
        curation = Curation(connection, changes, now, lambda _: {})
        try:
            for chunk in intake.chunks():
                _put(chunk, intake, curation)
        except UnreadableFile as error:
            broken = error
        changes.write(connection, now)
    if broken:
        raise broken


def _put(chunk: Chunk, intake: ImportRun, curation: Curation) -> None:
    good, faults = validate_rows(_RELATIONSHIPS, [_plain(row) for row in intake.rows(chunk)])
    outcomes = dict(zip(good, curation.put(list(good.values()), _AUTHOR), strict=True))
    refused = {index: (outcome,) for index, outcome in outcomes.items() if isinstance(outcome, RowError)}
    intake.refuse(chunk, {**faults, **refused})
    statuses = [outcome for outcome in outcomes.values() if not isinstance(outcome, RowError)]
    intake.summary.rows.add(statuses.count("created"), statuses.count("updated"), len(statuses))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: plain(cell) for name, cell in row.items()}
