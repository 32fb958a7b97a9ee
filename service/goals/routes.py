"""Goals over HTTP. How goals stand is answered from memory."""

from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Path, Request, Response

from service.auth.dependencies import require
from service.auth.keys import Principal, Scope
from service.base.clock import Clock
from service.base.components import components_of
from service.base.pagination import Page
from service.base.settings import Settings
from service.goals import answers, queries
from service.goals.errors import GoalModified, UnknownGoal
from service.goals.live import GOALS_CHANGED
from service.goals.sales import SalesReader
from service.goals.schemas import (
    GoalIn,
    GoalOut,
    GoalPatch,
    GoalPreview,
    GoalVersionOut,
    NewGoal,
)
from service.goals.tables import GoalVersion
from service.readmodel.goals import Goal, Goals
from service.readmodel.live_state import LiveState
from service.rows.field_types import MAX_IDENTIFIER, NO_NUL
from service.segments.errors import NothingLearned
from service.segments.routes import segments_in_use
from service.storage.turns import GOAL_TURNS, take_turn
from service.storage.versions import page_of_versions
from service.sync.artifact_holder import ArtifactHolder
from service.web.decoding import errors_of_body
from service.web.dependencies import ReadSession
from service.web.etag import conditional_response, etag_of, etag_response, tags_of
from service.web.parameters import DEFAULT_PAGE_ITEMS, Cursor, IfMatch, Limit
from service.web.responses import JsonResponse
from service.web.routing import Router
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep

router = Router("goals")
GOAL_PATH: Final = "/goals/{goal_id}"
GoalInPath = Annotated[str, Path(max_length=MAX_IDENTIFIER, pattern=NO_NUL, examples=["coffee-machines-q4"])]
Writer = Annotated[Principal, Depends(require(Scope.WRITE))]


def state_in_use(request: Request) -> LiveState:
    """Return what is in memory; raises NothingLearned before anything is."""
    current = components_of(request.app).get(ArtifactHolder).current
    if current is None:
        raise NothingLearned
    return current.state


@router.live_route("/goals", "List goals", "nothing-learned", model=Page[GoalOut])
def list_goals(request: Request) -> Response:
    """Every goal and how it stands: booked, forecast with an 80 % interval, required pace, shortfall, status, and what
    it adds to the lever of its offers.
    """
    return etag_response(
        request, answers.describe_goals(state_in_use(request), components_of(request.app).get(Clock).now())
    )


@router.write_route(
    "POST",
    "/goals",
    "Set a goal",
    "goal-exists",
    "too-many-goals",
    "scope-matches-nothing",
    "unknown-segment",
    "nothing-learned",
    model=GoalOut,
    status_code=201,
)
def create_goal(given: NewGoal, writing: UnitOfWorkDep, request: Request, by: Writer) -> Response:
    """Set a target for what is sold of products, lines or categories in a period.

    While the forecast falls short of the target, offers of the scope are lifted, as much as it takes and within
    `max_lever`; once it reaches the target, they no longer are. What needs no help is never lowered.
    """
    goal_id = queries.id_of(given)
    check_segment(request, given)

    def work(write: UnitOfWork) -> Response:
        take_turn(write.connection, GOAL_TURNS)
        terms = (reporting_currency(request), default_zone(request), by.key_id, write.now)
        goal = queries.add_goal(write.connection, goal_id, given, *terms)
        return describe_written(write, goal, 201)

    return writing.answer(work)


@router.read_route(
    "/goals/preview",
    "Try a goal out",
    "scope-matches-nothing",
    "unknown-segment",
    "nothing-learned",
    model=GoalPreview,
    method="POST",
    is_live=True,
)
def preview_goal(given: GoalIn, session: ReadSession, request: Request) -> Response:
    """What is within reach before a goal is set: the forecast with the lever at 1 and at its bound, and what the bound
    does to the offers of a sample of accounts, with the value that it costs. Nothing is stored.
    """
    check_segment(request, given)
    queries.check_scope(session.connection(), given.scope.kind, given.scope.names)
    goal = queries.draft_goal(given, reporting_currency(request), default_zone(request))
    state = state_in_use(request)
    sales = SalesReader(state, session.connection()).read([goal])[goal.goal_id]
    components = components_of(request.app)
    options, now = components.get(Settings).arbitration, components.get(Clock).now()
    body = answers.describe_preview(goal, sales, state, options, now)
    return JsonResponse(orjson.dumps(body, option=orjson.OPT_UTC_Z))


