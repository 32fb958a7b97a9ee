"""Recommendations over HTTP. They read memory only."""

import asyncio

import orjson
from fastapi import Request, Response

from service.auth.dependencies import admit
from service.auth.errors import AccountNotAllowed
from service.auth.keys import Principal, Scope
from service.base.components import components_of
from service.base.settings import Settings
from service.offers.batching import Batcher
from service.offers.public_fields import refuse_private_fields
from service.offers.request import OfferRequest
from service.offers.request_fields import MAX_IDENTIFIER
from service.offers.respond import Call, Recommender
from service.offers.schemas import (
    DEFAULT_LIMIT,
    AccountQuery,
    BatchAnswer,
    BatchRequest,
    RecommendationAnswer,
    RecommendationRequest,
)
from service.web.decoding import decode_body, decode_parameters, read_body
from service.web.openapi_parts import MIN_SEQUENCE, OTHER_SCOPES_KEY, decoded_body, decoded_parameters, problems
from service.web.query_parameters import refuse_unknown_parameters
from service.web.read_your_writes import wait_for_min_sequence
from service.web.responses import JsonResponse
from service.web.routing import Router

MAX_BODY_BYTES = 2 * 1024 * 1024
MAX_PUBLIC_BODY_BYTES = 64 * 1024
DECISION_LOG_WAIT_SECONDS = 0.005
ACCOUNTS_AT_ONCE = 50
"""A batch lets other requests in after so many accounts: some milliseconds."""

REPEATED_PARAMETERS = ("lines", "categories", "relations", "attributes", "fields")
PLAIN_PARAMETERS = {"account_id", "limit", "dry_run", "explain"}
LOGGED_PARAMETERS = {"limit", "explain", "channel", "include_owned", "price_max_minor", *REPEATED_PARAMETERS}

ANY_PROBLEMS = (
    "key-missing",
    "key-invalid",
    "scope-missing",
    "database-unavailable",
    "request-invalid",
    "nothing-to-offer",
    "rate-limited",
    "sequence-not-reached",
)
BODY_PROBLEMS = ("body-too-large", "media-type-unsupported")

router = Router("recommendations", prefix="/v1/recommendations")


@router.get(
    "/{account_id:identifier}",
    operation_id="get_recommendations",
    summary="Recommend for an account",
    response_model=RecommendationAnswer,
    openapi_extra=decoded_parameters(AccountQuery, Scope.RECOMMEND, MIN_SEQUENCE, in_path="account_id"),
    responses=problems(*ANY_PROBLEMS),
)
async def get_recommendations(request: Request) -> Response:
    """What to offer an account next: products that it does not own yet, best first, each with its reason.

    Orders, returns and objections take effect in the next answer. An account that is new since the training gets offers
    from what it bought so far; one that nobody knows gets the most popular products, with `account_known` false and
    `source` `popular`. An account that objects to marketing gets none.
    """
    principal = await admit_current(request)
    wanted, logged = read_account_request(request.path_params["account_id"], request.scope["query_string"])
    return await respond(request, Call(principal, wanted, logged))


@router.post(
    "",
    operation_id="create_recommendations",
    summary="Recommend for an account, a basket, or both",
    response_model=RecommendationAnswer,
    openapi_extra=decoded_body(RecommendationRequest, Scope.RECOMMEND, MIN_SEQUENCE)
    | {OTHER_SCOPES_KEY: [Scope.STOREFRONT.value]},
    responses=problems(*ANY_PROBLEMS, *BODY_PROBLEMS, "origin-not-allowed", "account-not-allowed", "field-not-allowed"),
)
async def create_recommendations(request: Request) -> Response:
    """What to offer at this moment: by the basket first, then by the account's history, then by popularity.

    Where an upgrade of something owned or in the basket qualifies, it comes before all else.

    `among` ranks what the caller names, by the same rules and figures: each product is offered, or `considered` says
    why not. `explain` tells the same of every candidate.

    A basket alone needs no account. An empty basket, or one that holds only unknown products, is no error: the answer
    falls back on the account, or on popular products, and `source` says so.

    A key with the scope `storefront` may be used in web pages: from its origins only, and without an account. Its
    answers leave out what tells of the business: `withheld` and `withheld_by_policy` are empty, and `sequence` is 0.
    Its `fields` and `attributes` may name only what the setting `NEXTOFFER_STOREFRONT_FIELDS` lists: by default `name`,
    `line`, `category`, `price_minor`, `currency`, `url` and `image_url`.
    """
    principal = await admit(request, Scope.RECOMMEND, Scope.STOREFRONT)
    refuse_parameters(request)
    if not principal.is_public:
        await wait_for_min_sequence(request)
    body = await read_body(request, MAX_PUBLIC_BODY_BYTES if principal.is_public else MAX_BODY_BYTES)
    given = decode_body(body, RecommendationRequest)
    if principal.is_public and given.account_id is not None:
        raise AccountNotAllowed
    wanted = given.wanted()
    if principal.is_public:
        refuse_private_fields(wanted, components_of(request.app).get(Settings).storefront_fields)
    return await respond(request, Call(principal, wanted, body))


