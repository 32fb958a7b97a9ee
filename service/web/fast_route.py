"""Routes that are asked so often that the framework's work around them would be most of their cost."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.auth.keys import Principal
from service.server.state import State

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
AT_ONCE = "nextoffer_at_once"


class Call(NamedTuple):
    """One request for a hot route, whole and from one who may ask.

    rest:    what follows the route's path, decoded: the one parameter that a hot route may have in its path.
    query:   the query string as it came.
    content_type, body: as they came.
    """

    state: State
    principal: Principal
    rest: str = ""
    query: bytes = b""
    content_type: bytes | None = None
    body: bytes = b""


class AtOnce(NamedTuple):
    """How a hot route is answered without waiting for anything. scope: what a key must open."""

    answer: Callable[[Call], bytes]
    scope: str


def at_once(answer: Callable[[Call], bytes], scope: str) -> Callable[[Endpoint], Endpoint]:
    """Tell how an endpoint's requests can be answered where they arrive, without a task of their own.

    What ``answer`` raises is told by the endpoint, which is then asked the same: until it returns, it must leave
    no trace.
    """

    def tell(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, AT_ONCE, AtOnce(answer, scope))
        return endpoint

    return tell


class FastRoute(APIRoute):
    """Documented like any other route, and run as its endpoint alone.

    Without dependencies, validation and stacks of clean-up calls by the framework: the endpoint takes the request,
    decodes it by itself, and returns the response. Its errors are handled as everywhere else.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        endpoint = self.endpoint
        self.at_once: AtOnce | None = getattr(endpoint, AT_ONCE, None)

        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            response: Response = await endpoint(Request(scope, receive, send))
            await response(scope, receive, send)

        self.app = run


class JsonResponse(Response):
    """JSON that is encoded already. Laying out two headers by hand takes a fifth of the time."""

    def __init__(self, body: bytes) -> None:
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
