"""Shows the trained artifacts, and activates them."""

from contextlib import suppress
from itertools import islice
from typing import Annotated, Any, Final

import orjson
from fastapi import Path, Query, Request, Response
from sqlalchemy.exc import SQLAlchemyError

from models.artifact import Manifest
from service.base.clock import Clock
from service.base.components import Components, components_of
from service.base.examples import ARTIFACT_VERSION
from service.base.pagination import IDENTIFIER, Page, cut_page, decode_cursor
from service.registry.schemas import ArtifactDetail, ArtifactOut, ArtifactState
from service.sync.artifact_holder import ArtifactHolder
from service.sync.artifact_store import ArtifactStore, Listed
from service.sync.errors import RegistryUnreadable
from service.web.etag import etag_response
from service.web.parameters import DEFAULT_PAGE_ITEMS, Cursor, Limit
from service.web.responses import JsonResponse
from service.web.routing import Router

router = Router("artifacts")
_LIST_NAME: Final = ("artifacts",)
VersionInPath = Annotated[str, Path(min_length=1, max_length=200, examples=[ARTIFACT_VERSION])]


@router.read_route("/artifacts", "List trained artifacts", model=Page[ArtifactOut], has_etag=True)
def list_artifacts(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE_ITEMS) -> Response:
    """Every artifact in the folder, newest data first, with the gate's verdict and the metrics behind it."""
    components = components_of(request.app)
    stored = components.get(ArtifactStore).listed()
    before = decode_cursor(cursor, _LIST_NAME, IDENTIFIER)
    following = list(islice((listed for listed in stored if before is None or listed.version < before), limit + 1))
    listed, next_cursor = cut_page(following, limit, _LIST_NAME, lambda artifact: artifact.version)
    items = [_artifact(artifact, components) for artifact in listed]
    return etag_response(request, {"items": items, "next_cursor": next_cursor})


@router.read_route(
    "/artifacts/{version}",
    "Show an artifact",
    "artifact-not-found",
    "artifact-corrupt",
    model=ArtifactDetail,
    has_etag=True,
)
def get_artifact(request: Request, version: VersionInPath) -> Response:
    """One artifact with its parameters, the fingerprint of its data and the full evaluation report."""
    components = components_of(request.app)
    manifest, report = components.get(ArtifactStore).show(version)
    body = _artifact(Listed(version, manifest, None), components) | {
        "parameters": manifest.parameters,
        "data_fingerprint": manifest.data_fingerprint,
        "library_versions": manifest.library_versions,
        "report": orjson.loads(report),
    }
    return etag_response(request, body)


@router.admin_route(
    "/artifacts/rollback",
    "Go back to the artifact before",
    "nothing-to-roll-back",
    "registry-unreadable",
    model=ArtifactOut,
)
def roll_back_artifact(request: Request) -> Response:
    """Activate the good artifact that was active before. Every worker serves from it within seconds."""
    components = components_of(request.app)
    return _activated(components, components.get(ArtifactStore).rollback(now=components.get(Clock).now()))


@router.admin_route(
    "/artifacts/{version}/activate",
    "Activate an artifact",
    "artifact-not-found",
    "artifact-corrupt",
    "artifact-rejected",
    model=ArtifactOut,
)
def activate_artifact(
    request: Request,
    version: VersionInPath,
    force: Annotated[bool, Query(description="Serve it although the evaluation gate rejected it.")] = False,
) -> Response:
    """Verify an artifact and make it the one in use. Every worker serves from it within seconds, without a pause.

    One that is corrupt, partial or foreign is refused, and the one in use stays.
    """
    components = components_of(request.app)
    components.get(ArtifactStore).activate(version, force=force, now=components.get(Clock).now())
    return _activated(components, version)


def _activated(components: Components, version: str) -> Response:
    # So that this worker serves from it before the answer; while the database is away it waits, as the others do.
    with suppress(SQLAlchemyError):
        components.get(ArtifactHolder).poll()
    manifest, _ = components.get(ArtifactStore).show(version)
    return JsonResponse(orjson.dumps(_artifact(Listed(version, manifest, None), components)))


def _artifact(listed: Listed, components: Components) -> dict[str, Any]:
    manifest = listed.manifest
    current = components.get(ArtifactHolder).current
    return {
        "version": listed.version,
        "state": _state(manifest),
        "reason": manifest.verdict.reason if manifest else listed.problem,
        "is_active": listed.version == _active_version(components),
        "is_live": current is not None and current.version == listed.version,
        "label": manifest.label if manifest else "",
        "as_of": manifest.as_of if manifest else None,
        "timezone": manifest.timezone if manifest else None,
        "reporting_currency": manifest.reporting_currency if manifest else None,
        "counts": manifest.counts if manifest else {},
        "metrics": manifest.metrics if manifest else {},
    }


def _state(manifest: Manifest | None) -> ArtifactState:
    if manifest is None:
        return ArtifactState.INVALID
    return ArtifactState.APPROVED if manifest.verdict.is_approved else ArtifactState.REJECTED


def _active_version(components: Components) -> str | None:
    try:
        return components.get(ArtifactStore).active_version()
    except RegistryUnreadable:
        return None
