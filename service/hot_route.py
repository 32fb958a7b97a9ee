"""Routes that are asked so often that the framework's work around them would be half of their cost."""

from collections.abc import Sequence
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from service.problems import answer_error

REST_OF_PATH = "/{%s:path}"


class HotRoute(APIRoute):
    """Documented like any other route, and run as its endpoint alone.

    Without dependencies, validation and stacks of clean-up calls by the framework: the endpoint takes the request,
    decodes it by itself, and returns the response. Its errors are handled as everywhere else.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        endpoint = self.endpoint

        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            response: Response = await endpoint(Request(scope, receive, send))
            await response(scope, receive, send)

        self.app = run


class HotPaths:
    """Hands requests for hot routes to them, ahead of the framework's router and the layers around it.

    Two dictionaries stand for the router: one of whole paths, one of paths up to a last parameter that may hold
    slashes. Whatever is in neither, such as another method on the same path, goes the framework's way.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self.app = app
        self._whole: dict[tuple[str, str], HotRoute] = {}
        self._begun: dict[tuple[str, str], tuple[HotRoute, str]] = {}
        for route in routes:
            if isinstance(route, HotRoute):
                self._add(route)

    def _add(self, route: HotRoute) -> None:
        begin = route.path
        if route.param_convertors:
            (name,) = route.param_convertors
            begin = route.path.removesuffix(REST_OF_PATH % name)
            assert "{" not in begin, "a hot route has no parameter but the rest of its path"  # noqa: S101
        for method in route.methods or ():
            if route.param_convertors:
                self._begun[method, begin] = route, name
            else:
                self._whole[method, begin] = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._find(scope) if scope["type"] == "http" and not scope["root_path"] else None
        if route is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = route
        try:
            await route.app(scope, receive, send)
        except Exception as error:
            request = Request(scope, receive, send)
            answer = await answer_error(request, error)
            if answer is None:
                raise
            await answer(scope, receive, send)

    def _find(self, scope: Scope) -> HotRoute | None:
        """Return the route of a request, and note the parameter of its path in the scope."""
        method, path = scope["method"], scope["path"]
        whole = self._whole.get((method, path))
        if whole is not None:
            scope["path_params"] = {}
            return whole
        for (its_method, begin), (route, name) in self._begun.items():
            if method == its_method and path.startswith(begin) and path[len(begin) : len(begin) + 1] == "/":
                scope["path_params"] = {name: path[len(begin) + 1 :]}
                return route
        return None


class JsonResponse(Response):
    """JSON that is encoded already. Laying out two headers by hand takes a fifth of the time."""

    def __init__(self, body: bytes) -> None:
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
