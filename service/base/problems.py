"""Problem details (RFC 9457): the one form of every error answer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.base.errors import PROBLEMS, DatabaseUnavailable, DomainError

MEDIA_TYPE = "application/problem+json"
CODE_BY_STATUS = {400: "body-unreadable", 404: "route-not-found", 405: "method-not-allowed", 413: "body-too-large"}
MAX_FIELD_ERRORS = 50
RETRY_AFTER_SECONDS = 5


class FieldError(BaseModel):
    """One thing that is wrong with the request."""

    loc: list[str | int] = Field(description="Where: `body`, `query`, `path` or `header`, then the way to the field.")
    message: str = Field(description="What is wrong, in words.")
    code: str = Field(description="The kind of mistake, such as `missing` or `string_too_long`.")


class Problem(BaseModel):
    """What went wrong, by RFC 9457. Branch on `code`: it is stable."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="URI of the kind of problem.", examples=["urn:nextoffer:problem:request-invalid"])
    title: str = Field(description="The kind of problem in words, always the same for a code.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened this time.")
    instance: str = Field(description="URI of this one occurrence.")
    code: str = Field(description="The kind of problem as a stable code.", examples=["request-invalid"])
    request_id: str = Field(description="The `X-Request-ID` of the request; quote it when asking for help.")
    errors: list[FieldError] | None = Field(default=None, description="With `request-invalid`: each mistake.")
    retry_after_seconds: int | None = Field(
        default=None, description="With status 429 and 503: when to try again, as in the header `Retry-After`."
    )


def problem_response(
    request_id: str,
    code: str,
    detail: str,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    """Render one problem."""
    kind = PROBLEMS[code]
    body = {
        "type": f"urn:nextoffer:problem:{code}",
        "title": kind.title,
        "status": status or kind.status,
        "detail": _encodable(detail),
        "instance": f"urn:nextoffer:request:{request_id}",
        "code": code,
        "request_id": request_id,
        **members,
    }
    return Response(orjson.dumps(body), status or kind.status, headers, MEDIA_TYPE)


def request_id_of(request: Request) -> str:
    """The identifier that the middleware gave to the request."""
    request_id: str = request.scope.get("nextoffer.request_id", "")
    return request_id


async def answer_domain_error(request: Request, error: Exception) -> Response:
    """Render a domain error by the table."""
    assert isinstance(error, DomainError)  # noqa: S101 - what it is registered for
    kind = PROBLEMS[error.code]
    headers = {"WWW-Authenticate": 'Bearer realm="nextoffer"'} if kind.status == 401 else {}
    members = {}
    if kind.status in (429, 503):
        members["retry_after_seconds"] = getattr(error, "retry_after_seconds", RETRY_AFTER_SECONDS)
        headers["Retry-After"] = str(members["retry_after_seconds"])
    return problem_response(request_id_of(request), error.code, str(error), headers=headers, **members)


async def answer_http_error(request: Request, error: Exception) -> Response:
    """Render an error of the framework: an unknown route, a wrong method, a body that it can't read."""
    assert isinstance(error, HTTPException)  # noqa: S101
    # While a body is read, the framework wraps what our middleware raises (no key, too large) in a plain 400.
    if isinstance(error.__cause__, DomainError):
        return await answer_domain_error(request, error.__cause__)
    code = CODE_BY_STATUS.get(error.status_code, "http-error")
    headers, detail = error.headers, str(error.detail)
    if error.status_code == 404:
        detail = "There is no such path. openapi.yaml lists all paths; so do /docs and /openapi.json, if switched on."
    elif error.status_code == 405:
        headers = {"Allow": allowed_methods(request)}
        detail = f"This path takes only {headers['Allow']}."
    return problem_response(request_id_of(request), code, detail, status=error.status_code, headers=headers)


def allowed_methods(request: Request) -> str:
    """Return every method of the path. The framework names only those of the first route that matches it.

    A route that spells the path out goes before one that takes it for an identifier.
    """
    path = request.scope["path"]
    matching = [route for route in iter_route_contexts(request.app.routes) if route.path_regex.match(path)]
    spelt_out = [route for route in matching if route.path_format == path]
    return ", ".join(sorted({method for route in spelt_out or matching for method in route.methods or ()}))


async def answer_invalid_request(request: Request, error: Exception) -> Response:
    """Render validation errors. What was sent is never repeated: it may be personal or hostile."""
    assert isinstance(error, RequestValidationError)  # noqa: S101
    mistakes = error.errors()
    detail = f"{len(mistakes)} field{'s are' if len(mistakes) > 1 else ' is'} not valid; see errors."
    return problem_response(request_id_of(request), "request-invalid", detail, errors=_field_errors(mistakes))


async def answer_database_error(request: Request, _error: Exception) -> Response:
    """Render a database that does not answer."""
    return await answer_domain_error(request, DatabaseUnavailable())


def _field_errors(mistakes: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {
            "loc": [_encodable(part) if isinstance(part, str) else part for part in error["loc"]],
            # A validator's own words come with pydantic's prefix.
            "message": _encodable(error["msg"].removeprefix("Value error, ")),
            "code": error["type"],
        }
        for error in mistakes[:MAX_FIELD_ERRORS]
    ]


def _encodable(text: str) -> str:
    # A lone surrogate is no Unicode text: it could not be encoded in the answer.
    return text.encode(errors="replace").decode()[:500]


HANDLERS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    DomainError: answer_domain_error,
    HTTPException: answer_http_error,
    RequestValidationError: answer_invalid_request,
    OperationalError: answer_database_error,
    InterfaceError: answer_database_error,
    PoolTimeout: answer_database_error,
}


async def respond_to_error(request: Request, error: Exception) -> Response:
    """Render an error by the handler of its type, as the framework does; raises it again where there is none."""
    for kind in type(error).__mro__:
        if kind in HANDLERS:
            return await HANDLERS[kind](request, error)
    raise error


def install_problem_handlers(app: Starlette) -> None:
    """Answer every error with problem details."""
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)
