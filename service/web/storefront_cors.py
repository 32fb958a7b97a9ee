"""Lets pages of the origins that storefront keys are bound to call from a browser, and read every answer.

The origins come and go with the keys, so no list in the settings is needed. ``CORSMiddleware`` serves the origins of
the settings.
"""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.auth.key_ring import KeyRing
from service.base.components import components_of
from service.base.headers import headers_of

MAX_AGE_SECONDS: Final = 600
"""How long a browser need not ask again."""
_PREFLIGHT_HEADERS: Final = (
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"Authorization, X-API-Key, Content-Type, X-Request-ID"),
    (b"access-control-max-age", b"%d" % MAX_AGE_SECONDS),
)
_EXPOSED: Final = (b"access-control-expose-headers", b"Retry-After, X-Request-ID")


class StorefrontCors:
    """Pure ASGI, outermost. A request without an Origin costs one look into its headers.

    static_origins: those of the settings, which are served elsewhere.
    """

    def __init__(self, app: ASGIApp, static_origins: tuple[str, ...]) -> None:
        self.app = app
        self._static = frozenset(origin.encode() for origin in static_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = headers_of(scope).get(b"origin") if scope["type"] == "http" else None
        if origin is None or not self._is_allowed(scope, origin):
            await self.app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and b"access-control-request-method" in headers_of(scope):
            await _answer_preflight(origin, send)
        else:
            await self.app(scope, receive, _readable_by(origin, send))

    def _is_allowed(self, scope: Scope, origin: bytes) -> bool:
        if origin in self._static or b"*" in self._static:
            return False
        return origin in components_of(scope["app"]).get(KeyRing).origins


async def _answer_preflight(origin: bytes, send: Send) -> None:
    headers = [(b"access-control-allow-origin", origin), (b"vary", b"Origin"), *_PREFLIGHT_HEADERS]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _readable_by(origin: bytes, send: Send) -> Send:
    async def send_readable(message: Message) -> None:
        if message["type"] == "http.response.start":
            allowed = ((b"access-control-allow-origin", origin), (b"vary", b"Origin"), _EXPOSED)
            message["headers"] = [*message["headers"], *allowed]
        await send(message)

    return send_readable
