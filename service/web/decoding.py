"""Decodes requests of fast routes straight into models, in one pass of pydantic's Rust code.

FastAPI's own decoding costs several times as much.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from service.base.components import components_of
from service.base.errors import BodyTooLarge, MediaTypeUnsupported, RequestTimeout
from service.base.headers import headers_of
from service.base.settings import Settings
from service.web.body_guard import refuse_announced
from service.web.query_parameters import refuse_unknown_parameters

Model = TypeVar("Model", bound=BaseModel)


def decode_parameters(path: dict[str, Any], query: bytes, model: type[Model], repeated: Collection[str] = ()) -> Model:
    """Read path and query parameters; raises RequestValidationError, for unknown query parameters, too.

    repeated: parameters that are lists of all values that are given; of the others, the last value counts.
    """
    refuse_unknown_parameters(query, model.model_fields.keys() - path.keys())
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    named: dict[str, Any] = dict(pairs)
    for name in named.keys() & repeated:
        named[name] = [value for given, value in pairs if given == name]
    try:
        return model.model_validate({**named, **path})
    except ValidationError as error:
        raise RequestValidationError(located(error, lambda name: "path" if name in path else "query")) from None


def decode_body(body: bytes, model: type[Model]) -> Model:
    """Read JSON; raises RequestValidationError for all that is wrong: its syntax, encoding, depth, or fields."""
    with errors_of_body():
        return model.model_validate_json(body)


@contextmanager
def errors_of_body() -> Iterator[None]:
    """Raise RequestValidationError where what a body gives, or makes of something stored, is not valid."""
    try:
        yield
    except ValidationError as error:
        raise RequestValidationError(located(error, lambda _: "body")) from None


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Read a body of JSON to its end, within the bounds that the settings set for every body, and ``max_bytes``.

    Whoever calls it has admitted the sender. Raises MediaTypeUnsupported or BodyTooLarge before the first byte, and
    BodyTooLarge, RequestTimeout or ClientDisconnect.
    """
    settings = components_of(request.app).get(Settings)
    max_bytes = min(max_bytes, settings.max_body_bytes)
    refuse_other_than_json(headers_of(request.scope).get(b"content-type"))
    refuse_announced(request.scope, max_bytes)
    message = _receive_at_once(request.receive)
    if message is not None and not message.get("more_body"):
        return _append(b"", message, max_bytes)
    try:
        async with asyncio.timeout(settings.body_timeout_seconds):
            return await _read_to_end(request.receive, message, max_bytes)
    except TimeoutError:
        raise RequestTimeout(settings.body_timeout_seconds) from None


def _receive_at_once(receive: Receive) -> Message | None:
    """Return the next message if it is here already, as most bodies are: a timer would cost 4 % of such a request."""
    receiving: Any = receive()
    try:
        receiving.send(None)
    except StopIteration as arrived:
        message: Message = arrived.value
        return message
    # It waits. Nothing was received yet, so that it can be abandoned, as a timer would do.
    receiving.close()
    return None


async def _read_to_end(receive: Receive, message: Message | None, max_bytes: int) -> bytes:
    body = b"" if message is None else _append(b"", message, max_bytes)
    is_whole = False
    while not is_whole:
        message = await receive()
        body = _append(body, message, max_bytes)
        is_whole = not message.get("more_body", False)
    return body


def _append(body: bytes, message: Message, max_bytes: int) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    body += message.get("body", b"")
    if len(body) > max_bytes:
        raise BodyTooLarge(max_bytes)
    return body


def located(error: ValidationError, place_of: Callable[[object], str]) -> list[dict[str, Any]]:
    """Return pydantic's errors in the framework's form, without what was sent."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        {**detail, "loc": (place_of(detail["loc"][0] if detail["loc"] else None), *detail["loc"])} for detail in details
    ]


def refuse_other_than_json(content_type: bytes | None) -> None:
    """Raise MediaTypeUnsupported unless a Content-Type is JSON; a body without one is taken for JSON."""
    if content_type is None or content_type == b"application/json":
        return
    kind = content_type.partition(b";")[0].strip().lower()
    if kind != b"application/json" and not (kind.startswith(b"application/") and kind.endswith(b"+json")):
        raise MediaTypeUnsupported("application/json")
