"""Decodes hot requests straight into models: one pass in Rust. The framework's way costs several times as much."""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.types import Scope

from service.errors import BodyTooLarge, MediaTypeUnsupported

Model = TypeVar("Model", bound=BaseModel)
HEADERS = "nextoffer.headers"


def header(scope: Scope, name: bytes) -> str | None:
    """Return a header's value, the last one where it is repeated. name: in lower case."""
    found: bytes | None = headers_of(scope).get(name)
    return None if found is None else str(found, "latin-1")


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers by name, laid out once per request."""
    headers: dict[bytes, bytes] | None = scope.get(HEADERS)
    if headers is None:
        headers = scope[HEADERS] = dict(scope["headers"])
    return headers


def read_parameters(request: Request, model: type[Model]) -> Model:
    """Read path and query parameters; raises RequestValidationError. Unknown query parameters are passed over."""
    fields: dict[str, Any] = request.path_params
    if query := request.scope["query_string"]:
        named = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        fields = {**named, **fields}
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        path = request.path_params
        raise RequestValidationError(located(error, lambda name: "path" if name in path else "query")) from None


async def read_body(request: Request, model: type[Model], max_bytes: int) -> tuple[Model, bytes]:
    """Read and validate the body; return it decoded, and as it came.

    Raises MediaTypeUnsupported, BodyTooLarge, or RequestValidationError for all that is wrong with the JSON:
    its syntax, its encoding, its depth, or its fields.
    """
    if not is_json(header(request.scope, b"content-type")):
        raise MediaTypeUnsupported("application/json")
    body = await _whole_body(request, max_bytes)
    try:
        return model.model_validate_json(body), body
    except ValidationError as error:
        raise RequestValidationError(located(error, lambda _: "body")) from None


async def _whole_body(request: Request, max_bytes: int) -> bytes:
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise BodyTooLarge(max_bytes)
    if len(body) > max_bytes:
        raise BodyTooLarge(max_bytes)
    return body


def located(error: ValidationError, place_of: Callable[[object], str]) -> list[dict[str, Any]]:
    """Return pydantic's findings as the framework's, without what was sent."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [{**one, "loc": (place_of(one["loc"][0] if one["loc"] else None), *one["loc"])} for one in found]


def is_json(content_type: str | None) -> bool:
    """Tell whether a Content-Type is JSON; a body without one is taken for JSON."""
    if content_type is None or content_type == "application/json":
        return True
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
