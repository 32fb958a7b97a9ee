"""The two hot routes. They read memory only, and decode and admit by themselves: the framework's ways cost more."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from service.auth.dependencies import admit
from service.auth.keys import Scope
from service.decoding import read_body, read_parameters
from service.offers.decide import Decision, decide
from service.offers.decision_id import new_decision_id
from service.offers.errors import NothingToOffer
from service.offers.facts import Facts, gather
from service.offers.schemas import AccountQuery, RecommendationAnswer, RecommendationRequest
from service.openapi_parts import decoded_body, decoded_parameters, problems
from service.state import State

LARGEST_BODY_BYTES = 2 * 1024 * 1024
KEY_PROBLEMS = ("key-missing", "key-invalid", "scope-missing", "database-unavailable")

router = APIRouter(prefix="/v1/recommendations", tags=["recommendations"])


@router.get(
    "/{account_id:path}",
    operation_id="get_recommendations",
    summary="Recommend for an account",
    response_model=RecommendationAnswer,
    openapi_extra=decoded_parameters(AccountQuery, Scope.RECOMMEND, in_path="account_id"),
    responses=problems(*KEY_PROBLEMS, "request-invalid", "nothing-to-offer"),
)
async def get_recommendations(request: Request) -> Response:
    """What to offer an account next: products that it does not own yet, best first, each with its reason.

    An account that the model does not know gets the most popular products, with `account_known` false and `source`
    `popular`.
    """
    await admit(request, Scope.RECOMMEND)
    asked = read_parameters(request, AccountQuery)
    return answer(request.app.state.nextoffer, asked.account_id, asked.limit)


@router.post(
    "",
    operation_id="create_recommendations",
    summary="Recommend for an account, a basket, or both",
    response_model=RecommendationAnswer,
    openapi_extra=decoded_body(RecommendationRequest, Scope.RECOMMEND),
    responses=problems(
        *KEY_PROBLEMS, "body-too-large", "media-type-unsupported", "request-invalid", "nothing-to-offer"
    ),
)
async def create_recommendations(request: Request) -> Response:
    """What to offer at this moment: by the basket first, then by the account's history, then by popularity.

    A basket alone needs no account. An empty basket, or one that holds only unknown products, is no error: the answer
    falls back on the account, or on popular products, and `source` says so.
    """
    await admit(request, Scope.RECOMMEND)
    asked = await read_body(request, RecommendationRequest, LARGEST_BODY_BYTES)
    return answer(request.app.state.nextoffer, asked.account_id, asked.limit, asked.basket, asked.exclude)


def answer(
    state: State, account_id: str | None, limit: int, basket: Sequence[str] = (), exclude: Sequence[str] = ()
) -> Response:
    """Gather, decide, count and encode."""
    live = state.holder.live
    if live is None:
        raise NothingToOffer
    facts = gather(live.shelf, limit, account_id, basket, exclude)
    decision = decide(facts)
    is_degraded = live.is_fallback or not state.database_is_up()
    count(state, decision, is_degraded)
    body = render(decision, facts, account_id, live.version, is_degraded, state.now())
    return Response(orjson.dumps(body), media_type="application/json")


def count(state: State, decision: Decision, is_degraded: bool) -> None:
    """Feed the telemetry."""
    state.telemetry.count_answer(decision.source, is_degraded)
    for reason, n in decision.withheld.items():
        state.telemetry.withheld.labels(reason).inc(n)


def render(
    decision: Decision, facts: Facts, account_id: str | None, version: str | None, is_degraded: bool, now: datetime
) -> dict[str, Any]:
    """Lay out a ``RecommendationAnswer``."""
    return {
        "decision_id": new_decision_id(now),
        "account_id": account_id,
        "account_known": None if account_id is None else facts.account_row is not None,
        "generated_at": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "artifact_version": version,
        "source": decision.source,
        "degraded": is_degraded,
        "offers": decision.offers,
    }
