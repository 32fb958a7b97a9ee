"""Every version that there was of what operators store: who changed it, when, and what it was before and after."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import JSON, Connection, Text, func, insert, select
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from service.base.pagination import ROW, cut_page, decode_cursor
from service.storage.database import UtcDateTime


class VersionColumns:
    """The columns of one change, beside the identifier, which comes first in the key.

    before, after: null for what was not there. Versions go on counting when an identifier is used again.
    """

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class Version(NamedTuple):
    """One change; see ``VersionColumns``. changed_by: the id of the API key, or what else it is that writes."""

    version: int
    changed_at: datetime
    changed_by: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


def last_version(connection: Connection, key: InstrumentedAttribute[str], identifier: str) -> int:
    """Return the number of an identifier's last version, 0 without any. key: the identifier's column."""
    version: InstrumentedAttribute[int] = key.class_.version
    return connection.scalar(select(func.max(version)).where(key == identifier)) or 0


def note_version(connection: Connection, key: InstrumentedAttribute[str], identifier: str, version: Version) -> None:
    """Store one change. key: the identifier's column."""
    connection.execute(insert(key.class_), {key.key: identifier, **version._asdict()})


def page_of_versions(
    connection: Connection, key: InstrumentedAttribute[str], identifier: str, cursor: str | None, limit: int
) -> tuple[Sequence[Any], str | None]:
    """Return a page of an identifier's changes, the newest first, and the next cursor; raises InvalidCursor.

    key: the identifier's column. Without any change, the identifier may have been stored before there were versions.
    """
    list_name = (key.class_.__tablename__.replace("_", "-"), identifier)
    before = decode_cursor(cursor, list_name, ROW)
    version: InstrumentedAttribute[int] = key.class_.version
    query = select(key.class_.__table__).where(key == identifier)
    if before is not None:
        query = query.where(version < before)
    rows = connection.execute(query.order_by(version.desc()).limit(limit + 1)).all()
    return cut_page(rows, limit, list_name, lambda row: row.version)
