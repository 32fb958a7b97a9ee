"""The SQL of segments."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, func, insert, select, update

from models.artifact import Content
from service.accounts.tables import Account
from service.readmodel.errors import UnknownSegment
from service.readmodel.policy_accounts import learned_segments
from service.readmodel.ranked_accounts import Definition
from service.readmodel.rule_grammar import BoundedRule
from service.readmodel.segment_membership import STRATEGIC
from service.segments.errors import SegmentExists, TooManySegments
from service.segments.tables import DefinedSegment
from service.storage.bulk import in_chunks

MAX_DEFINED: Final = 200
RULE: Final[TypeAdapter[Any]] = TypeAdapter(BoundedRule)


def read_definitions(connection: Connection, segment_ids: Sequence[str] | None = None) -> list[Definition]:
    """Return some of the segments that users defined, or all."""
    query = select(DefinedSegment.__table__).order_by(DefinedSegment.segment_id)
    if segment_ids is not None:
        query = query.where(DefinedSegment.segment_id.in_(segment_ids))
    return [
        Definition(row.segment_id, row.name, row.description, RULE.validate_python(row.rule), row.updated_at)
        for row in connection.execute(query)
    ]


def known_segments(connection: Connection, content: Content | None) -> set[str]:
    """Return the segments that there are. content: of the artifact in use; None while there is none."""
    learned = () if content is None else learned_segments(content)
    return {STRATEGIC, *learned, *(definition.id for definition in read_definitions(connection))}


def add_segment(connection: Connection, definition: Definition, by: str, now: datetime) -> None:
    """Store a segment; raises SegmentExists or TooManySegments."""
    if read_definitions(connection, [definition.id]):
        raise SegmentExists(definition.id)
    if (connection.scalar(select(func.count()).select_from(DefinedSegment)) or 0) >= MAX_DEFINED:
        raise TooManySegments(MAX_DEFINED)
    times = {"created_at": now, "created_by": by, "updated_at": now, "updated_by": by}
    connection.execute(insert(DefinedSegment), {"segment_id": definition.id, **_columns(definition), **times})


def replace_segment(connection: Connection, definition: Definition, by: str, now: datetime) -> None:
    """Store a segment in place of the one of its id; raises UnknownSegment."""
    times = {"updated_at": now, "updated_by": by}
    query = update(DefinedSegment).where(DefinedSegment.segment_id == definition.id)
    if connection.execute(query.values(**_columns(definition), **times)).rowcount == 0:
        raise UnknownSegment(definition.id)


def remove_segment(connection: Connection, segment_id: str) -> None:
    """Delete a segment; raises UnknownSegment."""
    if connection.execute(delete(DefinedSegment).where(DefinedSegment.segment_id == segment_id)).rowcount == 0:
        raise UnknownSegment(segment_id)


def _columns(definition: Definition) -> dict[str, Any]:
    rule = RULE.dump_python(definition.rule, mode="json", by_alias=True, exclude_none=True)
    return {"name": definition.name, "description": definition.description, "rule": rule}


def read_attributes(
    connection: Connection, account_ids: Sequence[str] | None = None
) -> Mapping[str, Mapping[str, Any]]:
    """Return what is stored under attributes of some accounts, or of all; those without any may be left out."""
    query = select(Account.account_id, Account.attributes)
    if account_ids is None:
        return {account_id: attributes for account_id, attributes in connection.execute(query) if attributes}
    return {
        account_id: attributes
        for chunk in in_chunks(account_ids)
        for account_id, attributes in connection.execute(query.where(Account.account_id.in_(chunk)))
    }
