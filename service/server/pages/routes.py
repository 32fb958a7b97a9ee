"""The pages ``/`` and ``/docs``. They need no key, and tell nothing of the business."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from threading import Lock
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response

from service.base.clock import Clock
from service.base.components import Components, components_of
from service.server.health import CheckState, run_checks
from service.sync.artifact_holder import ArtifactHolder

router = APIRouter(include_in_schema=False)

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
OWN: Final = "service.server.pages", "files"
SWAGGER_UI: Final = "fastapi_offline", "static"
ASSETS: Final = {
    "pages.css": (OWN, "text/css"),
    "reference.js": (OWN, "text/javascript"),
    "swagger-ui.css": (SWAGGER_UI, "text/css"),
    "swagger-ui-bundle.js": (SWAGGER_UI, "text/javascript"),
}
ASSET_SECONDS: Final = 3600
_RENDERING: Final = Lock()
_LINK_IN_REPOSITORY: Final = re.compile(r"\[([^\]]*)\]\(docs/[^)]*\)")
STATES: Final = {
    CheckState.OK: "ready",
    CheckState.DEGRADED: "ready, with something missing: see readyz",
    CheckState.FAILING: "not ready: see readyz",
}


@router.get("/")
async def get_home(request: Request) -> Response:
    """Say what this is, and lead on: a page for people, JSON for who asks for it."""
    about = _about(request.app.version, components_of(request.app))
    headers = {**SECURITY_HEADERS, "Vary": "Accept", "Cache-Control": "no-cache"}
    if prefers_json(request.headers.get("accept", "")):
        return Response(orjson.dumps(about), media_type="application/json", headers=headers)
    shown = {
        "version": about["version"],
        "state": STATES[CheckState(about["status"])],
        "artifact": _artifact_text(about["artifact"]),
    }
    page = Template(_read(OWN, "home.html").decode()).substitute({name: escape(text) for name, text in shown.items()})
    return Response(page, media_type="text/html", headers=headers)


@router.get("/docs")
async def get_reference() -> Response:
    """The API reference, with forms to try calls out."""
    headers = {**SECURITY_HEADERS, "Cache-Control": "no-cache"}
    return Response(_read(OWN, "docs.html"), media_type="text/html", headers=headers)


@router.get("/docs/{name}")
async def get_asset(name: str, request: Request) -> Response:
    """A script or a style of the pages."""
    if name not in ASSETS:
        return Response(status_code=404, headers=SECURITY_HEADERS)
    folder, media_type = ASSETS[name]
    headers = {**SECURITY_HEADERS, "Cache-Control": f"public, max-age={ASSET_SECONDS}"}
    return Response(_read(folder, name), media_type=media_type, headers=headers)


@router.get("/openapi.json")
def get_openapi_document(request: Request) -> Response:
    """The OpenAPI document, of the version that answers. It is made when it is first asked for."""
    state = request.app.state
    # It takes about a second: once in each process, however many ask at the same time.
    with _RENDERING:
        if not hasattr(state, "openapi_json"):
            state.openapi_json = _render_document(request.app)
    return Response(state.openapi_json, media_type="application/json", headers=SECURITY_HEADERS)


def _render_document(app: Any) -> bytes:
    # It imports the application, which imports this.
    from service.server.openapi import document

    made = document(app)
    # Where this was asked for, and not where the service listens by default.
    made["servers"] = [{"url": "./"}]
    # These lead to files of the repository, which are not served.
    made["info"]["description"] = _LINK_IN_REPOSITORY.sub(r"\1", made["info"]["description"])
    return orjson.dumps(made)


def prefers_json(accept: str) -> bool:
    """Tell whether the header Accept names JSON, and before HTML if it names both."""
    weights = {"application/json": 0.0, "text/html": 0.0}
    for part in accept.lower().split(","):
        media_type, *parameters = (text.strip() for text in part.split(";"))
        if media_type in weights:
            weights[media_type] = _quality(parameters)
    return weights["application/json"] > weights["text/html"]


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def _about(version: str, components: Components) -> dict[str, Any]:
    states = {check.name: check.state for check in run_checks(components)}
    if states["artifact"] is CheckState.FAILING:
        status = CheckState.FAILING
    else:
        is_ok = all(state is CheckState.OK for state in states.values())
        status = CheckState.OK if is_ok else CheckState.DEGRADED
    holder = components.get(ArtifactHolder)
    as_of = holder.current.as_of if holder.current and holder.has_artifact else None
    return {
        "name": "nextoffer",
        "version": version,
        "status": status,
        "artifact": {
            "is_live": holder.has_artifact,
            "version": holder.current.version if holder.current and holder.has_artifact else None,
            "age_days": _age_days(as_of, components.get(Clock).now()),
        },
        "links": {"docs": "/docs", "openapi": "/openapi.json", "health": "/healthz", "readiness": "/readyz"},
    }


def _age_days(as_of: datetime | None, now: datetime) -> int | None:
    return None if as_of is None else max((now - as_of).days, 0)


def _artifact_text(artifact: Mapping[str, Any]) -> str:
    if not artifact["is_live"]:
        return "none is live: recommendations are popular products"
    days = artifact["age_days"]
    age = "" if days is None else f"; its data ends {days:,} {'day' if days == 1 else 'days'} ago"
    return f"{artifact['version']} is live{age}"


@cache
def _read(folder: tuple[str, str], name: str) -> bytes:
    package, inside = folder
    return files(package).joinpath(inside, name).read_bytes()
