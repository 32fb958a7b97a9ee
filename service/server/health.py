"""Is it alive, is it ready, and what does Prometheus want to know. They read memory only."""

from enum import StrEnum
from typing import Any

from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from service.auth.keys import Scope
from service.base.clock import Clock
from service.base.components import Components, components_of
from service.base.problems import problem_response, request_id_of
from service.base.telemetry import Telemetry
from service.sync.artifact_holder import ArtifactHolder
from service.sync.follower import ChangeFollower
from service.web.openapi_parts import problems
from service.web.routing import Router

router = Router("operation", prefix="")


class CheckState(StrEnum):
    """How one check went."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILING = "failing"


class Check(BaseModel):
    """One thing that the service needs."""

    name: str = Field(description="`database`, `artifact` or `offers`.")
    state: CheckState
    detail: str = Field(description="What is there or missing, and what to do.")


class Health(BaseModel):
    """The process runs."""

    status: str = Field(examples=["alive"])


class Readiness(BaseModel):
    """Ready, perhaps with something missing."""

    status: CheckState = Field(description="`ok`, or `degraded` if requests are answered with something missing.")
    checks: list[Check]


@router.get("/healthz", operation_id="get_health", summary="Is the process alive?", response_model=Health)
async def get_health() -> Response:
    """Answers as long as the process runs; needs no key. It says nothing about data: see `/readyz`."""
    return Response(b'{"status":"alive"}', media_type="application/json")


@router.get(
    "/readyz",
    operation_id="get_readiness",
    summary="Is the service ready?",
    response_model=Readiness,
    responses=problems("not-ready"),
)
async def get_readiness(request: Request) -> Readiness | Response:
    """Names each check and what is missing; needs no key.

    503 while no good artifact is loaded: recommendations are then answered all the same, from popular products. A
    database that does not answer makes the service `degraded`, not unready: recommendations go on from memory, and
    taking every replica out of the load balancer would end them.
    """
    checks = run_checks(components_of(request.app))
    if any(check.name == "artifact" and check.state is CheckState.FAILING for check in checks):
        failing = ", ".join(check.name for check in checks if check.state is not CheckState.OK)
        members: dict[str, Any] = {"checks": [check.model_dump(mode="json") for check in checks]}
        return problem_response(request_id_of(request), "not-ready", f"See checks: {failing}.", **members)
    is_ok = all(check.state is CheckState.OK for check in checks)
    return Readiness(status=CheckState.OK if is_ok else CheckState.DEGRADED, checks=checks)


def run_checks(components: Components) -> list[Check]:
    """Look at everything that the service needs."""
    holder = components.get(ArtifactHolder)
    return [_check_database(components.get(ChangeFollower)), _check_artifact(holder), _check_offers(holder)]


def _check_database(follower: ChangeFollower) -> Check:
    if follower.is_database_up:
        return Check(name="database", state=CheckState.OK, detail="It answers, and its schema is current.")
    return Check(name="database", state=CheckState.FAILING, detail="It does not answer.")


def _check_artifact(holder: ArtifactHolder) -> Check:
    if not holder.has_artifact:
        return Check(name="artifact", state=CheckState.FAILING, detail=holder.problem or "None is loaded.")
    if holder.problem:
        return Check(name="artifact", state=CheckState.DEGRADED, detail=holder.problem)
    return Check(
        name="artifact", state=CheckState.OK, detail=f"{holder.current.version if holder.current else None} is live."
    )


def _check_offers(holder: ArtifactHolder) -> Check:
    if holder.current is None:
        return Check(name="offers", state=CheckState.FAILING, detail="The catalogue is empty: import products, orders.")
    if holder.current.is_fallback:
        return Check(name="offers", state=CheckState.DEGRADED, detail="Answers come from popular products.")
    return Check(name="offers", state=CheckState.OK, detail="Answers come from the artifact.")


@router.read_route(
    "/metrics", "Telemetry for Prometheus", file_types=["text/plain"], scopes=[Scope.METRICS, Scope.READ]
)
async def get_metrics(request: Request) -> Response:
    """Counts and latencies of this process, in Prometheus' text format."""
    components = components_of(request.app)
    now = components.get(Clock).now()
    return Response(components.get(Telemetry).render(now.timestamp()), media_type=CONTENT_TYPE_LATEST)
