"""Answers that a dashboard may poll: an ETag, and 304 where nothing changed."""

from hashlib import sha256
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

CACHE_CONTROL: Final = "private, no-cache"


def etag_response(request: Request, body: object) -> Response:
    """Encode a JSON body with its ETag, or answer 304 if the caller has this very body."""
    content = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    return conditional_response(request, content, etag_of(content))


def etag_of(content: bytes) -> str:
    """Return the strong ETag of a body, in its quotes."""
    return f'"{sha256(content).hexdigest()[:32]}"'


def conditional_response(request: Request, content: bytes, etag: str) -> Response:
    """Answer with a JSON body and its ETag, or with 304 if the caller has it."""
    headers = {"ETag": etag, "Cache-Control": CACHE_CONTROL}
    if is_named(etag, request.headers.get("if-none-match")):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")


def is_named(etag: str, header: str | None) -> bool:
    """Tell whether an If-Match or If-None-Match header names the ETag, by weak comparison (RFC 9110, 13.1.2)."""
    if header is None:
        return False
    named = tags_of(header)
    return etag in named or named == ["*"]


def tags_of(header: str) -> list[str]:
    """Return the ETags that a header names, as strong ones: a proxy that compresses an answer weakens its ETag."""
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]
