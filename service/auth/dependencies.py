"""``require(scope)``: what every route but the health checks depends on."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import Scope as AsgiScope

from service.auth.errors import KeyMissing, ScopeMissing
from service.auth.key_ring import KeyRing
from service.auth.keys import Principal
from service.auth.limits import RateLimiter
from service.base.components import components_of
from service.base.headers import headers_of

PRINCIPAL = "nextoffer.principal"


class RequireScope:
    """A dependency that lets in callers whose key has the scope, and returns who they are."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> Principal:
        return await admit(request, self.scope)


def require(scope: str) -> RequireScope:
    """Make the dependency: ``Depends(require("read"))``."""
    return RequireScope(scope)


async def admit(request: Request, scope: str) -> Principal:
    """Return who asks if their key has the scope; raises KeyMissing, KeyInvalid or ScopeMissing."""
    principal = await authenticate(request.scope)
    if not principal.may(scope):
        raise ScopeMissing(scope)
    return principal


async def authenticate(scope: AsgiScope) -> Principal:
    """Return who asks, and count it, once per request; raises KeyMissing, KeyInvalid or RateLimited."""
    principal: Principal | None = scope.get(PRINCIPAL)
    if principal is None:
        components = components_of(scope["app"])
        principal = await components.get(KeyRing).authenticate(presented_key(headers_of(scope)))
        scope[PRINCIPAL] = principal
        limiter = components.get(RateLimiter)
        if limiter.limits(principal):
            await limiter.check(principal)
    return principal


def presented_key(headers: Mapping[bytes, bytes]) -> str:
    """Return the key that a request shows; raises KeyMissing. headers: by name in lower case."""
    key = headers.get(b"x-api-key")
    if key is None:
        kind, _, key = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() != b"bearer" or not key:
            raise KeyMissing
    return str(key, "latin-1").strip()
