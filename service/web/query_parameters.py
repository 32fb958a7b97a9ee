"""An unknown query parameter is refused, as an unknown field of a body is: a misspelt filter must not be ignored."""

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request

MAX_SHOWN_NAME: Final = 60


class KnownQueryParameters:
    """A dependency of one route, which refuses all query parameters but those that the route declares."""

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()

    def learn(self, route: APIRoute) -> None:
        """Take the names from a route: those that FastAPI reads, and those that the route reads itself."""
        documented = (route.openapi_extra or {}).get("parameters", ())
        decoded = {parameter["name"] for parameter in documented if parameter["in"] == "query"}
        self.names = frozenset(_declared_in(route.dependant)) | decoded

    async def __call__(self, request: Request) -> None:
        if query := request.scope["query_string"]:
            refuse_unknown_parameters(query, self.names)


def _declared_in(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for dependency in dependant.dependencies:
        yield from _declared_in(dependency)


def refuse_unknown_parameters(query: bytes, known: Collection[str]) -> None:
    """Raise RequestValidationError for each parameter of a query string that is not known."""
    given = dict.fromkeys(name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    unknown = [name for name in given if name not in known]
    if unknown:
        raise RequestValidationError([unknown_parameter(name, known) for name in unknown])


def unknown_parameter(name: str, known: Collection[str]) -> dict[str, Any]:
    """Describe one unknown parameter, with the known ones, in the form of pydantic's errors."""
    similar = get_close_matches(name[:MAX_SHOWN_NAME], known, n=1)
    hint = f" Did you mean `{similar[0]}`?" if similar else ""
    names = ", ".join(f"`{each}`" for each in sorted(known))
    takes = f"This route takes {names}." if known else "This route takes none."
    return {"loc": ("query", name), "msg": f"Unknown query parameter.{hint} {takes}", "type": "extra_forbidden"}