@router.live_route(GOAL_PATH, "Show a goal", "unknown-goal", "nothing-learned", model=GoalOut)
def get_goal(request: Request, goal_id: GoalInPath) -> Response:
    """One goal and how it stands. The ETag names its version: send it as `If-Match` when changing the goal. It also
    tells how the goal stands, which is not compared then.
    """
    state = state_in_use(request)
    goal = state.part(Goals).by_id.get(goal_id)
    if goal is None:
        raise UnknownGoal(goal_id)
    described = answers.describe_goal(goal, state, components_of(request.app).get(Clock).now())
    content = orjson.dumps(described, option=orjson.OPT_UTC_Z)
    return conditional_response(request, content, f'"v{goal.details["version"]}-{etag_of(content)[1:]}')


@router.write_route(
    "PATCH",
    GOAL_PATH,
    "Change a goal",
    "unknown-goal",
    "goal-modified",
    "scope-matches-nothing",
    "unknown-segment",
    "nothing-learned",
    model=GoalOut,
)
def update_goal(
    request: Request,
    goal_id: GoalInPath,
    change: GoalPatch,
    writing: UnitOfWorkDep,
    by: Writer,
    if_match: IfMatch = None,
) -> Response:
    """Change what is given of a goal. With `If-Match`, only if nobody changed it since it was read."""

    def work(write: UnitOfWork) -> Response:
        take_turn(write.connection, GOAL_TURNS)
        before = queries.find_goal(write.connection, goal_id)
        check_version(before, if_match)
        given = changed_goal(queries.written(before), change)
        if given.segment_id != before.segment_id:
            check_segment(request, given)
        currency = before.currency or reporting_currency(request)
        terms = (currency, default_zone(request), by.key_id, write.now)
        goal = queries.replace_goal(write.connection, before, given, *terms)
        return describe_written(write, goal, 200)

    return writing.answer(work)


@router.write_route("DELETE", GOAL_PATH, "Delete a goal", "unknown-goal", "goal-modified")
def delete_goal(goal_id: GoalInPath, writing: UnitOfWorkDep, by: Writer, if_match: IfMatch = None) -> Response:
    """Delete a goal: it lifts nothing from the next answer on. Its history stays."""

    def work(write: UnitOfWork) -> Response:
        take_turn(write.connection, GOAL_TURNS)
        goal = queries.find_goal(write.connection, goal_id)
        check_version(goal, if_match)
        queries.remove_goal(write.connection, goal, by.key_id, write.now)
        write.changes.touch(GOALS_CHANGED, [goal_id])
        return Response()

    return writing.answer(work)


@router.read_route(GOAL_PATH + "/history", "Show who changed a goal", "unknown-goal")
def list_goal_versions(
    goal_id: GoalInPath, session: ReadSession, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE_ITEMS
) -> Page[GoalVersionOut]:
    """Every change of a goal, the newest first: who, when, and the goal before and after. Deleted ones have theirs."""
    connection = session.connection()
    rows, next_cursor = page_of_versions(connection, GoalVersion.goal_id, goal_id, cursor, limit)
    if not rows and cursor is None:
        queries.find_goal(connection, goal_id)
    items = [GoalVersionOut.model_validate(row, from_attributes=True) for row in rows]
    return Page(items=items, next_cursor=next_cursor)


def describe_written(write: UnitOfWork, goal: Goal, status: int) -> Response:
    """Note the change of a goal, and answer with the goal as it is stored."""
    write.changes.touch(GOALS_CHANGED, [goal.goal_id])
    body = answers.describe_goal(goal, None, write.now)
    headers = {"ETag": f'"v{goal.details["version"]}"'}
    return Response(orjson.dumps(body, option=orjson.OPT_UTC_Z), status, headers, media_type="application/json")


def changed_goal(before: queries.Written, change: GoalPatch) -> GoalIn:
    """Return a goal with its changes, validated as a whole; raises RequestValidationError."""
    given = change.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=False)
    merged: dict[str, Any] = {**before, **given}
    merged |= {name: _without_null(merged[name]) for name in ("scope", "period") if merged[name] is not None}
    with errors_of_body():
        return GoalIn.model_validate(merged)


def _without_null(part: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if value is not None}


def check_version(goal: Goal, if_match: str | None) -> None:
    """Raise GoalModified if the goal is not at any version that a header names."""
    version = goal.details["version"]
    if if_match is None or if_match.strip() == "*":
        return
    if f"v{version}" not in [tag.strip('"').partition("-")[0] for tag in tags_of(if_match)]:
        raise GoalModified(goal.goal_id, version)


def check_segment(request: Request, given: GoalIn) -> None:
    """Raise UnknownSegment for a segment that there is not, NothingLearned where that is not known."""
    if given.segment_id is not None:
        segments_in_use(request).find(given.segment_id)


def reporting_currency(request: Request) -> str | None:
    """Return the currency that goals in money are set in."""
    current = components_of(request.app).get(ArtifactHolder).current
    return None if current is None else current.state.content.currency.code


def default_zone(request: Request) -> str:
    """Return the time zone of goals that name none."""
    return components_of(request.app).get(Settings).timezone
