"""Answers a hot request from its bare HTTP message, with all that is done around every other request."""

import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote

from fastapi import FastAPI
from starlette.routing import BaseRoute

from service.auth.dependencies import presented_key
from service.auth.keys import Principal, Scope
from service.base.logging import Logs
from service.base.telemetry import Telemetry
from service.server.state import State
from service.web.fast_route import Call, FastRoute
from service.web.middleware import request_id_for
from service.web.read_your_writes import HEADER as MIN_SEQUENCE
from service.web.read_your_writes import is_reached
from service.web.response_cache import CACHE_CONTROL, CachedResponse, ResponseCache

MAX_BODY_BYTES: Final = 64 * 1024
"""A basket takes a hundredth of this. What is larger may take long, and gets a task of its own."""
REST_OF_PATH: Final = "/{%s:path}"
HEAD: Final = b"content-type: application/json\r\ncontent-length: %d\r\nx-request-id: %b\r\n\r\n"
KEPT_HEAD: Final = b"etag: %b\r\ncache-control: %b\r\n"
UNCHANGED: Final = b"x-request-id: %b\r\n\r\n"
OK: Final = b"HTTP/1.1 200 OK\r\n"
NOT_MODIFIED: Final = b"HTTP/1.1 304 Not Modified\r\n"


class Found(NamedTuple):
    """A hot route, and what the request line told beside it."""

    route: FastRoute
    method: str
    rest: str
    query: bytes


class Message(NamedTuple):
    """An answer: its status line, its own headers, and its body. The server's headers go between."""

    status_line: bytes
    rest: bytes


class FastPath:
    """Finds the hot route of a request and answers it at once, or leaves it to the application.

    What dashboards poll is hot, too, once the application has answered it: see ``service.web.response_cache``.

    Two dictionaries stand for the router: one of whole paths, one of paths up to a last parameter that may hold
    slashes. Whatever is unusual is left: another origin, a key that has a rate limit or is not known yet, a change that
    must be waited for, and all that ends in an error. The application then answers as if nobody had looked before it.
    """

    def __init__(
        self, app: FastAPI, routes: Sequence[BaseRoute], telemetry: Telemetry, logs: Logs, max_body_bytes: int
    ) -> None:
        self._app = app
        self._polled: ResponseCache = app.state.polled
        self._telemetry = telemetry
        self._logs = logs
        self.max_body_bytes = min(max_body_bytes, MAX_BODY_BYTES)
        self._whole: dict[tuple[bytes, bytes], FastRoute] = {}
        self._begun: dict[tuple[bytes, bytes], FastRoute] = {}
        for route in routes:
            if isinstance(route, FastRoute) and route.at_once:
                self._add(route)

    def _add(self, route: FastRoute) -> None:
        begin, places = route.path, self._whole
        if route.param_convertors:
            (name,) = route.param_convertors
            begin, places = route.path.removesuffix(REST_OF_PATH % name) + "/", self._begun
            assert "{" not in begin, "a hot route has no parameter but the rest of its path"  # noqa: S101
        for method in route.methods or ():
            places[method.encode(), begin.encode()] = route

    def find(self, method: bytes, url: bytes) -> Found | CachedResponse | None:
        """Return the hot route of a request line. An address that is in no plain path and query is left alone."""
        if method == b"GET" and (kept := self._polled.find(url)) is not None:
            return kept
        path, _, query = url.partition(b"?")
        route = self._whole.get((method, path))
        if route is not None:
            return Found(route, method.decode(), "", query) if b"#" not in query else None
        for (its_method, begin), one in self._begun.items():
            if method == its_method and path.startswith(begin) and url.isascii() and b"#" not in url:
                return Found(one, method.decode(), unquote(path[len(begin) :].decode()), query)
        return None

    def answer(self, found: Found | CachedResponse, headers: list[tuple[bytes, bytes]], body: bytes) -> Message:
        """Return the answer; raises whatever speaks against answering here."""
        begun = time.perf_counter()
        named = dict(headers)
        request_id = request_id_for(named)
        if isinstance(found, CachedResponse):
            principal = self._admit(named, Scope.READ)
            message, status = _kept_message(found, named.get(b"if-none-match"), request_id)
            method, route = "GET", found.route
        else:
            at_once = found.route.at_once
            assert at_once is not None  # noqa: S101 - only such routes are found
            principal = self._admit(named, at_once.scope)
            state: State = self._app.state.nextoffer
            content = at_once.answer(Call(state, principal, found.rest, found.query, named.get(b"content-type"), body))
            message, status = Message(OK, HEAD % (len(content), request_id.encode()) + content), 200
            method, route = found.method, found.route.path_format
        seconds = time.perf_counter() - begun
        self._telemetry.observe_request(route, method, status, seconds)
        self._logs.access(method, route, status, seconds, request_id, principal.key_id)
        return message

    def _admit(self, named: Mapping[bytes, bytes], scope: str) -> Principal:
        """Return who asks, if that can be told here; raises LeftToApplication."""
        state: State = self._app.state.nextoffer
        principal = state.key_ring.known(presented_key(named))
        if principal is None or not principal.may(scope) or state.limiter.limits(principal):
            raise LeftToApplication
        if b"origin" in named or (MIN_SEQUENCE in named and not is_reached(state, named[MIN_SEQUENCE])):
            raise LeftToApplication
        return principal


def _kept_message(kept: CachedResponse, if_none_match: bytes | None, request_id: str) -> tuple[Message, int]:
    named = None if if_none_match is None else str(if_none_match, "latin-1")
    head = KEPT_HEAD % (kept.etag.encode(), CACHE_CONTROL.encode())
    if kept.is_known_to(named):
        return Message(NOT_MODIFIED, head + UNCHANGED % request_id.encode()), 304
    return Message(OK, head + HEAD % (len(kept.body), request_id.encode()) + kept.body), 200


class LeftToApplication(Exception):
    """The request is not one that is answered at once."""
