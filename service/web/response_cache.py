"""Answers that dashboards ask for again and again: kept whole, by address, while what they are made from stays."""

from collections.abc import Callable
from hashlib import sha256
from typing import Final, NamedTuple

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.web.etag import matches
from service.web.middleware import route_of

MAX_ANSWERS: Final = 4_096
MAX_BYTES: Final = 64 * 1024 * 1024
CACHE_CONTROL: Final = "private, no-cache"


class CachedResponse(NamedTuple):
    """One answer. route: the template of its route, for telemetry. made_from: what it holds as long as."""

    etag: str
    body: bytes
    route: str
    made_from: object

    def is_known_to(self, if_none_match: str | None) -> bool:
        """Tell whether the caller has this very answer."""
        return if_none_match == self.etag or matches(if_none_match, self.etag)


class ResponseCache:
    """Answers by their whole address, query included. They are dropped together when their source is another.

    source: what answers are made from now: an object that is replaced when anything in it changes.
    """

    def __init__(self, source: Callable[[], object]) -> None:
        self.source = source
        self._kept: dict[bytes, CachedResponse] = {}
        self._n_bytes = 0
        self._made_from: object = None

    def find(self, url: bytes) -> CachedResponse | None:
        """Return what was answered at an address, if it would be answered again."""
        kept = self._kept.get(url)
        return kept if kept is not None and kept.made_from is self.source() else None

    def keep(self, url: bytes, answer: CachedResponse) -> None:
        """Keep an answer. Each says what it was made from, so that one that came late is never taken for a new one."""
        if answer.made_from is not self._made_from or len(self._kept) >= MAX_ANSWERS or self._n_bytes > MAX_BYTES:
            self._kept, self._n_bytes, self._made_from = {}, 0, answer.made_from
        self._kept[url] = answer
        self._n_bytes += len(answer.body)


def cached_response(request: Request, make: Callable[[], object]) -> Response:
    """Answer with a JSON body and its ETag, or with 304 where the caller has it; keep the answer for the next one."""
    answers: ResponseCache = request.app.state.polled
    scope = request.scope
    url = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    kept = answers.find(url)
    if kept is None:
        made_from = answers.source()
        body = orjson.dumps(make())
        kept = CachedResponse(f'"{sha256(body).hexdigest()[:32]}"', body, route_of(scope), made_from)
        answers.keep(url, kept)
    headers = {"ETag": kept.etag, "Cache-Control": CACHE_CONTROL}
    if kept.is_known_to(request.headers.get("if-none-match")):
        return Response(status_code=304, headers=headers)
    return Response(kept.body, headers=headers, media_type="application/json")
