"""Bounds on request bodies: they are read only once the sender is known, up to a size, and within a time."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.auth.dependencies import authenticate
from service.base.errors import BodyTooLarge, MediaTypeUnsupported, RequestTimeout
from service.base.headers import headers_of


class BodyGuard:
    """Pure ASGI, between the fast path and FastAPI, which reads bodies wherever a route asks for one."""

    def __init__(self, app: ASGIApp, max_bytes: int, timeout_seconds: float) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.timeout_seconds = timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            receive = GuardedReceive(scope, receive, self.max_bytes, self.timeout_seconds)
        await self.app(scope, receive, send)


class GuardedReceive:
    """The ``receive`` of one request. Raises KeyMissing, KeyInvalid, RateLimited, BodyTooLarge,
    MediaTypeUnsupported or RequestTimeout.
    """

    def __init__(self, scope: Scope, receive: Receive, max_bytes: int, timeout_seconds: float) -> None:
        self._scope = scope
        self._receive = receive
        self._max_bytes = max_bytes
        self._timeout_seconds = timeout_seconds
        self._deadline: float | None = None
        self._n_read = 0
        self._is_whole = False

    async def __call__(self) -> Message:
        if self._is_whole:
            # What comes after the body is the end of the connection, which may take as long as the answer.
            return await self._receive()
        if self._deadline is None:
            await authenticate(self._scope)
            refuse_announced(self._scope, self._max_bytes)
            refuse_form(self._scope)
            self._deadline = asyncio.get_running_loop().time() + self._timeout_seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimeout(self._timeout_seconds) from None
        self._is_whole = not message.get("more_body", False)
        self._n_read += len(message.get("body", b""))
        if self._n_read > self._max_bytes:
            raise BodyTooLarge(self._max_bytes)
        return message


def refuse_form(scope: Scope) -> None:
    """Raise MediaTypeUnsupported for a form, as ``curl -d`` announces any body: no route reads one."""
    headers = headers_of(scope)
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind == b"application/x-www-form-urlencoded" and headers.get(b"content-length") != b"0":
        raise MediaTypeUnsupported("application/json")


def refuse_announced(scope: Scope, max_bytes: int) -> None:
    """Raise BodyTooLarge where the Content-Length exceeds the bound, before the first byte is read."""
    value = headers_of(scope).get(b"content-length", b"")
    if value.isdigit() and int(value) > max_bytes:
        raise BodyTooLarge(max_bytes)
