"""Goals and pain points of accounts over HTTP."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends, Path, Response
from fastapi.exceptions import RequestValidationError

from service.accounts.live import NOTES_CHANGED
from service.accounts.note_schemas import AccountNote, AccountNoteIn, NoteStored
from service.accounts.notes import add_note, notes_of, remove_note
from service.accounts.paths import NOTE_PATH, NOTES_PATH
from service.auth.dependencies import require
from service.auth.keys import Principal, Scope
from service.base.pagination import Page
from service.rows.field_types import MAX_IDENTIFIER, NO_NUL
from service.storage.turns import NOTE_TURNS, take_turn
from service.web.dependencies import ReadSession
from service.web.parameters import AccountInPath
from service.web.routing import Router
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep

router = Router("accounts")
CLOCK_TOLERANCE: Final = timedelta(days=1)
"""Clocks and time zones of callers differ."""
NoteInPath = Annotated[
    str, Path(max_length=MAX_IDENTIFIER, pattern=NO_NUL, examples=["5b0c8a0e-6a0c-4a55-9f35-0a3a3c1d7b11"])
]
Writer = Annotated[Principal, Depends(require(Scope.WRITE))]


@router.write_route(
    "POST",
    NOTES_PATH,
    "Note a goal or a pain point",
    "unknown-account",
    "too-many-notes",
    model=NoteStored,
    status_code=201,
)
def create_account_note(account_id: AccountInPath, note: AccountNoteIn, by: Writer, writing: UnitOfWorkDep) -> Response:
    """Note what an account wants to achieve, or what troubles it, for people to read in its profile. An account has at
    most 100 notes. Send an `Idempotency-Key`, so that a repeated request does not note it twice.
    """

    def work(write: UnitOfWork) -> Response:
        if note.noted_at is not None and note.noted_at > write.now + CLOCK_TOLERANCE:
            reason = {"loc": ("body", "noted_at"), "msg": "Input is in the future; correct it", "type": "value_error"}
            raise RequestValidationError([reason])
        take_turn(write.connection, NOTE_TURNS)
        note_id = add_note(write.connection, account_id, note, by.key_id, write.now)
        write.changes.touch(NOTES_CHANGED, [account_id])
        stored = NoteStored(account_id=account_id, note_id=note_id)
        return Response(stored.model_dump_json(), 201, media_type="application/json")

    return writing.answer(work)


@router.read_route(NOTES_PATH, "List the goals and pain points of an account")
def list_account_notes(account_id: AccountInPath, session: ReadSession) -> Page[AccountNote]:
    """All that is noted of an account, the newest first, also what is valid no more. Empty for an unknown account."""
    return Page(items=notes_of(session.connection(), account_id), next_cursor=None)


@router.write_route("DELETE", NOTE_PATH, "Delete a goal or a pain point", "unknown-note")
def delete_account_note(account_id: AccountInPath, note_id: NoteInPath, writing: UnitOfWorkDep) -> Response:
    """Delete a note, such as one that was wrong or is settled."""

    def work(write: UnitOfWork) -> Response:
        remove_note(write.connection, account_id, note_id)
        write.changes.touch(NOTES_CHANGED, [account_id])
        return Response()

    return writing.answer(work)
