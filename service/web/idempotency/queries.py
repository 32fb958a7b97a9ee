"""Claims idempotency keys, and keeps the answers that were given under them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from fastapi import Response
from sqlalchemy import ColumnElement, Connection, Table, select, update

from service.storage.bulk import insert_into
from service.web.idempotency.errors import IdempotencyKeyReused
from service.web.idempotency.tables import IdempotentAnswer

REPLAYED_HEADER = "Idempotency-Replayed"
_TABLE: Final = cast(Table, IdempotentAnswer.__table__)


@dataclass(frozen=True)
class Claim:
    """One write under an idempotency key. fingerprint: a digest of all that makes the request what it is."""

    key_id: str
    idempotency_key: str
    fingerprint: str


def claim(connection: Connection, wanted: Claim, now: datetime) -> Response | None:
    """Claim a key, or return the answer that was given under it; raises IdempotencyKeyReused.

    The claim is of the caller's transaction. Who comes with the same key meanwhile waits for its end: PostgreSQL's
    unique index makes them, and SQLite has one writer at a time.
    """
    row = {**vars(wanted), "created_at": now}
    insert = insert_into(connection, _TABLE).on_conflict_do_nothing().returning(_TABLE.c.key_id)
    if connection.scalar(insert, row) is not None:
        return None
    stored = connection.execute(select(_TABLE).where(*_same(wanted))).one()
    if stored.fingerprint != wanted.fingerprint:
        raise IdempotencyKeyReused
    headers = {**stored.headers, REPLAYED_HEADER: "true"}
    return Response(stored.body, stored.status, headers)


def keep_answer(connection: Connection, claimed: Claim, response: Response) -> None:
    """Store the answer under its key, byte for byte, with its headers."""
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    values = {"status": response.status_code, "headers": headers, "body": bytes(response.body)}
    connection.execute(update(_TABLE).where(*_same(claimed)).values(values))


def _same(wanted: Claim) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _TABLE.c.key_id == wanted.key_id, _TABLE.c.idempotency_key == wanted.idempotency_key
