"""Accounts over HTTP."""

from typing import Final

from fastapi import Request, Response
from pydantic import TypeAdapter

from service.accounts.profile import profile_of
from service.accounts.queries import find_account, find_consent, set_consent, upsert_accounts
from service.accounts.schemas import AccountIn, AccountOut, ConsentIn, ConsentOut
from service.base.components import components_of
from service.sync.artifact_holder import ArtifactHolder
from service.web.bulk import BulkRows, bulk_response, bulk_route, validate_body
from service.web.dependencies import ReadSession, open_read_session
from service.web.etag import etag_response
from service.web.parameters import AccountInPath, NewAccountInPath
from service.web.responses import JsonResponse
from service.web.routing import Router
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep

ACCOUNT_PATH: Final = "/accounts/{account_id:identifier}"
router = Router("accounts")
_ACCOUNTS: Final = TypeAdapter(list[AccountIn])


@bulk_route(router, "/accounts", "Create or update accounts", AccountIn)
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


@router.write_route("PUT", ACCOUNT_PATH + "/consent", "Note what an account says about marketing", model=ConsentOut)
def replace_consent(account_id: NewAccountInPath, consent: ConsentIn, writing: UnitOfWorkDep) -> Response:
    """Grant or object. After an objection nothing is offered to the account: not by this worker's next answer, and
    by the others' within a second, whatever artifact is in use. It holds until the account grants again.
    """

    def work(write: UnitOfWork) -> Response:
        noted = set_consent(write.connection, account_id, consent, write.now, write.changes)
        return JsonResponse(noted.model_dump_json().encode())

    return writing.answer(work)


@router.read_route(ACCOUNT_PATH + "/consent", "Show what an account said about marketing")
def get_consent(account_id: AccountInPath, session: ReadSession) -> ConsentOut:
    """What the account said last; `not-asked` if it said nothing, or if nobody has named it yet."""
    return find_consent(session, account_id)


@router.live_route(ACCOUNT_PATH, "Show an account", "unknown-account", model=AccountOut)
def get_account(account_id: AccountInPath, request: Request) -> Response:
    """The profile: attributes, consent, its orders in numbers, what it owns and since when, open deals, segments, what
    it is worth, and which categories it buys above the average.

    A product is owned while more of it was bought than returned. Cancelled orders count for nothing. `segments`,
    `value` and `interests` are as of the live artifact; everything else is as of now. It is answered from memory: the
    database is asked once, and again only after something about the account changed.
    """

    def read() -> AccountOut:
        with open_read_session(request.app) as session:
            return find_account(session, account_id)

    current = components_of(request.app).get(ArtifactHolder).current
    return etag_response(request, profile_of(current, account_id, read))
