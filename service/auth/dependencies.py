"""``require(scope)``: what every route but the health checks depends on."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import Scope as AsgiScope

from service.auth.client_address import ClientAddresses
from service.auth.errors import KeyMissing, OriginNotAllowed, ScopeMissing
from service.auth.key_ring import KeyRing
from service.auth.keys import Principal
from service.auth.limits import RateLimiter
from service.base.components import components_of
from service.base.headers import headers_of

PRINCIPAL = "nextoffer.principal"


class RequireScope:
    """A dependency that lets in callers whose key has one of the scopes, and returns who they are."""

    def __init__(self, scope: str, *others: str) -> None:
        self.scope = scope
        self.others = others

    async def __call__(self, request: Request) -> Principal:
        return await admit(request, self.scope, *self.others)


def require(scope: str, *others: str) -> RequireScope:
    """Make the dependency: ``Depends(require("read"))``."""
    return RequireScope(scope, *others)


async def admit(request: Request, scope: str, *others: str) -> Principal:
    """Return who asks if their key has one of the scopes.

    Raises KeyMissing, KeyInvalid, OriginNotAllowed, RateLimited or ScopeMissing.
    """
    principal = await authenticate(request.scope)
    if not (principal.may(scope) or any(map(principal.may, others))):
        raise ScopeMissing(scope)
    return principal


async def authenticate(scope: AsgiScope) -> Principal:
    """Return who asks, and count it, once per request.

    Raises KeyMissing, KeyInvalid, OriginNotAllowed or RateLimited.
    """
    principal: Principal | None = scope.get(PRINCIPAL)
    if principal is None:
        components, headers = components_of(scope["app"]), headers_of(scope)
        principal = await components.get(KeyRing).authenticate(presented_key(headers))
        scope[PRINCIPAL] = principal
        if principal.origins:
            refuse_other_origins(principal, headers.get(b"origin"))
        limiter = components.get(RateLimiter)
        if limiter.limits(principal):
            client = components.get(ClientAddresses).network_of(scope) if principal.is_public else ""
            await limiter.check(principal, client)
    elif principal.origins:
        refuse_other_origins(principal, headers_of(scope).get(b"origin"))
    return principal


def refuse_other_origins(principal: Principal, origin: bytes | None) -> None:
    """Raise OriginNotAllowed unless a request comes from a page of one of the key's origins."""
    if origin not in principal.origins:
        raise OriginNotAllowed(is_missing=origin is None)


def presented_key(headers: Mapping[bytes, bytes]) -> str:
    """Return the key that a request shows; raises KeyMissing. headers: by name in lower case."""
    key = headers.get(b"x-api-key")
    if key is None:
        kind, _, key = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() != b"bearer" or not key:
            raise KeyMissing
    return str(key, "latin-1").strip()
