"""The ledger over HTTP."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from service.auth.dependencies import require
from service.base.examples import ACCOUNT_ID
from service.decisions.queries import Decided, decisions_of, find_decision
from service.decisions.schemas import DecisionOut, DecisionPage
from service.rows.field_types import MAX_IDENTIFIER, NO_NUL
from service.server.state import State
from service.web.dependencies import ReadSession
from service.web.fast_route import JsonResponse
from service.web.openapi_parts import problems

router = APIRouter(prefix="/v1", tags=["decisions"])
read = Depends(require("read"))
LENGTH_OF_ID = 36
AccountInPath = Annotated[str, Path(max_length=MAX_IDENTIFIER, pattern=NO_NUL, examples=[ACCOUNT_ID])]
DecisionInPath = Annotated[str, Path(max_length=LENGTH_OF_ID, pattern=NO_NUL)]
Cursor = Annotated[
    str | None, Query(max_length=LENGTH_OF_ID, pattern=NO_NUL, description="`next_cursor` of the page before.")
]


@router.get(
    "/decisions/{decision_id}",
    operation_id="get_decision",
    summary="Show a decision",
    response_model=DecisionOut,
    dependencies=[read],
    responses=problems("key-missing", "key-invalid", "scope-missing", "unknown-decision", "request-invalid"),
)
def get_decision(request: Request, decision_id: DecisionInPath, session: ReadSession) -> Response:
    """One answer as it was given, with the request behind it.

    Decisions are written beside the requests: one that another worker made is found within about a second.
    """
    state: State = request.app.state.nextoffer
    return JsonResponse(render(state.ledger.find(decision_id) or find_decision(session, decision_id)))


@router.get(
    "/accounts/{account_id:path}/decisions",
    operation_id="list_account_decisions",
    summary="List an account's decisions",
    response_model=DecisionPage,
    dependencies=[read],
    responses=problems("key-missing", "key-invalid", "scope-missing", "request-invalid"),
)
def list_account_decisions(
    account_id: AccountInPath,
    session: ReadSession,
    limit: Annotated[int, Query(ge=1, le=200, description="Most decisions to return.")] = 50,
    cursor: Cursor = None,
) -> Response:
    """What an account was offered, newest first, a page at a time. Decisions appear here within about a second."""
    found = decisions_of(session, account_id, cursor, limit + 1)
    following = f'"{found[limit - 1].decision_id}"'.encode() if len(found) > limit else b"null"
    items = b",".join(map(render, found[:limit]))
    return JsonResponse(b'{"items":[' + items + b'],"next_cursor":' + following + b"}")


def render(decision: Decided) -> bytes:
    """Lay out a ``DecisionOut``; request and answer are JSON already."""
    return orjson.dumps(
        {
            "decision_id": decision.decision_id,
            "account_id": decision.account_id,
            "decided_at": decision.decided_at,
            "key_id": decision.key_id,
            "request": orjson.Fragment(decision.request),
            "answer": orjson.Fragment(decision.answer),
        },
        option=orjson.OPT_UTC_Z,
    )
