"""Writes the decision log."""

import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, insert, select

from service.base.ids import new_decision_id
from service.decisions.binary_copy import copy_rows
from service.decisions.tables import DecisionBlock, DecisionRow
from service.offers.respond import Recorded, RecordedOffer
from service.storage.bulk import in_chunks, insert_new, sqlite_time
from service.storage.changes import ChangeKind

COLUMNS: Final = (
    "decision_id", "account_id", "decided_at", "key_id", "channel", "placement", "block_id", "start", "middle", "stop",
)  # fmt: skip
TIME_PLACE: Final = COLUMNS.index("decided_at")
OFFER_COLUMNS: Final = (
    "decision_id", "rank", "product_id", "line", "category", "source", "propensity", "value_minor", "context", "lever",
    "priority", "selection_probability",
)  # fmt: skip
DECISIONS_CHANGED: Final = ChangeKind("decisions")
"""Identifiers of accounts that were offered something, while a policy counts that."""
CERTAIN: Final = 1.0
"""The probability of what no chance decides."""
BLOCK_ROWS: Final = 200
"""How many decisions are compressed together, and written by one statement; reading one of them takes 1 ms."""
FASTEST: Final = 1
"""The level of compression: answers repeat so much that it makes an eighth of them; the best makes a tenth."""
MAX_STATEMENT_VALUES: Final = 30_000
"""SQLite takes 32,766 in one statement."""


class Decided(NamedTuple):
    """One decision. request and answer: JSON, the bytes that came and the bytes that were sent."""

    decision_id: str
    account_id: str | None
    decided_at: datetime
    key_id: str | None
    request: bytes
    answer: bytes


Row = tuple[Any, ...]
"""A row of ``decisions`` or ``decision_offers``, in the order of their columns."""


def write_new_decisions(connection: Connection, decisions: Sequence[Recorded]) -> None:
    """Write decisions on the database's fast path. PostgreSQL raises IntegrityError if one is there already."""
    blocks, offers = _write_blocks(connection, decisions), _offer_rows(decisions)
    if connection.dialect.name != "sqlite":
        # After the blocks: a COPY has the connection to itself.
        copy_rows(connection, "decisions", COLUMNS, list(blocks))
        copy_rows(connection, "decision_offers", OFFER_COLUMNS, [offers])
        return
    for placed in blocks:
        _insert_rows(connection, "decisions", COLUMNS, placed)
    _insert_rows(connection, "decision_offers", OFFER_COLUMNS, offers)


def write_missing_decisions(connection: Connection, decisions: Sequence[Recorded]) -> None:
    """Write decisions; those that are there already are passed over, so that no block holds them a second time."""
    known = select(DecisionRow.decision_id)
    stored = {
        decision_id
        for ids in in_chunks([decision.decision_id for decision in decisions])
        for decision_id in connection.scalars(known.where(DecisionRow.decision_id.in_(ids)))
    }
    missing = [decision for decision in decisions if decision.decision_id not in stored]
    placed = list(chain.from_iterable(_write_blocks(connection, missing)))
    if connection.dialect.name == "sqlite":
        placed = _with_sqlite_times(placed)
    insert_new(connection, ("decisions", COLUMNS[:1], COLUMNS[1:]), placed)
    insert_new(connection, ("decision_offers", OFFER_COLUMNS[:2], OFFER_COLUMNS[2:]), _offer_rows(missing))


def _write_blocks(connection: Connection, decisions: Sequence[Recorded]) -> Iterator[list[Row]]:
    """Write what decisions said, block by block, and yield the rows of ``decisions`` of each."""
    for first in range(0, len(decisions), BLOCK_ROWS):
        chunk = decisions[first : first + BLOCK_ROWS]
        block_id = new_decision_id(max(decision.decided_at for decision in chunk))
        placed: list[Row] = []
        start = 0
        for each in chunk:
            middle = start + len(each.request)
            stop = middle + len(each.answer)
            named = _storable(each.channel), _storable(each.placement)
            account_id = _storable(each.account_id)
            placed.append(
                (each.decision_id, account_id, each.decided_at, each.key_id, *named, block_id, start, middle, stop)
            )
            start = stop
        # Outside of Python's lock.
        body = zlib.compress(b"".join([part for each in chunk for part in (each.request, each.answer)]), FASTEST)
        connection.execute(insert(DecisionBlock), {"block_id": block_id, "body": body})
        yield placed


def _storable(text: str | None) -> str | None:
    # PostgreSQL has no NUL in texts. No stored account has one in its identifier either.
    return text.replace("\0", "\ufffd") if text else text


def _offer_rows(decisions: Sequence[Recorded]) -> list[Row]:
    return [_offer_row(each, offer) for each in decisions for offer in each.offers]


def _offer_row(decision: Recorded, offer: RecordedOffer) -> Row:
    rank, product_id, source, *factors = offer
    product = decision.product(product_id)
    described = (product_id, product.line or None, product.category or None, source)
    return (decision.decision_id, rank, *described, *factors, CERTAIN)


def _with_sqlite_times(rows: Sequence[Row]) -> list[Row]:
    times = {decided_at: sqlite_time(decided_at) for decided_at in {row[TIME_PLACE] for row in rows}}
    return [(*row[:TIME_PLACE], times[row[TIME_PLACE]], *row[TIME_PLACE + 1 :]) for row in rows]


def _insert_rows(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Many rows by one statement. ``executemany`` would take and leave Python's lock for each row, and so keep it."""
    if "decided_at" in columns:
        rows = _with_sqlite_times(rows)
    marks = f"({', '.join('?' * len(columns))})"
    n_together = MAX_STATEMENT_VALUES // len(columns)
    for begin in range(0, len(rows), n_together):
        part = rows[begin : begin + n_together]
        named = f"INSERT INTO {table} ({', '.join(columns)})"
        statement = f"{named} VALUES {', '.join([marks] * len(part))} ON CONFLICT DO NOTHING"
        connection.exec_driver_sql(statement, tuple(chain.from_iterable(part)))
