"""Answers that a dashboard may poll: an ETag, and 304 where nothing changed."""

from hashlib import sha256

import orjson
from starlette.requests import Request
from starlette.responses import Response


def etag_response(request: Request, body: object) -> Response:
    """Encode a JSON body with its ETag, or answer 304 if the caller has this very body."""
    content = orjson.dumps(body)
    etag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")


def matches(if_none_match: str | None, etag: str) -> bool:
    """Tell whether an If-None-Match header names the ETag, by weak comparison (RFC 9110, 13.1.2)."""
    if if_none_match is None:
        return False
    named = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return etag in named or named == ["*"]
