"""Answers that dashboards poll: kept whole, by their URL, while what they are made from stays the same."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope as AsgiScope

from service.auth.dependencies import admit
from service.auth.keys import Scope
from service.base.components import components_of
from service.web.etag import conditional_response, etag_of
from service.web.read_your_writes import wait_for_min_sequence

MAX_RESPONSES: Final = 4_096
MAX_BYTES: Final = 64 * 1024 * 1024


class CachedResponse(NamedTuple):
    """One answer. route: what made it, for telemetry. made_from: the source version that this entry is valid for."""

    etag: str
    content: bytes
    route: Any
    made_from: object


class ResponseCache:
    """Answers by their whole URL, query included. They are dropped together when their source changes.

    source: returns what answers are made from now: an object that is replaced when anything in it changes.
    """

    def __init__(self, source: Callable[[], object]) -> None:
        self.source = source
        self._entries: dict[bytes, CachedResponse] = {}
        self._n_bytes = 0
        self._made_from: object = None

    def find(self, url: bytes) -> CachedResponse | None:
        """Return what was answered at a URL, if the same would be answered again."""
        entry = self._entries.get(url)
        return entry if entry is not None and entry.made_from is self.source() else None

    def keep(self, url: bytes, entry: CachedResponse) -> None:
        """Keep an answer. Each says what it was made from, so that one that came late is never taken for a new one."""
        is_full = len(self._entries) >= MAX_RESPONSES or self._n_bytes > MAX_BYTES
        if is_full or entry.made_from is not self._made_from:
            self._entries, self._n_bytes, self._made_from = {}, 0, entry.made_from
        replaced = self._entries.get(url)
        self._entries[url] = entry
        self._n_bytes += len(entry.content) - (len(replaced.content) if replaced else 0)


def cached_response(request: Request, make: Callable[[], object]) -> Response:
    """Answer with a JSON body and its ETag, or with 304 where the caller has it; keep the answer for the next one."""
    cache, url = components_of(request.app).get(ResponseCache), url_of(request.scope)
    entry = cache.find(url)
    if entry is None:
        made_from = cache.source()
        content = orjson.dumps(make(), option=orjson.OPT_UTC_Z)
        entry = CachedResponse(etag_of(content), content, request.scope.get("route"), made_from)
        cache.keep(url, entry)
    return conditional_response(request, entry.content, entry.etag)


async def respond_from_cache(request: Request) -> Response | None:
    """Answer what was answered before at the same URL, to one who may read; None where it must be made anew."""
    cache, url = components_of(request.app).get(ResponseCache), url_of(request.scope)
    entry = cache.find(url)
    if entry is None:
        return None
    request.scope["route"] = entry.route
    await admit(request, Scope.READ)
    await wait_for_min_sequence(request)
    # What was waited for may have changed the answer.
    entry = cache.find(url)
    return None if entry is None else conditional_response(request, entry.content, entry.etag)


def url_of(scope: AsgiScope) -> bytes:
    """Return path and query as they came."""
    path: bytes = scope["raw_path"]
    return path + b"?" + scope["query_string"] if scope["query_string"] else path
