"""Objections to marketing outlast an erasure: an account that comes back goes on objecting until it grants."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import Boolean, Column, Connection, MetaData, Table, Text, select, update

from service.storage.bulk import add_stubs, in_chunks
from service.storage.changes import ChangeKind, ChangeLog
from service.storage.database import UtcDateTime
from service.tombstones.digests import read_digests
from service.tombstones.tables import Tombstone

CONSENT_CHANGED: Final = ChangeKind("consent")
"""Identifiers of accounts."""
ORIGIN: Final = "objected before it was erased"
# Whoever adds accounts recalls objections, so that the accounts' own table can't be imported here.
_CONSENTS: Final = Table(
    "consents",
    MetaData(),
    Column("account_id", Text, primary_key=True),
    Column("is_objecting", Boolean),
    Column("origin", Text),
    Column("updated_at", UtcDateTime),
)


def recall_objections(connection: Connection, account_ids: Iterable[str], now: datetime, changes: ChangeLog) -> None:
    """Note the objections of accounts that objected, were erased, and are stored again by this transaction."""
    objecting = set(connection.scalars(select(Tombstone.digest).where(Tombstone.is_objecting)))
    returned = read_digests(connection).matching(account_ids, objecting) if objecting else set()
    if not returned:
        return
    rows = [{"account_id": key, "is_objecting": True, "origin": ORIGIN, "updated_at": now} for key in returned]
    add_stubs(connection, _CONSENTS, rows)
    changes.touch(CONSENT_CHANGED, returned)
    digest_of = read_digests(connection).digest_of
    for chunk in in_chunks([digest_of(account_id) for account_id in sorted(returned)]):
        # From here on the account's own row tells.
        connection.execute(update(Tombstone).where(Tombstone.digest.in_(chunk)).values(is_objecting=False))
