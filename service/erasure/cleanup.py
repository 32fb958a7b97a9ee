"""What is done after erasures: late decisions are deleted, and hashes that nothing needs any more."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, select, update

from service.base.ids import first_decision_id
from service.decisions.queries import erase_decisions
from service.decisions.tables import DecisionRow
from service.tombstones.digests import read_digests
from service.tombstones.tables import Tombstone

SETTLED: Final = timedelta(minutes=1)
"""Workers that decided for an account before they knew of its erasure have written that by then."""
LATEST: Final = timedelta(seconds=5)
EARLIEST: Final = timedelta(hours=1)
"""A decision may have waited for the database for so long."""
MIN_KEPT: Final = timedelta(days=30)
"""A training that began before an erasure may publish its artifact after it."""


def sweep_late_decisions(connection: Connection, now: datetime) -> int:
    """Delete decisions that were made before their worker knew of an erasure, and were written after it.

    Returns the number of erasures that are settled by that.
    """
    unswept = connection.execute(
        select(Tombstone).where(~Tombstone.is_swept, Tombstone.erased_at < now - SETTLED)
    ).all()
    for row in unswept:
        begin, end = first_decision_id(row.erased_at - EARLIEST), first_decision_id(row.erased_at + SETTLED)
        recent = select(DecisionRow.account_id).where(
            DecisionRow.decision_id >= begin, DecisionRow.decision_id < end, DecisionRow.account_id.is_not(None)
        )
        named = [account_id for account_id in connection.scalars(recent.distinct()) if account_id is not None]
        for account_id in read_digests(connection).matching(named, [row.digest]):
            erase_decisions(connection, account_id, row.erased_at + LATEST)
        connection.execute(update(Tombstone).where(Tombstone.digest == row.digest).values(is_swept=True))
    return len(unswept)


def delete_unneeded_tombstones(connection: Connection, sequences: Iterable[int | None], now: datetime) -> None:
    """Delete the hashes of accounts that no artifact holds any more. Objections are kept.

    sequences: of every artifact, the newest change that it was trained on; None where that is not known.
    """
    trained_on = [0 if sequence is None else sequence for sequence in sequences]
    is_unneeded = [Tombstone.is_swept, ~Tombstone.is_objecting, Tombstone.erased_at < now - MIN_KEPT]
    if trained_on:
        is_unneeded.append(Tombstone.sequence <= min(trained_on))
    connection.execute(delete(Tombstone).where(*is_unneeded))
