"""Coverage over HTTP."""

from typing import Annotated, Any, Final

import orjson
from fastapi import Query, Request, Response

from models.artifact.measures import share_with_interval
from service.base.clock import Clock
from service.base.components import components_of
from service.base.settings import Settings
from service.offers.coverage import Coverage, measure_coverage
from service.offers.coverage_schemas import CoverageOut
from service.offers.errors import NothingToOffer
from service.offers.schemas import DEFAULT_LIMIT, MAX_LIMIT
from service.offers.scores import accounts_of, sample_evenly
from service.rows.field_types import MAX_IDENTIFIER, NO_NUL
from service.sync.artifact_holder import ArtifactHolder
from service.web.responses import JsonResponse
from service.web.routing import Router

MAX_SAMPLE: Final = 2_000

router = Router("recommendations")


@router.read_route(
    "/offers/coverage",
    "Show who is left without an offer",
    "nothing-to-offer",
    "unknown-segment",
    model=CoverageOut,
    is_live=True,
)
def get_coverage(
    request: Request,
    segment_id: Annotated[
        str | None,
        Query(max_length=MAX_IDENTIFIER, pattern=NO_NUL, description="Only accounts of this segment."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Offers for each account.")] = DEFAULT_LIMIT,
    sample: Annotated[int, Query(ge=1, le=MAX_SAMPLE, description="Most accounts to decide for.")] = 500,
) -> Response:
    """Decides for a sample of accounts, the same each time, and counts: who has no offer, or fewer than asked for;
    which rules withhold how much; and which rule, lifted alone, would give accounts without offers one. Nothing is
    recorded.
    """
    components = components_of(request.app)
    loaded = components.get(ArtifactHolder).current
    if loaded is None:
        raise NothingToOffer
    accounts = accounts_of(loaded.state, loaded.segments, segment_id)
    options = components.get(Settings).arbitration
    coverage = measure_coverage(
        loaded.state, sample_evenly(accounts, sample), limit, options, components.get(Clock).now()
    )
    return JsonResponse(orjson.dumps({"accounts": len(accounts), "limit": limit} | describe_coverage(coverage)))


def describe_coverage(coverage: Coverage) -> dict[str, Any]:
    """Describe the counts, with the shares that people read."""
    rules = [
        {
            "reason": code,
            "candidates": n_candidates,
            "accounts": coverage.withheld_in[code],
            "opened_accounts": coverage.opened_by[code],
        }
        for code, n_candidates in coverage.withheld_candidates.most_common()
        if n_candidates
    ]
    return {
        "sampled_accounts": coverage.n_accounts,
        "without_offers": _share(coverage.without_offers, coverage.n_accounts),
        "short": _share(coverage.short, coverage.n_accounts),
        "objecting_accounts": coverage.objecting,
        "first_by_value": _share(coverage.first_by_value, coverage.ranked_by_value),
        "rules": rules,
    }


def _share(count: int, n: int) -> dict[str, Any]:
    return {"accounts": count, **share_with_interval(count, n)}
