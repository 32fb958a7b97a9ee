"""Answers a hot request from its bare HTTP message, with all that is done around every other request."""

import time
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote

from fastapi import FastAPI
from starlette.routing import BaseRoute

from service.auth.dependencies import presented_key
from service.hot_route import Call, HotRoute
from service.live.waiting import HEADER as MIN_SEQUENCE
from service.live.waiting import is_reached
from service.logs import Logs
from service.middleware import request_id_for
from service.state import State
from service.telemetry import Telemetry

LARGEST_BODY_BYTES: Final = 64 * 1024
"""A basket takes a hundredth of this. What is larger may take long, and gets a task of its own."""
REST_OF_PATH: Final = "/{%s:path}"
HEAD: Final = b"content-type: application/json\r\ncontent-length: %d\r\nx-request-id: %b\r\n\r\n"


class Found(NamedTuple):
    """A hot route, and what the request line told beside it."""

    route: HotRoute
    method: str
    rest: str
    query: bytes


class HotDesk:
    """Finds the hot route of a request and answers it at once, or leaves it to the application.

    Two dictionaries stand for the router: one of whole paths, one of paths up to a last parameter that may hold
    slashes. Whatever is unusual is left: another origin, a key that has a rate limit or is not known yet, a change that
    must be waited for, and all that ends in an error. The application then answers as if nobody had looked before it.
    """

    def __init__(
        self, app: FastAPI, routes: Sequence[BaseRoute], telemetry: Telemetry, logs: Logs, max_body_bytes: int
    ) -> None:
        self._app = app
        self._telemetry = telemetry
        self._logs = logs
        self.max_body_bytes = min(max_body_bytes, LARGEST_BODY_BYTES)
        self._whole: dict[tuple[bytes, bytes], HotRoute] = {}
        self._begun: dict[tuple[bytes, bytes], HotRoute] = {}
        for route in routes:
            if isinstance(route, HotRoute) and route.at_once:
                self._add(route)

    def _add(self, route: HotRoute) -> None:
        begin, places = route.path, self._whole
        if route.param_convertors:
            (name,) = route.param_convertors
            begin, places = route.path.removesuffix(REST_OF_PATH % name) + "/", self._begun
            assert "{" not in begin, "a hot route has no parameter but the rest of its path"  # noqa: S101
        for method in route.methods or ():
            places[method.encode(), begin.encode()] = route

    def find(self, method: bytes, url: bytes) -> Found | None:
        """Return the hot route of a request line. An address that is in no plain path and query is left alone."""
        path, _, query = url.partition(b"?")
        route = self._whole.get((method, path))
        if route is not None:
            return Found(route, method.decode(), "", query) if b"#" not in query else None
        for (its_method, begin), one in self._begun.items():
            if method == its_method and path.startswith(begin) and url.isascii() and b"#" not in url:
                return Found(one, method.decode(), unquote(path[len(begin) :].decode()), query)
        return None

    def answer(self, found: Found, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
        """Return the answer's own headers and its body; raises whatever speaks against answering here."""
        begun = time.perf_counter()
        state: State = self._app.state.nextoffer
        at_once = found.route.at_once
        assert at_once is not None  # noqa: S101 - only such routes are found
        named = dict(headers)
        principal = state.key_ring.known(presented_key(named))
        if principal is None or not principal.may(at_once.scope) or state.limiter.limits(principal):
            raise LeftToApplication
        if b"origin" in named or (MIN_SEQUENCE in named and not is_reached(state, named[MIN_SEQUENCE])):
            raise LeftToApplication
        content = at_once.answer(Call(state, principal, found.rest, found.query, named.get(b"content-type"), body))
        request_id = request_id_for(named)
        seconds = time.perf_counter() - begun
        route = found.route.path_format
        self._telemetry.observe_request(route, found.method, 200, seconds)
        self._logs.access(found.method, route, 200, seconds, request_id, principal.key_id)
        return HEAD % (len(content), request_id.encode()) + content


class LeftToApplication(Exception):
    """The request is not one that is answered at once."""
