"""Writes and reads the decision log."""

import struct
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, delete, insert, select, update
from sqlalchemy.orm import Session

from service.base.ids import new_decision_id
from service.decisions.errors import UnknownDecision
from service.decisions.tables import DecisionBlock, DecisionRow
from service.storage.bulk import in_chunks, insert_new, sqlite_time

COLUMNS: Final = ("decision_id", "account_id", "decided_at", "key_id", "block_id", "start", "middle", "stop")
BLOCK_ROWS: Final = 200
"""How many decisions are compressed together, and written by one statement; reading one of them takes 1 ms."""
FASTEST: Final = 1
"""The level of compression: answers repeat so much that it makes an eighth of them; the best makes a tenth."""
BREATH_SECONDS: Final = 0.0001


class Decided(NamedTuple):
    """One decision. request and answer: JSON, the bytes that came and the bytes that were sent."""

    decision_id: str
    account_id: str | None
    decided_at: datetime
    key_id: str | None
    request: bytes
    answer: bytes


Row = tuple[str, str | None, datetime, str | None, bytes, bytes]
"""The same as a plain tuple, which is made in a fifth of the time."""


Placed = tuple[str, str | None, datetime, str | None, str, int, int, int]
"""A decision as the database keeps it: see ``DecisionRow``."""


def write_new_decisions(connection: Connection, rows: Sequence[Row]) -> None:
    """Write decisions on the database's fast path. PostgreSQL raises IntegrityError if one is there already."""
    write = _insert_rows if connection.dialect.name == "sqlite" else _copy_rows
    write(connection, _write_blocks(connection, rows))


def write_missing_decisions(connection: Connection, rows: Sequence[Row]) -> None:
    """Write decisions; those that are there already are passed over, so that no block holds them a second time."""
    known = select(DecisionRow.decision_id)
    stored = {
        decision_id
        for ids in in_chunks([row[0] for row in rows])
        for decision_id in connection.scalars(known.where(DecisionRow.decision_id.in_(ids)))
    }
    placed: Any = chain.from_iterable(_write_blocks(connection, [row for row in rows if row[0] not in stored]))
    if connection.dialect.name == "sqlite":
        placed = ((*row[:2], sqlite_time(row[2]), *row[3:]) for row in placed)
    insert_new(connection, ("decisions", COLUMNS[:1], COLUMNS[1:]), list(placed))


def _write_blocks(connection: Connection, rows: Sequence[Row]) -> Iterator[list[Placed]]:
    """Write what decisions said, block by block, and yield where each of a block's decisions is in it."""
    for first in range(0, len(rows), BLOCK_ROWS):
        chunk = rows[first : first + BLOCK_ROWS]
        block_id = new_decision_id(max(row[2] for row in chunk))
        placed: list[Placed] = []
        start = 0
        for decision_id, account_id, decided_at, key_id, request, answer in chunk:
            middle = start + len(request)
            stop = middle + len(answer)
            placed.append((decision_id, _storable(account_id), decided_at, key_id, block_id, start, middle, stop))
            start = stop
        # Outside of Python's lock.
        body = zlib.compress(b"".join(chain.from_iterable([row[4:] for row in chunk])), FASTEST)
        connection.execute(insert(DecisionBlock), {"block_id": block_id, "body": body})
        yield placed


def _storable(account_id: str | None) -> str | None:
    # PostgreSQL has no NUL in texts. No stored account has one in its identifier either.
    return account_id.replace("\0", "\ufffd") if account_id else account_id


# --- SQLite ----------------------------------------------------------------------------------------------------------

_MARKS: Final = f"({', '.join('?' * len(COLUMNS))})"


def _insert_rows(connection: Connection, blocks: Iterator[list[Placed]]) -> None:
    """One statement per block. ``executemany`` would take and leave Python's lock for each row, and so keep it."""
    for placed in blocks:
        times = {decided_at: sqlite_time(decided_at) for decided_at in {row[2] for row in placed}}
        values: list[Any] = []
        for row in placed:
            values += row
        values[2 :: len(COLUMNS)] = [times[decided_at] for decided_at in values[2 :: len(COLUMNS)]]
        marks = ", ".join([_MARKS] * len(placed))
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
_places = struct.Struct("!iiiiii").pack


