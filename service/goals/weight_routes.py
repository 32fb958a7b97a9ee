"""The operator's weights over HTTP."""

from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Path, Request, Response
from starlette.convertors import PathConvertor, register_url_convertor

from service.auth.dependencies import require
from service.auth.keys import Principal, Scope
from service.base.pagination import Page
from service.goals.errors import WeightModified
from service.goals.live import WEIGHTS_CHANGED
from service.goals.tables import WeightVersion
from service.goals.weight_queries import (
    Weight,
    find_weight,
    get_weight,
    list_weights,
    put_weight,
    remove_weight,
    weight_key,
)
from service.goals.weight_schemas import WeightIn, WeightOut, WeightVersionOut
from service.readmodel.goals import ScopeKind
from service.rows.field_types import MAX_IDENTIFIER, NO_NUL
from service.storage.turns import GOAL_TURNS, take_turn
from service.storage.versions import page_of_versions
from service.web.dependencies import ReadSession
from service.web.etag import conditional_response, is_named
from service.web.parameters import DEFAULT_PAGE_ITEMS, Cursor, IfMatch, Limit
from service.web.routing import Router
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep


class WeightConvertor(PathConvertor):
    """``{name:weight}`` at the end of a path: a name, unless the path is that of a history.

    Otherwise ``PUT /v1/lever-weights/lines/coffee/history``, a method that histories do not have, would set a weight.
    """

    regex = r"(?![\s\S]*/history$)[\s\S]*"


register_url_convertor("weight", WeightConvertor())

router = Router("goals")
WEIGHT_PATH: Final = "/lever-weights/{kind}/{name:weight}"
HISTORY_PATH: Final = "/lever-weights/{kind}/{name:identifier}/history"
WeightName = Annotated[
    str, Path(max_length=MAX_IDENTIFIER, pattern=NO_NUL, description="The product, line or category.")
]
WeightKind = Annotated[ScopeKind, Path(description="What the name is of.")]
Writer = Annotated[Principal, Depends(require(Scope.WRITE))]


@router.read_route("/lever-weights", "List weights")
def list_lever_weights(session: ReadSession) -> Page[WeightOut]:
    """What operators add to the lever of products, lines and categories, in percent."""
    weights = list_weights(session.connection())
    return Page(items=[WeightOut.model_validate(weight._asdict()) for weight in weights], next_cursor=None)


@router.read_route(HISTORY_PATH, "Show who changed a weight", "unknown-weight")
def list_lever_weight_versions(
    kind: WeightKind, name: WeightName, session: ReadSession, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE_ITEMS
) -> Page[WeightVersionOut]:
    """Every change of a weight, the newest first: who, when, and the weight before and after. Deleted ones have theirs.

    What was set before there were histories has one from its next change on.
    """
    connection = session.connection()
    rows, next_cursor = page_of_versions(connection, WeightVersion.weight, weight_key(kind, name), cursor, limit)
    if not rows and cursor is None:
        get_weight(connection, kind, name)
    items = [WeightVersionOut.model_validate(row, from_attributes=True) for row in rows]
    return Page(items=items, next_cursor=next_cursor)


@router.read_route(WEIGHT_PATH, "Show a weight", "unknown-weight", model=WeightOut, has_etag=True)
def get_lever_weight(request: Request, kind: WeightKind, name: WeightName, session: ReadSession) -> Response:
    """One weight. Send its `ETag` as `If-Match` with a change, so that nobody else's change is lost."""
    weight = get_weight(session.connection(), kind, name)
    return conditional_response(request, encode(weight), etag_of(weight))


@router.write_route(
    "PUT",
    WEIGHT_PATH,
    "Set a weight",
    "scope-matches-nothing",
    "too-many-weights",
    "weight-modified",
    model=WeightOut,
)
def put_lever_weight(
    kind: WeightKind,
    name: WeightName,
    weight: WeightIn,
    writing: UnitOfWorkDep,
    by: Writer,
    if_match: IfMatch = None,
) -> Response:
    """Raise or lower the priority of what is offered of a product, a line or a category.

    Percentages of weights and goals are added up: the lever of an offer is 1 + sum / 100, at most 2 (or the largest
    `max_lever` of the goals that lift it), and at least the inverse of that.
    """

    def work(write: UnitOfWork) -> Response:
        take_turn(write.connection, GOAL_TURNS)
        before = find_weight(write.connection, kind, name)
        refuse_stale(before, kind, name, if_match)
        stored = put_weight(write.connection, before, kind, name, weight.percent, by.key_id, write.now)
        write.changes.touch(WEIGHTS_CHANGED, [stored.key])
        return Response(encode(stored), headers={"ETag": etag_of(stored)}, media_type="application/json")

    return writing.answer(work)


@router.write_route("DELETE", WEIGHT_PATH, "Delete a weight", "unknown-weight", "weight-modified")
def delete_lever_weight(
    kind: WeightKind, name: WeightName, writing: UnitOfWorkDep, by: Writer, if_match: IfMatch = None
) -> Response:
    """Delete a weight: from the next answer on nothing is added. Its history stays."""

    def work(write: UnitOfWork) -> Response:
        take_turn(write.connection, GOAL_TURNS)
        before = get_weight(write.connection, kind, name)
        refuse_stale(before, kind, name, if_match)
        remove_weight(write.connection, before, by.key_id, write.now)
        write.changes.touch(WEIGHTS_CHANGED, [before.key])
        return Response()

    return writing.answer(work)


def encode(weight: Weight) -> bytes:
    """Encode a ``WeightOut``."""
    described: dict[str, Any] = weight._asdict()
    return orjson.dumps(described, option=orjson.OPT_UTC_Z)


def etag_of(weight: Weight) -> str:
    """Return the ETag of a weight: its versions never repeat."""
    return f'"{weight.version}"'


def refuse_stale(weight: Weight | None, kind: ScopeKind, name: str, if_match: str | None) -> None:
    """Raise WeightModified unless an If-Match header, if there is one, names the weight's ETag."""
    if if_match is not None and (weight is None or not is_named(etag_of(weight), if_match)):
        raise WeightModified(kind, name, None if weight is None else weight.version)
