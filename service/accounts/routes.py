"""Accounts over HTTP."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import StringConstraints, TypeAdapter

from service.accounts.hierarchy_queries import StoredHierarchy
from service.accounts.listing import COLUMNS, AccountFilter, page_of_accounts, page_of_members
from service.accounts.parent_check import ParentCheck, sets_parent
from service.accounts.paths import ACCOUNT_PATH, CONSENT_PATH
from service.accounts.profile import profile_of
from service.accounts.queries import find_account, find_consent, set_consent, upsert_accounts
from service.accounts.schemas import AccountIn, AccountOut, AccountSummary, ConsentIn, ConsentOut
from service.base.clock import Clock
from service.base.components import components_of
from service.base.pagination import Page
from service.readmodel.errors import UnknownSegment
from service.rows.field_types import MAX_IDENTIFIER, NO_NUL
from service.storage.turns import ACCOUNT_TURNS, take_turn
from service.sync.artifact_holder import ArtifactHolder
from service.web.bulk import BulkRows, Guests, bulk_response, bulk_route, validate_body, without_placeholders
from service.web.dependencies import ReadSession, open_read_session
from service.web.etag import etag_response
from service.web.list_files import FormatOfList, ListFile, ListFormat, list_file
from service.web.parameters import (
    DEFAULT_PAGE_ITEMS,
    AccountInPath,
    Cursor,
    Limit,
    NewAccountInPath,
    text_filter,
)
from service.web.responses import JsonResponse
from service.web.routing import Router
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep

router = Router("accounts")
MAX_ATTRIBUTES: Final = 10
MAX_ATTRIBUTE: Final = 1_000
_ACCOUNTS: Final = TypeAdapter(list[AccountIn])


@bulk_route(router, "/accounts", "Create or update accounts", AccountIn)
def import_accounts(rows: BulkRows, writing: UnitOfWorkDep, guests: Guests) -> Response:
    """Create or update accounts, many at once: a JSON array, or one object per line as `application/x-ndjson`.

    Each row is judged by itself: good rows are stored even if others are rejected, and the answer says what became of
    each. A field that is left out keeps its stored value. Sending the same rows again changes nothing.

    A parent need not be stored yet. A row whose parent would make the account belong to itself, over any number of
    accounts, is rejected, and so is one that would make more than 8 levels. Rows count in their order.

    An `account_id` such as `0`, `guest`, `n/a` or `null` stands for a guest: the row is rejected, unless
    `keep_account_values` is true.
    """
    valid, faults = validate_body(_ACCOUNTS, rows)
    good, placeholders = without_placeholders(valid, guests)

    def work(write: UnitOfWork) -> Response:
        if sets_parent(good.values()):
            take_turn(write.connection, ACCOUNT_TURNS)
        refused = ParentCheck().refuse(good, StoredHierarchy(write.connection))
        kept = {index: row for index, row in good.items() if index not in refused}
        records = [row.record() for row in kept.values()]
        done = upsert_accounts(write.connection, records, write.now, write.changes)
        return bulk_response("account_id", rows, kept, done.statuses, faults | placeholders | refused)

    return writing.answer(work)


def _wanted(
    search: Annotated[
        str | None, text_filter("Only accounts whose name or identifier contains this text, whatever its case.")
    ] = None,
    attribute: Annotated[
        list[Annotated[str, StringConstraints(pattern=NO_NUL, max_length=MAX_ATTRIBUTE)]],
        Query(
            max_length=MAX_ATTRIBUTES,
            description="Only accounts with this attribute, as `NAME:VALUE`, such as `sector:medical`, "
            "`employees:4540` or `listed:true`. Repeat it to name several, all of which must be there.",
        ),
    ] = [],  # noqa: B006  It is never changed.
    is_strategic: Annotated[bool | None, Query(description="Only accounts that are, or are not, strategic.")] = None,
    parent_account_id: Annotated[
        str | None, text_filter("Only accounts that belong to this one.", MAX_IDENTIFIER)
    ] = None,
) -> AccountFilter:
    pairs = [given.partition(":") for given in attribute]
    if unreadable := [place for place, (name, colon, _) in enumerate(pairs) if not (name and colon)]:
        message = "Input should be NAME:VALUE"
        raise RequestValidationError(
            [{"loc": ("query", "attribute", place), "msg": message, "type": "value_error"} for place in unreadable]
        )
    return AccountFilter(search, tuple((name, value) for name, _, value in pairs), is_strategic, parent_account_id)


@router.read_route(
    "/accounts",
    "List accounts",
    "unknown-segment",
    model=Page[AccountSummary],
    is_live=True,
    has_files=True,
)
def list_accounts(
    request: Request,
    wanted: Annotated[AccountFilter, Depends(_wanted)],
    segment: Annotated[
        str | None, text_filter("Only accounts of this segment, the most valuable first.", MAX_IDENTIFIER)
    ] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE_ITEMS,
    file_format: FormatOfList = ListFormat.JSON,
) -> Response:
    """List the stored accounts in the order of their identifiers, a page at a time. All filters must be met."""
    fetch = _account_pages(request, wanted, segment)
    if file_format is not ListFormat.JSON:
        file = ListFile(("accounts", segment or ""), COLUMNS, fetch)
        return list_file(request, file_format, file)
    return JsonResponse(orjson.dumps(fetch(cursor, limit)))


def _account_pages(request: Request, wanted: AccountFilter, segment_id: str | None) -> Callable[..., dict[str, Any]]:
    """Return what reads a page from a cursor on."""
    members = None
    if segment_id is not None:
        current = components_of(request.app).get(ArtifactHolder).current
        if current is None or current.is_fallback:
            raise UnknownSegment(segment_id)
        members = current.segments, current.segments.find(segment_id)

    def fetch(cursor: str | None, limit: int) -> dict[str, Any]:
        with open_read_session(request.app) as session:
            if members is None:
                accounts, next_cursor = page_of_accounts(session, wanted, cursor, limit)
            else:
                accounts, next_cursor = page_of_members(session, wanted, *members, cursor, limit)
        return {"items": [account.model_dump(mode="json") for account in accounts], "next_cursor": next_cursor}

    return fetch


@router.write_route("PUT", CONSENT_PATH, "Note what an account says about marketing", model=ConsentOut)
def replace_consent(account_id: NewAccountInPath, consent: ConsentIn, writing: UnitOfWorkDep) -> Response:
    """Grant or object. After an objection nothing is offered to the account: not by this worker's next answer, and
    by the others' within a second, whatever artifact is in use. It holds until the account grants again.
    """

    def work(write: UnitOfWork) -> Response:
        noted = set_consent(write.connection, account_id, consent, write.now, write.changes)
        return JsonResponse(noted.model_dump_json().encode())

    return writing.answer(work)


@router.read_route(CONSENT_PATH, "Show what an account said about marketing")
def get_consent(account_id: AccountInPath, session: ReadSession) -> ConsentOut:
    """What the account said last; `not-asked` if it said nothing, or if nobody has named it yet."""
    return find_consent(session, account_id)


@router.live_route(ACCOUNT_PATH, "Show an account", "unknown-account", model=AccountOut)
def get_account(account_id: AccountInPath, request: Request) -> Response:
    """The profile: attributes, consent, goals and pain points, its orders in numbers, what it owns and since when, open
    deals, segments, what it is worth, and which categories it buys above the average; of an account with subsidiaries,
    the totals of all of them together, in `group`.

    A product is owned while more of it was bought than returned. Cancelled orders count for nothing. `segments`,
    `value` and `interests` are as of the live artifact; everything else is as of now. It is answered from memory: the
    database is asked once, and again only after something about the account changed.
    """

    def read(group: Sequence[str] | None) -> AccountOut:
        with open_read_session(request.app) as session:
            return find_account(session, account_id, group)

    components = components_of(request.app)
    current, today = components.get(ArtifactHolder).current, components.get(Clock).now().date()
    return etag_response(request, profile_of(current, account_id, read, today))
