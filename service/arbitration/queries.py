"""The SQL of arbitration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from service.arbitration.tables import RankingVersion, StoredRanking
from service.storage.versions import Version, note_version

NAME: Final = "arbitration"


@dataclass(frozen=True)
class Stored:
    """What is stored in place of the settings."""

    definition: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0
    updated_at: datetime | None = None
    updated_by: str | None = None


def read_stored(connection: Connection) -> Stored:
    """Return what is stored."""
    row = connection.execute(select(StoredRanking.__table__)).one_or_none()
    return Stored() if row is None else Stored(row.definition, row.version, row.updated_at, row.updated_by)


def change_stored(
    connection: Connection, before: Stored, definition: Mapping[str, Any], by: str, now: datetime
) -> Stored:
    """Store the next version, unless nothing is different."""
    if definition == before.definition:
        return before
    after = Stored(definition, before.version + 1, now, by)
    values = {"definition": dict(definition), "version": after.version, "updated_at": now, "updated_by": by}
    if before.version:
        connection.execute(update(StoredRanking).values(**values))
    else:
        connection.execute(insert(StoredRanking), {"name": NAME, **values})
    change = Version(after.version, now, by, before.definition if before.version else None, definition)
    note_version(connection, RankingVersion.name, NAME, change)
    return after
