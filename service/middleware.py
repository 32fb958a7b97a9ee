"""The one middleware: request id, body guard, last-resort errors, telemetry, access log.

Pure ASGI: Starlette's ``@app.middleware`` would cost more than all of this together.
"""

import os
import re
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.auth.dependencies import PRINCIPAL, authenticate
from service.errors import BodyTooLarge
from service.logs import Logs
from service.problems import problem_response
from service.telemetry import Telemetry

REQUEST_ID_PATTERN = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
REQUEST_ID = "nextoffer.request_id"
CLIENT_LEFT = 499
"""What is counted when the caller hung up before there was an answer."""


class RequestEdge:
    """What happens around every request."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, logs: Logs, max_body_bytes: int) -> None:
        self.app = app
        self.telemetry = telemetry
        self.logs = logs
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        request_id = scope[REQUEST_ID] = request_id_for(scope)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        if scope["method"] not in ("GET", "HEAD"):
            receive = guarded(scope, receive, self.max_body_bytes)
        try:
            await self.app(scope, receive, send_with_id)
        except Exception:  # The last edge: whatever failed, the caller gets a problem and the log the trace.
            self.logs.log.exception("request failed", request_id=request_id, route=route_of(scope))
            if status == 0:
                answer = problem_response(request_id, "internal-error", "The failure was logged under this request id.")
                await answer(scope, receive, send_with_id)
        finally:
            self._record(scope, status or CLIENT_LEFT, time.perf_counter() - begun)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route, method = route_of(scope), scope["method"]
        self.telemetry.observe_request(route, method, status, seconds)
        principal = scope.get(PRINCIPAL)
        self.logs.access(
            {
                "method": method if len(method) < 16 else "other",
                "route": route,
                "status": status,
                "milliseconds": round(seconds * 1000, 3),
                "request_id": scope[REQUEST_ID],
                "key_id": principal.key_id if principal else None,
            }
        )


def request_id_for(scope: Scope) -> str:
    """Return the caller's request id if it is well-formed, or a fresh one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID_PATTERN.fullmatch(value):
            return str(value, "ascii")
    return os.urandom(16).hex()


def route_of(scope: Scope) -> str:
    """Return the template of the matched route, never the path: it may hold identifiers."""
    route: Any = scope.get("route")
    return getattr(route, "path_format", None) or getattr(route, "path", None) or "unmatched"


def guarded(scope: Scope, receive: Receive, max_bytes: int) -> Receive:
    """Let a body be read only once its sender is known, and only up to the limit."""
    read_bytes = -1

    async def receive_guarded() -> Message:
        nonlocal read_bytes
        if read_bytes < 0:
            read_bytes = 0
            await authenticate(scope)
            if announced_bytes(scope) > max_bytes:
                raise BodyTooLarge(max_bytes)
        message = await receive()
        read_bytes += len(message.get("body", b""))
        if read_bytes > max_bytes:
            raise BodyTooLarge(max_bytes)
        return message

    return receive_guarded


def announced_bytes(scope: Scope) -> int:
    """Return the Content-Length, or 0 where none is given."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
