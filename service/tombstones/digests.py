"""Keyed hashes of account identifiers."""

import secrets
from collections.abc import Collection, Iterable
from hashlib import blake2b
from typing import Final

from sqlalchemy import Connection, insert, select

from models.artifact.ids import hash_identifier
from service.readmodel.visible_accounts import VisibleAccounts, bucket_of
from service.tombstones.tables import TombstoneKey

SECRET_BYTES: Final = 32
_DIGEST_BYTES: Final = 16


class Digests:
    """Hashes identifiers with one database's secret.

    A digest is ``BUCKET-HASH``. The bucket, 12 bits of the hash by which artifacts sort their identifiers, lets an
    account be found among millions without hashing all of them.
    """

    def __init__(self, secret: str) -> None:
        self._state = blake2b(key=bytes.fromhex(secret), digest_size=_DIGEST_BYTES)

    def digest_of(self, account_id: str) -> str:
        """Return the digest of an identifier."""
        return f"{bucket_of(hash_identifier(account_id)):03x}-{self._keyed(account_id)}"

    def _keyed(self, account_id: str) -> str:
        state = self._state.copy()
        state.update(account_id.encode())
        return state.hexdigest()

    def matching(self, account_ids: Iterable[str], digests: Collection[str]) -> set[str]:
        """Return those identifiers whose digests are among some."""
        keyed = {digest.partition("-")[2] for digest in digests}
        return {account_id for account_id in account_ids if self._keyed(account_id) in keyed} if keyed else set()

    def matching_rows(self, accounts: VisibleAccounts, digests: Iterable[str]) -> set[int]:
        """Return the rows of an artifact whose identifiers have one of some digests."""
        rows: set[int] = set()
        for digest in digests:
            bucket, _, keyed = digest.partition("-")
            candidates = accounts.rows_in_bucket(int(bucket, 16))
            rows.update(row for row in candidates if self._keyed(accounts.texts[row]) == keyed)
        return rows


def read_digests(connection: Connection) -> Digests:
    """Return the hashes of a database in which an account was erased before."""
    return Digests(connection.execute(select(TombstoneKey.secret)).scalar_one())


def digests_to_erase_with(connection: Connection) -> Digests:
    """Return the hashes of this database; the first erasure draws the secret. Call ``wait_for_writers`` first."""
    if connection.scalar(select(TombstoneKey.secret)) is None:
        connection.execute(insert(TombstoneKey), {"secret": secrets.token_hex(SECRET_BYTES)})
    return read_digests(connection)