@router.post(
    "/batch",
    operation_id="create_recommendations_batch",
    summary="Recommend for many accounts",
    response_model=BatchAnswer,
    openapi_extra=decoded_body(BatchRequest, Scope.RECOMMEND, MIN_SEQUENCE),
    responses=problems(*ANY_PROBLEMS, *BODY_PROBLEMS),
)
async def create_recommendations_batch(request: Request) -> Response:
    """Answers for up to 1,000 accounts in one call, many times as fast as single calls; each is a decision of its own.

    Other requests are let in between, so that a batch does not keep a checkout waiting.
    """
    principal = await admit_current(request)
    refuse_parameters(request)
    given = decode_body(await read_body(request, MAX_BODY_BYTES), BatchRequest)
    return JsonResponse(await respond_in_parts(request, principal, given))


async def respond(request: Request, call: Call) -> Response:
    """Answer one call, together with those that arrive at the same time."""
    return JsonResponse(await components_of(request.app).get(Batcher).respond(call))


async def respond_in_parts(request: Request, principal: Principal, given: BatchRequest) -> bytes:
    """Answer some accounts at a time, and no faster than decisions are written: a batch has time to wait."""
    recommender = components_of(request.app).get(Recommender)
    fields = tuple(dict.fromkeys(given.fields or ()))
    wanted = OfferRequest(
        None,
        given.limit,
        exclude=given.exclude,
        is_dry_run=given.dry_run,
        placement=given.placement,
        filter=given.offer_filter(),
        fields=fields,
        context=given.context,
        among=given.among or (),
        channel=given.channel,
        includes_owned=given.include_owned,
    )
    logged = orjson.dumps(given.model_dump(exclude={"account_ids"}, exclude_unset=True))
    answers: list[bytes] = []
    for start in range(0, len(given.account_ids), ACCOUNTS_AT_ONCE):
        await asyncio.sleep(0)
        while recommender.is_behind:
            await asyncio.sleep(DECISION_LOG_WAIT_SECONDS)
        account_ids = given.account_ids[start : start + ACCOUNTS_AT_ONCE]
        calls = [Call(principal, wanted._replace(account_id=account_id), logged) for account_id in account_ids]
        for answer in recommender.respond_many(calls):
            if isinstance(answer, Exception):
                raise answer
            answers.append(answer)
    return b'{"items":[' + b",".join(answers) + b"]}"


def read_account_request(account_id: str, query: bytes) -> tuple[OfferRequest, bytes]:
    """Read what is asked for one account, and return it with what the decision log keeps of it.

    Raises RequestValidationError.
    """
    # Most requests have no query, and need no validation.
    if not query and 0 < len(account_id) <= MAX_IDENTIFIER:
        return OfferRequest(account_id, DEFAULT_LIMIT), b'{"limit":%d}' % DEFAULT_LIMIT
    given = decode_parameters({"account_id": account_id}, query, AccountQuery, REPEATED_PARAMETERS)
    wanted = OfferRequest(
        given.account_id,
        given.limit,
        is_dry_run=given.dry_run,
        explains_all=given.explain is not None,
        channel=given.channel,
        includes_owned=given.include_owned,
    )
    if given.model_fields_set <= PLAIN_PARAMETERS and not wanted.explains_all:
        return wanted, b'{"limit":%d}' % given.limit
    wanted = wanted._replace(filter=given.offer_filter(), fields=tuple(dict.fromkeys(given.fields)))
    asked = given.model_dump(include=LOGGED_PARAMETERS, exclude_unset=True) | {"limit": given.limit}
    return wanted, orjson.dumps(asked)


def refuse_parameters(request: Request) -> None:
    """Raise RequestValidationError where a route that takes none has query parameters."""
    if query := request.scope["query_string"]:
        refuse_unknown_parameters(query, ())


async def admit_current(request: Request) -> Principal:
    """Let in who may ask, once the change that the request names is applied."""
    principal = await admit(request, Scope.RECOMMEND)
    await wait_for_min_sequence(request)
    return principal
