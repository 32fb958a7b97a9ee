"""What happens around every request: request id, last-resort errors, telemetry, access log.

Pure ASGI: Starlette's ``@app.middleware`` would cost more than all of this together.
"""

import re
import time
from collections.abc import Mapping
from random import Random
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.auth.dependencies import PRINCIPAL
from service.base.headers import headers_of
from service.base.logging import Logs
from service.base.problems import problem_response
from service.base.telemetry import KNOWN_METHODS, Telemetry

REQUEST_ID_PATTERN = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
REQUEST_ID = "nextoffer.request_id"
_random = Random()  # noqa: S311  Seeded by the system in each process; an identifier is no secret.
CLIENT_LEFT = 499
"""What is counted when the caller hung up before there was an answer."""


class RequestEdge:
    """The outermost middleware but CORS."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, logs: Logs) -> None:
        self.app = app
        self.telemetry = telemetry
        self.logs = logs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        request_id = scope[REQUEST_ID] = request_id_for(headers_of(scope))
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except ClientDisconnect:
            # Nobody is there to be answered, and nothing is wrong here.
            status = CLIENT_LEFT
        except Exception:  # The last edge: whatever failed, the caller gets a problem and the log the trace.
            self.logs.log.exception("request failed", request_id=request_id, route=route_of(scope))
            if status == 0:
                answer = problem_response(request_id, "internal-error", "The failure was logged under this request id.")
                await answer(scope, receive, send_with_id)
        finally:
            self._observe(scope, status or CLIENT_LEFT, time.perf_counter() - begun)

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        try:
            self._count_and_log(scope, status, seconds)
        except Exception:  # The last edge: the request is answered, and a failure here must not undo that.
            self.logs.log.exception("telemetry failed", request_id=scope[REQUEST_ID])

    def _count_and_log(self, scope: Scope, status: int, seconds: float) -> None:
        route, method = route_of(scope), scope["method"]
        self.telemetry.observe_request(route, method, status, seconds)
        principal = scope.get(PRINCIPAL)
        key_id = principal.key_id if principal else None
        self.logs.access(
            method if method in KNOWN_METHODS else "other", route, status, seconds, scope[REQUEST_ID], key_id
        )


def request_id_for(headers: Mapping[bytes, bytes]) -> str:
    """Return the caller's request id if it is well-formed, or a fresh one."""
    given = headers.get(b"x-request-id")
    if given is not None and REQUEST_ID_PATTERN.fullmatch(given):
        return str(given, "ascii")
    return f"{_random.getrandbits(128):032x}"


def route_of(scope: Scope) -> str:
    """Return the template of the matched route, never the path: it may hold identifiers."""
    route: Any = scope.get("route")
    return getattr(route, "path_format", None) or getattr(route, "path", None) or "unmatched"
