"""Shows the trained artifacts, and activates them."""

from contextlib import suppress
from itertools import islice
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sqlalchemy.exc import SQLAlchemyError

from models.artifact import Manifest
from service.auth.dependencies import require
from service.base.examples import ARTIFACT_VERSION
from service.registry.schemas import ArtifactDetail, ArtifactOut, ArtifactPage, ArtifactState
from service.server.state import State
from service.sync.artifact_store import Listed
from service.sync.errors import RegistryUnreadable
from service.web.etag import etag_response
from service.web.fast_route import JsonResponse
from service.web.openapi_parts import NOT_MODIFIED, problems

router = APIRouter(prefix="/v1/artifacts", tags=["artifacts"])
read = Depends(require("read"))
admin = Depends(require("admin"))

VersionInPath = Annotated[str, Path(min_length=1, max_length=200, examples=[ARTIFACT_VERSION])]


@router.get(
    "",
    operation_id="list_artifacts",
    summary="List trained artifacts",
    response_model=ArtifactPage,
    dependencies=[read],
    responses=NOT_MODIFIED | problems("key-missing", "key-invalid", "scope-missing", "request-invalid"),
)
def list_artifacts(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")] = None,
) -> Response:
    """Every artifact in the folder, newest data first, with the gate's verdict and the metrics behind it."""
    state: State = request.app.state.nextoffer
    following = (listed for listed in state.store.listed() if cursor is None or listed.version < cursor)
    page = list(islice(following, limit + 1))
    artifacts = [_artifact(listed, state) for listed in page[:limit]]
    next_cursor = page[limit - 1].version if len(page) > limit else None
    return etag_response(request, {"artifacts": artifacts, "next_cursor": next_cursor})


@router.get(
    "/{version}",
    operation_id="get_artifact",
    summary="Show an artifact",
    response_model=ArtifactDetail,
    dependencies=[read],
    responses=NOT_MODIFIED
    | problems(
        "key-missing", "key-invalid", "scope-missing", "artifact-not-found", "artifact-corrupt", "request-invalid"
    ),
)
def get_artifact(request: Request, version: VersionInPath) -> Response:
    """One artifact with its parameters, the fingerprint of its data and the full evaluation report."""
    state: State = request.app.state.nextoffer
    manifest, report = state.store.show(version)
    body = _artifact(Listed(version, manifest, None), state) | {
        "parameters": manifest.parameters,
        "data_fingerprint": manifest.data_fingerprint,
        "library_versions": manifest.library_versions,
        "report": orjson.loads(report),
    }
    return etag_response(request, body)


@router.post(
    "/rollback",
    operation_id="roll_back_artifact",
    summary="Go back to the artifact before",
    response_model=ArtifactOut,
    dependencies=[admin],
    responses=problems("key-missing", "key-invalid", "scope-missing", "nothing-to-roll-back", "registry-unreadable"),
)
def roll_back_artifact(request: Request) -> Response:
    """Activate the good artifact that was active before. Every worker serves from it within seconds."""
    state: State = request.app.state.nextoffer
    return _activated(state, state.store.rollback(now=state.now()))


@router.post(
    "/{version}/activate",
    operation_id="activate_artifact",
    summary="Activate an artifact",
    response_model=ArtifactOut,
    dependencies=[admin],
    responses=problems(
        "key-missing",
        "key-invalid",
        "scope-missing",
        "artifact-not-found",
        "artifact-corrupt",
        "artifact-rejected",
        "request-invalid",
    ),
)
def activate_artifact(
    request: Request,
    version: VersionInPath,
    force: Annotated[bool, Query(description="Serve it although the evaluation gate rejected it.")] = False,
) -> Response:
    """Verify an artifact and make it the one in use. Every worker serves from it within seconds, without a pause.

    One that is corrupt, partial or foreign is refused, and the one in use stays.
    """
    state: State = request.app.state.nextoffer
    state.store.activate(version, force=force, now=state.now())
    return _activated(state, version)


def _activated(state: State, version: str) -> Response:
    # So that this worker serves from it before the answer; while the database is away it waits, as the others do.
    with suppress(SQLAlchemyError):
        state.holder.poll()
    manifest, _ = state.store.show(version)
    return JsonResponse(orjson.dumps(_artifact(Listed(version, manifest, None), state)))


def _artifact(listed: Listed, state: State) -> dict[str, Any]:
    manifest = listed.manifest
    current = state.holder.current
    return {
        "version": listed.version,
        "state": _state(manifest),
        "reason": manifest.verdict.reason if manifest else listed.problem,
        "is_active": listed.version == _active_version(state),
        "is_live": current is not None and current.version == listed.version,
        "as_of": manifest.as_of if manifest else None,
        "counts": manifest.counts if manifest else {},
        "metrics": manifest.metrics if manifest else {},
    }


def _state(manifest: Manifest | None) -> ArtifactState:
    if manifest is None:
        return ArtifactState.INVALID
    return ArtifactState.APPROVED if manifest.verdict.is_approved else ArtifactState.REJECTED


def _active_version(state: State) -> str | None:
    try:
        return state.store.active_version()
    except RegistryUnreadable:
        return None
