"""Answers the routes that are requested most, and cached responses, in front of FastAPI's routing.

It calls the same endpoints and renders errors by the same functions; it leaves out what FastAPI does around them.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from service.base.problems import respond_to_error
from service.web.response_cache import respond_from_cache

Endpoint = Callable[[Request], Awaitable[Response | None]]
_REST_OF_PATH: Final = "/{%s}"


class PrefixRoute(NamedTuple):
    """A route whose path ends with one parameter, which may hold slashes."""

    prefix: str
    parameter: str
    route: APIRoute


class FastPath:
    """Pure ASGI, in front of FastAPI's routing and of the guard of its bodies.

    Two dictionaries stand for the router: whole paths, and, by method, paths that end with a parameter. All else goes
    to ``app``, other methods of the same paths too.
    routes: their endpoints take the request alone, and return the response.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self.app = app
        self._whole: dict[tuple[str, str], APIRoute] = {}
        self._prefixed: dict[str, list[PrefixRoute]] = {}
        for route in routes:
            assert isinstance(route, APIRoute)  # noqa: S101
            self._add(route)

    def _add(self, route: APIRoute) -> None:
        for method in route.methods or ():
            if not route.param_convertors:
                self._whole[method, route.path] = route
                continue
            (name,) = route.param_convertors
            prefix = route.path_format.removesuffix(_REST_OF_PATH % name) + "/"
            assert "{" not in prefix, "the one parameter of a fast route is the rest of its path"  # noqa: S101
            self._prefixed.setdefault(method, []).append(PrefixRoute(prefix, name, route))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self.find(scope) if scope["type"] == "http" else None
        response = None
        if endpoint is not None:
            request = Request(scope, receive, send)
            try:
                response = await endpoint(request)
            except Exception as error:  # Rendered by the function for its type, or raised again.
                response = await respond_to_error(request, error)
        await (self.app if response is None else response)(scope, receive, send)

    def find(self, scope: Scope) -> Endpoint | None:
        """Return the endpoint of a request, and note its route in the scope; None for what FastAPI answers."""
        method, path = scope["method"], scope["path"]
        route = self._whole.get((method, path))
        if route is not None:
            return _chosen(scope, route, {})
        for prefix, parameter, prefixed in self._prefixed.get(method, ()):
            if path.startswith(prefix):
                return _chosen(scope, prefixed, {parameter: path[len(prefix) :]})
        return respond_from_cache if method == "GET" else None


def _chosen(scope: Scope, route: APIRoute, path_params: dict[str, Any]) -> Endpoint:
    scope["route"] = route
    scope["path_params"] = path_params
    endpoint: Endpoint = route.endpoint
    return endpoint
