"""Writes and reads the ledger."""

import struct
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from service.decisions.errors import UnknownDecision
from service.decisions.tables import DecisionRow
from service.ingestion.queries import insert_new, sqlite_time

COLUMNS: Final = ("decision_id", "account_id", "decided_at", "key_id", "request", "answer")
PIECE_ROWS: Final = 100
"""How many decisions are laid out in one go: about a fifth of a millisecond, for which requests may have to wait."""
BREATH_SECONDS: Final = 0.0001


class Decided(NamedTuple):
    """One decision. request and answer: JSON, the answer as it was sent."""

    decision_id: str
    account_id: str | None
    decided_at: datetime
    key_id: str | None
    request: bytes
    answer: bytes


Row = tuple[str, str | None, datetime, str | None, bytes, bytes]
"""The same as a plain tuple, which is made in a fifth of the time."""


def write_new_decisions(connection: Connection, rows: Sequence[Row]) -> None:
    """Write decisions on the database's fast path. PostgreSQL raises IntegrityError if one is there already."""
    write = _insert_rows if connection.dialect.name == "sqlite" else _copy_rows
    write(connection, rows)


def write_missing_decisions(connection: Connection, rows: Sequence[Row]) -> None:
    """Write decisions; those that are there already are passed over."""
    is_sqlite = connection.dialect.name == "sqlite"
    texts = [
        (
            decision_id,
            _storable(account_id),
            sqlite_time(decided_at) if is_sqlite else decided_at,
            key_id,
            request.decode(errors="replace"),
            answer.decode(errors="replace"),
        )
        for decision_id, account_id, decided_at, key_id, request, answer in rows
    ]
    insert_new(connection, ("decisions", COLUMNS[:1], COLUMNS[1:]), texts)


def _storable(account_id: str | None) -> str | None:
    # PostgreSQL has no NUL in texts. No stored account has one in its identifier either.
    return account_id.replace("\0", "\ufffd") if account_id else account_id


def _pieces(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    return (rows[start : start + PIECE_ROWS] for start in range(0, len(rows), PIECE_ROWS))


# --- SQLite ----------------------------------------------------------------------------------------------------------

# Bytes are bound as they are, and read as UTF-8 by the database, outside of Python's lock.
_MARKS: Final = "(?, ?, ?, ?, CAST(? AS TEXT), CAST(? AS TEXT))"


def _insert_rows(connection: Connection, rows: Sequence[Row]) -> None:
    """One statement per piece. ``executemany`` would take and leave Python's lock for each row, and so keep it."""
    for piece in _pieces(rows):
        marks = ", ".join([_MARKS] * len(piece))
        values = chain.from_iterable(
            (decision_id, _storable(account_id), sqlite_time(decided_at), key_id, request, answer)
            for decision_id, account_id, decided_at, key_id, request, answer in piece
        )
        statement = f"INSERT INTO decisions ({', '.join(COLUMNS)}) VALUES {marks} ON CONFLICT DO NOTHING"  # noqa: S608
        connection.exec_driver_sql(statement, tuple(values))


# --- PostgreSQL ------------------------------------------------------------------------------------------------------

_COPY: Final = f"COPY decisions ({', '.join(COLUMNS)}) FROM STDIN (FORMAT binary, ENCODING 'UTF8')"
_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END: Final = struct.pack("!h", -1)
_NULL: Final = struct.pack("!i", -1)
_N_FIELDS: Final = struct.pack("!h", len(COLUMNS))
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_length = struct.Struct("!i").pack
_time = struct.Struct("!iq").pack


def _copy_rows(connection: Connection, rows: Sequence[Row]) -> None:
    """COPY in the binary format (PostgreSQL's manual, COPY): the bytes that were sent go in untouched."""
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.write(_SIGNATURE)
        for piece in _pieces(rows):
            copy.write(b"".join(map(_laid_out, piece)))
            # The driver need not wait for the network here; without a pause requests would wait for all pieces.
            time.sleep(BREATH_SECONDS)
        copy.write(_END)


def _laid_out(row: Row) -> bytes:
    decision_id, account_id, decided_at, key_id, request, answer = row
    return b"".join(
        (
            _N_FIELDS,
            _field(decision_id.encode()),
            _text(_storable(account_id)),
            _time(8, (decided_at - _EPOCH) // _MICROSECOND),
            _text(key_id),
            _field(request),
            _field(answer),
        )
    )


def _text(value: str | None) -> bytes:
    return _NULL if value is None else _field(value.encode(errors="replace"))


def _field(value: bytes) -> bytes:
    return _length(len(value)) + value


# --- reading ---------------------------------------------------------------------------------------------------------


def find_decision(session: Session, decision_id: str) -> DecisionRow:
    """One decision; raises UnknownDecision."""
    found = session.get(DecisionRow, decision_id)
    if found is None:
        raise UnknownDecision(decision_id)
    return found


def decisions_of(session: Session, account_id: str, before: str | None, limit: int) -> Sequence[DecisionRow]:
    """An account's decisions, newest first, from the one before ``before`` on."""
    query = select(DecisionRow).where(DecisionRow.account_id == account_id)
    if before is not None:
        query = query.where(DecisionRow.decision_id < before)
    return session.scalars(query.order_by(DecisionRow.decision_id.desc()).limit(limit)).all()
