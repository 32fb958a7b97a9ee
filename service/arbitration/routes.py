"""Arbitration over HTTP."""

from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Request, Response

from service.arbitration.errors import ArbitrationChanged
from service.arbitration.live import ARBITRATION_CHANGED
from service.arbitration.queries import NAME, Stored, change_stored, read_stored
from service.arbitration.schemas import ArbitrationOut, ArbitrationPatch, ArbitrationVersionOut
from service.arbitration.tables import RankingVersion
from service.auth.dependencies import require
from service.auth.keys import Principal, Scope
from service.base.components import components_of
from service.base.pagination import Page
from service.base.settings import Settings
from service.policies.dependencies import checks_of
from service.storage.turns import POLICY_TURNS, take_turn
from service.storage.versions import page_of_versions
from service.web.dependencies import ReadSession
from service.web.etag import conditional_response, is_named
from service.web.parameters import DEFAULT_PAGE_ITEMS, Cursor, IfMatch, Limit
from service.web.routing import Router
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep

router = Router("arbitration")
PATH: Final = "/arbitration"
Writer = Annotated[Principal, Depends(require(Scope.WRITE))]


@router.read_route(PATH, "Show how offers are ranked", model=ArbitrationOut, has_etag=True)
def get_arbitration(request: Request, session: ReadSession) -> Response:
    """Strategy, floor and what goes first, and which of that is stored rather than a setting."""
    stored = read_stored(session.connection())
    return conditional_response(request, _encode(stored, request), _etag_of(stored))


@router.write_route(
    "PATCH",
    PATH,
    "Change how offers are ranked",
    "arbitration-changed",
    "policy-refused",
    model=ArbitrationOut,
)
def update_arbitration(
    change: ArbitrationPatch, by: Writer, writing: UnitOfWorkDep, request: Request, if_match: IfMatch = None
) -> Response:
    """Store some fields in place of the settings; null gives a field back to its setting. It is felt by the next answer
    on every worker.
    """

    def work(write: UnitOfWork) -> Response:
        take_turn(write.connection, POLICY_TURNS)
        before = read_stored(write.connection)
        if if_match is not None and not is_named(_etag_of(before), if_match):
            raise ArbitrationChanged(before.version)
        if change.up_sell_scope is not None:
            checks_of(request, write.connection).check_scope(change.up_sell_scope)
        stored = change_stored(write.connection, before, change.apply(dict(before.definition)), by.key_id, write.now)
        if stored is not before:
            write.changes.touch(ARBITRATION_CHANGED, [NAME])
        headers = {"ETag": _etag_of(stored)}
        return Response(_encode(stored, request), headers=headers, media_type="application/json")

    return writing.answer(work)


@router.read_route(PATH + "/history", "List changes of how offers are ranked")
def list_arbitration_versions(
    session: ReadSession, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE_ITEMS
) -> Page[ArbitrationVersionOut]:
    """Who changed it when, and what was stored before and after; the newest change first."""
    rows, next_cursor = page_of_versions(session.connection(), RankingVersion.name, NAME, cursor, limit)
    items = [ArbitrationVersionOut.model_validate(row, from_attributes=True) for row in rows]
    return Page(items=items, next_cursor=next_cursor)


def _etag_of(stored: Stored) -> str:
    return f'"v{stored.version}"'


def _encode(stored: Stored, request: Request) -> bytes:
    """Encode an ``ArbitrationOut``."""
    options = components_of(request.app).get(Settings).arbitration
    values: dict[str, Any] = {
        "strategy": options.strategy,
        "min_propensity": options.min_propensity,
        "min_expected_value_minor": options.min_expected_value_minor,
        "up_sell_first": options.is_up_sell_first,
        "up_sell_scope": None,
        "offer_valid_hours": options.valid_hours,
        **stored.definition,
        "stored": sorted(stored.definition),
        "version": stored.version,
        "updated_at": stored.updated_at,
        "updated_by": stored.updated_by,
    }
    return orjson.dumps(values, option=orjson.OPT_UTC_Z)
