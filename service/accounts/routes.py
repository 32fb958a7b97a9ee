"""Accounts over HTTP."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Response
from pydantic import TypeAdapter

from service.accounts.queries import find_account, upsert_accounts
from service.accounts.schemas import AccountIn, AccountOut
from service.auth.dependencies import require
from service.dependencies import ReadSession, WriteSession
from service.examples import ACCOUNT_ID
from service.ingestion.bulk import RESPONSES, BulkRows, Now, body_schema, bulk_response, validate_body
from service.ingestion.fields import MAX_IDENTIFIER, NO_NUL
from service.openapi_parts import problems

AccountInPath = Annotated[str, Path(max_length=MAX_IDENTIFIER, pattern=NO_NUL, examples=[ACCOUNT_ID])]
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
def import_accounts(rows: BulkRows, session: WriteSession, now: Now) -> Response:
    """Create or update accounts, many at once: a JSON array, or one object per line as `application/x-ndjson`.

    Each row is judged by itself: good rows are stored even if others are rejected, and the answer says what became of
    each. A field that is left out keeps its stored value. Sending the same rows again changes nothing.
    """
    good, faults = validate_body(_ACCOUNTS, rows)
    records = [row.record() for row in good.values()]
    statuses = upsert_accounts(session.connection(), records, now)
    return bulk_response("account_id", rows, good, statuses, faults)


@router.get(
    "/accounts/{account_id:path}",
    operation_id="get_account",
    summary="Show an account",
    dependencies=[Depends(require("read"))],
    responses=problems("key-missing", "key-invalid", "scope-missing", "unknown-account", "request-invalid"),
)
def get_account(account_id: AccountInPath, session: ReadSession) -> AccountOut:
    """What is known of an account: its attributes, its orders in numbers, and what it owns.

    A product is owned while more of it was bought than returned. Cancelled orders count for nothing.
    """
    return find_account(session, account_id)
