"""Decisions over HTTP."""

from typing import Annotated, Final

import orjson
from fastapi import Path, Query, Request, Response

from service.base.components import components_of
from service.base.pagination import IDENTIFIER, Page, cut_page, decode_cursor
from service.decisions.decision_log import DecisionLog
from service.decisions.queries import decisions_of, find_decision
from service.decisions.schemas import DecisionOut
from service.decisions.writing import Decided
from service.rows.field_types import NO_NUL
from service.web.dependencies import ReadSession
from service.web.parameters import DEFAULT_PAGE_ITEMS, AccountInPath, Cursor
from service.web.responses import JsonResponse
from service.web.routing import Router

router = Router("decisions")
MAX_DECISION_ID: Final = 36
MAX_DECISIONS: Final = 200
"""Fewer than other lists have: each may be in a block of its own, which is read and decompressed as a whole."""
DecisionInPath = Annotated[str, Path(max_length=MAX_DECISION_ID, pattern=NO_NUL)]


@router.read_route("/decisions/{decision_id}", "Show a decision", "unknown-decision", model=DecisionOut)
def get_decision(request: Request, decision_id: DecisionInPath, session: ReadSession) -> Response:
    """One answer as it was given, with the request behind it.

    Decisions are written beside the requests: one that another worker made is found within about a second.
    """
    decision_log = components_of(request.app).get(DecisionLog)
    return JsonResponse(render(decision_log.find(decision_id) or find_decision(session, decision_id)))


@router.read_route(
    "/accounts/{account_id:identifier}/decisions", "List an account's decisions", model=Page[DecisionOut]
)
def list_account_decisions(
    account_id: AccountInPath,
    session: ReadSession,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=MAX_DECISIONS, description="Most items to return.")] = DEFAULT_PAGE_ITEMS,
) -> Response:
    """What an account was offered, newest first, a page at a time. Decisions appear here within about a second."""
    list_name = ("decisions", account_id)
    before = decode_cursor(cursor, list_name, IDENTIFIER)
    rows = decisions_of(session, account_id, before, limit + 1)
    decisions, next_cursor = cut_page(rows, limit, list_name, lambda decision: decision.decision_id)
    items = [orjson.Fragment(render(decision)) for decision in decisions]
    return JsonResponse(orjson.dumps({"items": items, "next_cursor": next_cursor}))


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
