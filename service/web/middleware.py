"""The one middleware: request id, body guard, last-resort errors, telemetry, access log.

Pure ASGI: Starlette's ``@app.middleware`` would cost more than all of this together.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from random import Random
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.auth.dependencies import PRINCIPAL, authenticate
from service.base.errors import BodyTooLarge, RequestTimeout
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
    """What happens around every request."""

    def __init__(
        self, app: ASGIApp, telemetry: Telemetry, logs: Logs, max_body_bytes: int, body_timeout_seconds: float
    ) -> None:
        self.app = app
        self.body_timeout_seconds = body_timeout_seconds
        self.telemetry = telemetry
        self.logs = logs
        self.max_body_bytes = max_body_bytes

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

        if scope["method"] not in ("GET", "HEAD"):
            receive = guarded(scope, receive, self.max_body_bytes, self.body_timeout_seconds)
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


def guarded(scope: Scope, receive: Receive, max_bytes: int, timeout_seconds: float) -> Receive:
    """Let a body be read only once its sender is known, only up to the limit, and only for so long."""
    read_bytes = -1
    deadline = 0.0
    is_whole = False

    async def receive_guarded() -> Message:
        nonlocal read_bytes, deadline, is_whole
        if is_whole:
            # What comes after the body is the end of the connection, which may take as long as the answer.
            return await receive()
        if read_bytes < 0:
            read_bytes = 0
            if PRINCIPAL not in scope:
                await authenticate(scope)
            if announced_bytes(scope) > max_bytes:
                raise BodyTooLarge(max_bytes)
            deadline = asyncio.get_running_loop().time() + timeout_seconds
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise RequestTimeout(timeout_seconds) from None
        is_whole = not message.get("more_body", False)
        read_bytes += len(message.get("body", b""))
        if read_bytes > max_bytes:
            raise BodyTooLarge(max_bytes)
        return message

    return receive_guarded


def announced_bytes(scope: Scope) -> int:
    """Return the Content-Length, or 0 where none is given."""
    value = headers_of(scope).get(b"content-length", b"")
    return int(value) if value.isdigit() else 0
