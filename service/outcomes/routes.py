"""Outcomes over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Path, Query, Request, Response
from pydantic import TypeAdapter

from service.auth.dependencies import require
from service.auth.keys import Principal, Scope
from service.base.components import components_of
from service.base.pagination import IDENTIFIER, Page, cut_page, decode_cursor
from service.decisions.decision_log import DecisionLog
from service.outcomes.acceptances import Acceptances
from service.outcomes.queries import OUTCOMES_CHANGED, list_rows, retract
from service.outcomes.recording import Result, record_outcomes, result
from service.outcomes.schemas import (
    MAX_OUTCOMES,
    OutcomeIn,
    OutcomeOut,
    OutcomesAnswer,
    OutcomeStatus,
)
from service.readmodel.outcome_kinds import OutcomeKind
from service.rows.errors import TooManyRows
from service.rows.field_types import MAX_IDENTIFIER, NO_NUL
from service.storage.turns import OUTCOME_TURNS, take_turn
from service.web.bulk import BulkRows, body_schema, validate_body
from service.web.dependencies import ReadSession
from service.web.parameters import DEFAULT_PAGE_ITEMS, Cursor, Limit
from service.web.responses import JsonResponse
from service.web.routing import Router
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep

router = Router("outcomes")
router.body_models.append(OutcomeIn)
_OUTCOMES: Final = TypeAdapter(list[OutcomeIn])


def rows_of_written_decisions(rows: BulkRows, request: Request) -> list[Any]:
    """Return the rows of a body. The decisions of this worker that they name are written first: a client is fast."""
    named = {row["decision_id"] for row in rows if isinstance(row, dict) and isinstance(row.get("decision_id"), str)}
    if named:
        components_of(request.app).get(DecisionLog).write_named(named)
    return rows


# Named before UnitOfWorkDep: on SQLite the decision log could not write beside the transaction.
WrittenRows = Annotated[list[Any], Depends(rows_of_written_decisions, scope="function")]
Reporter = Annotated[Principal, Depends(require(Scope.WRITE))]
OutcomeInPath = Annotated[str, Path(max_length=MAX_IDENTIFIER, pattern=NO_NUL)]
Identifier = Annotated[str, Query(min_length=1, max_length=MAX_IDENTIFIER, pattern=NO_NUL)]


@router.write_route(
    "POST",
    "/outcomes",
    "Report outcomes",
    "rows-unreadable",
    "too-many-rows",
    "media-type-unsupported",
    model=OutcomesAnswer,
    openapi_extra=body_schema(OutcomeIn),
)
def create_outcomes(rows: WrittenRows, by: Reporter, writing: UnitOfWorkDep, request: Request) -> Response:
    """Say what became of offers, up to 1,000 at once: felt by the next answer, on every worker.

    Each report is judged by itself: valid ones are stored even if others are not. The same report counts once, with an
    `outcome_id` or without: the same account, product, outcome and time. What names a decision or an account that is
    not known is kept apart, counts for nothing, and makes no account; sent again, it is judged anew. What is accepted
    is taken up: see caps.
    """
    if len(rows) > MAX_OUTCOMES:
        raise TooManyRows(MAX_OUTCOMES)
    good, faults = validate_body(_OUTCOMES, rows)

    def work(write: UnitOfWork) -> Response:
        take_turn(write.connection, OUTCOME_TURNS)
        results, accepted = record_outcomes(write.connection, good, by.key_id, write.now, write.changes)
        if accepted:
            components_of(request.app).get(Acceptances).reservations.take_up(write, accepted)
        for index, row_faults in faults.items():
            errors = [(fault.field, fault.reason.encode(errors="replace").decode()) for fault in row_faults]
            results[index] = result(index, OutcomeStatus.REJECTED, None, errors)
        return JsonResponse(orjson.dumps(_summed_up([results[index] for index in sorted(results)])))

    return writing.answer(work)


@router.read_route("/outcomes", "List outcomes")
def list_outcomes(
    session: ReadSession,
    account_id: Annotated[Identifier | None, Query(description="Only those of this account.")] = None,
    product_id: Annotated[Identifier | None, Query(description="Only those of this product.")] = None,
    decision_id: Annotated[Identifier | None, Query(description="Only those of this decision.")] = None,
    outcome: Annotated[OutcomeKind | None, Query(description="Only those of this kind.")] = None,
    is_placed: Annotated[bool | None, Query(description="False: only those that are kept apart.")] = None,
    automated: Annotated[bool | None, Query(description="True: only what a machine did.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE_ITEMS,
) -> Page[OutcomeOut]:
    """What was reported, with what was retracted, in the order of the identifiers."""
    conditions = {
        "account_id": account_id,
        "product_id": product_id,
        "decision_id": decision_id,
        "kind": outcome,
        "is_placed": is_placed,
        "is_automated": automated,
    }
    list_name = ("outcomes", *(None if value is None else str(value) for value in conditions.values()))
    after = decode_cursor(cursor, list_name, IDENTIFIER)
    rows = list_rows(session.connection(), after, limit + 1, **conditions)
    page, next_cursor = cut_page(rows, limit, list_name, lambda row: row.outcome_id)
    return Page(items=[_describe(row) for row in page], next_cursor=next_cursor)


@router.write_route("DELETE", "/outcomes/{outcome_id}", "Retract an outcome", "unknown-outcome")
def retract_outcome(outcome_id: OutcomeInPath, writing: UnitOfWorkDep, request: Request) -> Response:
    """Say that a report was wrong: the next answer is as if there had been none. It stays in the list, marked.

    Reported again under another identifier, it is still the same report, and counts for nothing.
    """

    def work(write: UnitOfWork) -> Response:
        take_turn(write.connection, OUTCOME_TURNS)
        retracted = retract(write.connection, outcome_id, write.now)
        if retracted is not None:
            write.changes.touch(OUTCOMES_CHANGED, [retracted.account_id])
            if retracted.is_acceptance:
                reservations = components_of(request.app).get(Acceptances).reservations
                reservations.give_back(write, retracted.account_id, retracted.product_id)
        return Response()

    return writing.answer(work)


def _summed_up(results: Sequence[Result]) -> dict[str, Any]:
    """Return an ``OutcomesAnswer``."""
    statuses = [each["status"] for each in results]
    return {
        "stored": statuses.count(OutcomeStatus.STORED),
        "duplicates": statuses.count(OutcomeStatus.DUPLICATE),
        "unplaced": statuses.count(OutcomeStatus.UNPLACED),
        "rejected": statuses.count(OutcomeStatus.REJECTED),
        "results": results,
    }


def _describe(row: Any) -> OutcomeOut:
    renamed = {"outcome": row.kind, "automated": row.is_automated}
    values = {name: getattr(row, name) for name in OutcomeOut.model_fields if name not in renamed}
    return OutcomeOut(**renamed, **values)
