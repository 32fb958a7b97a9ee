"""Reads and erases the decision log."""

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, select, update
from sqlalchemy.orm import Session

from service.decisions.errors import UnknownDecision
from service.decisions.tables import DecisionBlock, DecisionOffer, DecisionRow
from service.decisions.writing import FASTEST, Decided

_DECISIONS: Final = DecisionRow.__table__


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
    named = select(DecisionRow.decision_id).where(*is_meant)
    connection.execute(delete(DecisionOffer).where(DecisionOffer.decision_id.in_(named)))
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


def find_decision(session: Session, decision_id: str) -> Decided:
    """One decision; raises UnknownDecision."""
    decision = find_in(session.connection(), decision_id)
    if decision is None:
        raise UnknownDecision(decision_id)
    return decision


def find_in(connection: Connection, decision_id: str) -> Decided | None:
    """One decision; None where there is none."""
    return next(_read(connection, select(_DECISIONS).where(DecisionRow.decision_id == decision_id)), None)


def decisions_of(session: Session, account_id: str, before: str | None, limit: int) -> Sequence[Decided]:
    """An account's decisions, newest first, from the one before ``before`` on."""
    query = select(_DECISIONS).where(DecisionRow.account_id == account_id)
    if before is not None:
        query = query.where(DecisionRow.decision_id < before)
    return list(_read(session.connection(), query.order_by(DecisionRow.decision_id.desc()).limit(limit)))


def _read(connection: Connection, query: Select[Any]) -> Iterator[Decided]:
    rows = connection.execute(query).all()
    wanted = select(DecisionBlock.block_id, DecisionBlock.body).where(
        DecisionBlock.block_id.in_({row.block_id for row in rows})
    )
    blocks = {block_id: zlib.decompress(body) for block_id, body in connection.execute(wanted)}
    for row in rows:
        block = blocks.get(row.block_id)
        if block is None:
            continue  # deleted a moment ago, as its time was over
        request, answer = block[row.start : row.middle], block[row.middle : row.stop]
        yield Decided(row.decision_id, row.account_id, row.decided_at, row.key_id, request, answer)
