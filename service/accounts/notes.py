"""The SQL of what is noted of accounts: their goals and pain points."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast
from uuid import uuid4

from sqlalchemy import Connection, Table, delete, func, insert, select

from service.accounts.errors import TooManyNotes, UnknownAccount, UnknownNote
from service.accounts.note_schemas import AccountNote, AccountNoteIn
from service.accounts.tables import Account, StoredNote

MAX_NOTES: Final = 100
"""Of one account."""
_NOTES: Final = cast(Table, StoredNote.__table__)


def notes_of(connection: Connection, account_id: str) -> list[AccountNote]:
    """Return what is noted of an account, the newest first."""
    query = select(_NOTES).where(StoredNote.account_id == account_id)
    rows = connection.execute(query.order_by(StoredNote.noted_at.desc(), StoredNote.note_id)).mappings()
    return [AccountNote.model_validate(dict(row)) for row in rows]


def add_note(connection: Connection, account_id: str, note: AccountNoteIn, by: str, now: datetime) -> str:
    """Store a note and return its identifier; raises UnknownAccount or TooManyNotes. Call ``take_turn`` first."""
    if connection.scalar(select(Account.account_id).where(Account.account_id == account_id)) is None:
        raise UnknownAccount(account_id)
    n_stored = select(func.count()).select_from(StoredNote).where(StoredNote.account_id == account_id)
    if (connection.scalar(n_stored) or 0) >= MAX_NOTES:
        raise TooManyNotes(account_id, MAX_NOTES)
    note_id = str(uuid4())
    columns = note.model_dump() | {"noted_at": note.noted_at or now}
    row = {"note_id": note_id, "account_id": account_id, "created_at": now, "created_by": by}
    connection.execute(insert(StoredNote), row | columns)
    return note_id


def remove_note(connection: Connection, account_id: str, note_id: str) -> None:
    """Delete a note; raises UnknownNote."""
    is_named = (StoredNote.account_id == account_id, StoredNote.note_id == note_id)
    if connection.execute(delete(StoredNote).where(*is_named)).rowcount == 0:
        raise UnknownNote(account_id, note_id)


def remove_notes(connection: Connection, account_ids: Sequence[str]) -> None:
    """Delete all that is noted of some accounts."""
    connection.execute(delete(StoredNote).where(StoredNote.account_id.in_(account_ids)))
