"""Accounts over HTTP."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import TypeAdapter

from service.accounts.live import ACCOUNTS_CHANGED, CONSENT_CHANGED
from service.accounts.profile import profile_of
from service.accounts.queries import find_account, find_consent, set_consent, upsert_accounts
from service.accounts.schemas import AccountIn, AccountOut, ConsentIn, ConsentOut
from service.auth.dependencies import require
from service.base.examples import ACCOUNT_ID
from service.rows.field_types import MAX_IDENTIFIER, NO_NUL, WHOLE_IDENTIFIER
from service.storage.database import session_scope
from service.web.bulk import RESPONSES, BulkRows, body_schema, bulk_response, validate_body
from service.web.dependencies import ReadSession, refuse_while_away
from service.web.etag import etag_response
from service.web.fast_route import JsonResponse
from service.web.openapi_parts import NOT_MODIFIED, problems
from service.web.read_your_writes import wait_for_min_sequence
from service.web.unit_of_work import WRITE_PROBLEM_CODES, WRITTEN_HEADERS, UnitOfWork, UnitOfWorkDep

AccountInPath = Annotated[str, Path(max_length=MAX_IDENTIFIER, pattern=NO_NUL, examples=[ACCOUNT_ID])]
NewAccountInPath = Annotated[
    str, Path(min_length=1, max_length=MAX_IDENTIFIER, pattern=WHOLE_IDENTIFIER, examples=[ACCOUNT_ID])
]
router = APIRouter(prefix="/v1", tags=["accounts"])
_ACCOUNTS: Final = TypeAdapter(list[AccountIn])


@router.post(
    "/accounts",
    operation_id="import_accounts",
    summary="Create or update accounts",
    dependencies=[Depends(require("write"))],
    responses=RESPONSES,
    openapi_extra=body_schema(AccountIn),
)
def import_accounts(rows: BulkRows, writing: UnitOfWorkDep) -> Response:
    """Create or update accounts, many at once: a JSON array, or one object per line as `application/x-ndjson`.

    Each row is judged by itself: good rows are stored even if others are rejected, and the answer says what became of
    each. A field that is left out keeps its stored value. Sending the same rows again changes nothing.
    """
    good, faults = validate_body(_ACCOUNTS, rows)
    records = [row.record() for row in good.values()]

    def work(write: UnitOfWork) -> Response:
        done = upsert_accounts(write.connection, records, write.now, write.changes)
        return bulk_response("account_id", rows, good, done.statuses, faults)

    return writing.answer(work)


@router.put(
    "/accounts/{account_id:path}/consent",
    operation_id="set_consent",
    summary="Note what an account says about marketing",
    response_model=ConsentOut,
    dependencies=[Depends(require("write"))],
    responses={200: {"headers": WRITTEN_HEADERS}, **problems(*WRITE_PROBLEM_CODES)},
)
def set_account_consent(account_id: NewAccountInPath, consent: ConsentIn, writing: UnitOfWorkDep) -> Response:
    """Grant or object. After an objection nothing is offered to the account: not by this worker's next answer, and
    by the others' within a second, whatever artifact is in use. It holds until the account grants again.
    """

    def work(write: UnitOfWork) -> Response:
        noted = set_consent(write.connection, account_id, consent, write.now)
        write.changes.touch(CONSENT_CHANGED, [account_id])
        write.changes.touch(ACCOUNTS_CHANGED, [account_id])  # it may be new
        return JsonResponse(noted.model_dump_json().encode())

    return writing.answer(work)


@router.get(
    "/accounts/{account_id:path}/consent",
    operation_id="get_consent",
    summary="Show what an account said about marketing",
    dependencies=[Depends(require("read"))],
    responses=problems("key-missing", "key-invalid", "scope-missing", "request-invalid"),
)
def get_account_consent(account_id: AccountInPath, session: ReadSession) -> ConsentOut:
    """What the account said last; `not-asked` if it said nothing, or if nobody has named it yet."""
    return find_consent(session, account_id)


@router.get(
    "/accounts/{account_id:path}",
    operation_id="get_account",
    summary="Show an account",
    response_model=AccountOut,
    dependencies=[Depends(require("read")), Depends(wait_for_min_sequence)],
    responses=NOT_MODIFIED
    | problems(
        "key-missing",
        "key-invalid",
        "scope-missing",
        "unknown-account",
        "request-invalid",
        "database-unavailable",
        "sequence-not-reached",
    ),
)
def get_account(account_id: AccountInPath, request: Request) -> Response:
    """The profile: attributes, consent, its orders in numbers, what it owns and since when, open deals, segments, what
    it is worth, and which categories it buys above the average.

    A product is owned while more of it was bought than returned. Cancelled orders count for nothing. `segments`,
    `value` and `interests` are as of the live artifact; everything else is as of now. It is answered from memory: the
    database is asked once, and again only after something about the account changed.
    """
    state = request.app.state.nextoffer

    def read() -> AccountOut:
        refuse_while_away(state)
        with session_scope(request.app.state.read_sessions) as session:
            return find_account(session, account_id)

    return etag_response(request, profile_of(state.holder.current, account_id, read))