def _copy_rows(connection: Connection, blocks: Iterator[list[Placed]]) -> None:
    """COPY in the binary format (PostgreSQL's manual, COPY), after the blocks: a COPY has the connection to itself."""
    chunks = list(blocks)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.write(_SIGNATURE)
        for chunk in chunks:
            copy.write(b"".join(map(_laid_out, chunk)))
            # The driver need not wait for the network here; without a pause requests would wait for all of it.
            time.sleep(BREATH_SECONDS)
        copy.write(_END)


def _laid_out(row: Placed) -> bytes:
    decision_id, account_id, decided_at, key_id, block_id, start, middle, stop = row
    return b"".join(
        (
            _N_FIELDS,
            _field(decision_id.encode()),
            _text(account_id),
            _time(8, (decided_at - _EPOCH) // _MICROSECOND),
            _text(key_id),
            _field(block_id.encode()),
            _places(4, start, 4, middle, 4, stop),
        )
    )


def _text(value: str | None) -> bytes:
    return _NULL if value is None else _field(value.encode(errors="replace"))


def _field(value: bytes) -> bytes:
    return _length(len(value)) + value


# --- erasing ---------------------------------------------------------------------------------------------------------


def erase_decisions(connection: Connection, account_id: str, until: datetime | None = None) -> int:
    """Delete an account's decisions, and what they said from the blocks that they share; return their number.

    until: only those that were decided up to this moment.
    """
    is_meant = [DecisionRow.account_id == account_id]
    if until is not None:
        is_meant.append(DecisionRow.decided_at <= until)
    parts: dict[str, list[tuple[int, int]]] = defaultdict(list)
    n_erased = 0
    for block_id, start, stop in connection.execute(
        select(DecisionRow.block_id, DecisionRow.start, DecisionRow.stop).where(*is_meant)
    ):
        parts[block_id].append((start, stop))
        n_erased += 1
    # In their order, so that two erasures can't wait for each other.
    for block_id in sorted(parts):
        _blank_out(connection, block_id, parts[block_id])
    connection.execute(delete(DecisionRow).where(*is_meant))
    return n_erased


def _blank_out(connection: Connection, block_id: str, parts: Sequence[tuple[int, int]]) -> None:
    """Overwrite parts of a block; the other decisions stay where they are in it."""
    is_block = DecisionBlock.block_id == block_id
    body = connection.scalar(select(DecisionBlock.body).where(is_block).with_for_update())
    if body is None:
        return  # deleted a moment ago, as its time was over
    block = bytearray(zlib.decompress(body))
    for start, stop in parts:
        block[start:stop] = b" " * (stop - start)
    connection.execute(update(DecisionBlock).where(is_block).values(body=zlib.compress(bytes(block), FASTEST)))


# --- reading ---------------------------------------------------------------------------------------------------------


def find_decision(session: Session, decision_id: str) -> Decided:
    """One decision; raises UnknownDecision."""
    decisions = list(_read(session, select(DecisionRow).where(DecisionRow.decision_id == decision_id)))
    if not decisions:
        raise UnknownDecision(decision_id)
    return decisions[0]


def decisions_of(session: Session, account_id: str, before: str | None, limit: int) -> Sequence[Decided]:
    """An account's decisions, newest first, from the one before ``before`` on."""
    query = select(DecisionRow).where(DecisionRow.account_id == account_id)
    if before is not None:
        query = query.where(DecisionRow.decision_id < before)
    return list(_read(session, query.order_by(DecisionRow.decision_id.desc()).limit(limit)))


def _read(session: Session, query: Select[DecisionRow]) -> Iterator[Decided]:
    rows = session.scalars(query).all()
    wanted = select(DecisionBlock.block_id, DecisionBlock.body).where(
        DecisionBlock.block_id.in_({row.block_id for row in rows})
    )
    blocks = {block_id: zlib.decompress(body) for block_id, body in session.execute(wanted)}
    for row in rows:
        block = blocks.get(row.block_id)
        if block is None:
            continue  # deleted a moment ago, as its time was over
        request, answer = block[row.start : row.middle], block[row.middle : row.stop]
        yield Decided(row.decision_id, row.account_id, row.decided_at, row.key_id, request, answer)
