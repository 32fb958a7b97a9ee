"""Reservations over HTTP."""

from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Path, Query, Request, Response

from service.auth.dependencies import require
from service.auth.keys import Principal, Scope
from service.base.clock import Clock
from service.base.components import components_of
from service.base.pagination import IDENTIFIER, Page, cut_page, decode_cursor
from service.offers.respond import Call
from service.reservations.queries import list_rows
from service.reservations.reserving import Reservations
from service.reservations.schemas import (
    AcceptanceIn,
    ReservationIn,
    ReservationOut,
    ReservationsChanged,
    ReservationsMade,
    ReservationState,
)
from service.rows.field_types import MAX_IDENTIFIER, NO_NUL
from service.web.dependencies import ReadSession
from service.web.parameters import DEFAULT_PAGE_ITEMS, Cursor, Limit
from service.web.responses import JsonResponse
from service.web.routing import Router
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep

router = Router("reservations")
RESERVATION_PATH: Final = "/reservations/{decision_id}"
DecisionInPath = Annotated[
    str, Path(max_length=36, pattern=NO_NUL, description="The `decision_id` of the answer whose offers are reserved.")
]
Identifier = Annotated[str, Query(min_length=1, max_length=MAX_IDENTIFIER, pattern=NO_NUL)]
Asker = Annotated[Principal, Depends(require(Scope.RECOMMEND))]


@router.write_route(
    "POST",
    "/reservations",
    "Recommend and reserve",
    "nothing-to-offer",
    model=ReservationsMade,
    scope=Scope.RECOMMEND,
)
def create_reservations(given: ReservationIn, by: Asker, writing: UnitOfWorkDep, request: Request) -> Response:
    """Decide for an account, and keep what it is offered for it until it is accepted, released or expires.

    It is decided in the transaction that reserves: whatever comes at once, on however many workers, neither a cap nor a
    limit is exceeded. An answer of `POST /v1/recommendations` promises nothing. Whoever holds reservations can send the
    same request again, and gets the same answer.
    """
    reservations = components_of(request.app).get(Reservations)
    logged = orjson.dumps(given.model_dump(mode="json", exclude_unset=True, exclude={"minutes"}))
    call = Call(by, given.wanted(), logged)

    def work(write: UnitOfWork) -> Response:
        made = reservations.reserve(write, call, given.minutes)
        return _answer({**made._asdict(), "answer": orjson.Fragment(made.answer)})

    return writing.answer(work)


@router.read_route("/reservations", "List reservations")
def list_reservations(
    session: ReadSession,
    request: Request,
    account_id: Annotated[Identifier | None, Query(description="Only those of this account.")] = None,
    product_id: Annotated[Identifier | None, Query(description="Only those of this product.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE_ITEMS,
) -> Page[ReservationOut]:
    """What is reserved and accepted, in the order in which it was reserved."""
    list_name, now = ("reservations", account_id, product_id), components_of(request.app).get(Clock).now()
    after = decode_cursor(cursor, list_name, IDENTIFIER)
    rows = list_rows(session.connection(), account_id, product_id, after, limit + 1)
    page, next_cursor = cut_page(rows, limit, list_name, lambda row: row.reservation_id)
    return Page(items=[_describe(row, now) for row in page], next_cursor=next_cursor)


@router.write_route(
    "POST",
    RESERVATION_PATH + "/accept",
    "Accept what is reserved",
    "unknown-reservation",
    "cap-reached",
    model=ReservationsChanged,
    scope=Scope.RECOMMEND,
)
def accept_reservations(
    decision_id: DecisionInPath, given: AcceptanceIn, writing: UnitOfWorkDep, request: Request
) -> Response:
    """Take up the products of a decision, or some of them: from now on they count against caps for good.

    Twice is as good as once. A reservation that has expired is accepted for a day, as long as something is left.
    """
    reservations = components_of(request.app).get(Reservations)

    def work(write: UnitOfWork) -> Response:
        product_ids = reservations.accept(write, decision_id, given.product_ids)
        return _answer({"decision_id": decision_id, "product_ids": product_ids})

    return writing.answer(work)


@router.write_route(
    "DELETE",
    RESERVATION_PATH,
    "Release what is reserved",
    "unknown-reservation",
    model=ReservationsChanged,
    scope=Scope.RECOMMEND,
)
def release_reservations(
    decision_id: DecisionInPath,
    writing: UnitOfWorkDep,
    request: Request,
    product_id: Annotated[
        list[Identifier] | None, Query(max_length=500, description="Of its products; all of them without it.")
    ] = None,
) -> Response:
    """Give back what a decision reserved, or what of it was accepted and is cancelled: others can have it."""
    reservations = components_of(request.app).get(Reservations)

    def work(write: UnitOfWork) -> Response:
        product_ids = reservations.release(write, decision_id, product_id)
        return _answer({"decision_id": decision_id, "product_ids": product_ids})

    return writing.answer(work)


def _answer(content: dict[str, Any]) -> Response:
    return JsonResponse(orjson.dumps(content, option=orjson.OPT_UTC_Z))


def _describe(row: Any, now: Any) -> ReservationOut:
    state = ReservationState.ACCEPTED
    if row.expires_at is not None:
        state = ReservationState.HELD if row.expires_at > now else ReservationState.EXPIRED
    values = {name: getattr(row, name) for name in ReservationOut.model_fields if name != "state"}
    return ReservationOut(state=state, **values)
