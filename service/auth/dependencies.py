"""``require(scope)``: what every route but the health checks depends on."""

from starlette.requests import Request
from starlette.types import Scope as AsgiScope

from service.auth.errors import KeyMissing, ScopeMissing
from service.auth.keys import Principal

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
    """Return who asks, once per request; raises KeyMissing or KeyInvalid."""
    principal: Principal | None = scope.get(PRINCIPAL)
    if principal is None:
        principal = await scope["app"].state.nextoffer.key_ring.authenticate(_presented_key(scope))
        scope[PRINCIPAL] = principal
    return principal


def _presented_key(scope: AsgiScope) -> str:
    bearer = ""
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            return str(value, "latin-1").strip()
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            bearer = str(value[7:], "latin-1").strip()
    if not bearer:
        raise KeyMissing
    return bearer
