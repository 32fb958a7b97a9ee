"""The router of every domain: its decorators carry what all reading, or all writing, routes have in common."""

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any, Final, Protocol, TypeVar

from fastapi import APIRouter, Depends, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.convertors import PathConvertor, register_url_convertor

from service.auth.dependencies import require
from service.auth.keys import Scope
from service.web.openapi_parts import (
    ETAG_HEADERS,
    FILE_TYPES,
    IF_NONE_MATCH,
    MIN_SEQUENCE,
    NOT_MODIFIED,
    WRITTEN_HEADERS,
    Responses,
    problems,
)
from service.web.query_parameters import KnownQueryParameters
from service.web.read_your_writes import wait_for_min_sequence
from service.web.written import written

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class Decorator(Protocol):
    """Declares a route, and returns its function as it is."""

    def __call__(self, endpoint: Endpoint, /) -> Endpoint: ...


PROBLEM_CODES: Final = (
    "key-missing", "key-invalid", "scope-missing", "rate-limited", "request-invalid", "database-unavailable",
)  # fmt: skip
"""What every route with a key may answer."""
BODY_PROBLEM_CODES: Final = ("body-too-large", "body-unreadable", "request-timeout")
"""What every route with a body may answer, too."""


class IdentifierConvertor(PathConvertor):
    """``{account_id:identifier}``: one or more segments of a path. Unlike ``path`` it matches line breaks, too."""

    regex = r"[\s\S]*"


register_url_convertor("identifier", IdentifierConvertor())


class Router(APIRouter):
    """A router of ``/v1``. A route's operation id is the name of its function.

    problem_codes: what a route may answer beside what every route of its kind may. With a parameter ``cursor`` that
                   includes ``invalid-cursor``.
    model:         of the response, where the function's annotation does not say it.
    """

    def __init__(self, tag: str, prefix: str = "/v1") -> None:
        super().__init__(prefix=prefix, tags=[tag])
        self.body_models: list[type[BaseModel]] = []
        """Models of bodies that its routes validate themselves: FastAPI does not know them."""

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Declare a route that refuses unknown query parameters, once the caller is admitted."""
        known = KnownQueryParameters()
        dependencies = [*(options.pop("dependencies", None) or ()), Depends(known)]
        super().add_api_route(path, endpoint, dependencies=dependencies, **options)
        route = self.routes[-1]
        assert isinstance(route, APIRoute)  # noqa: S101 - what was just added
        known.learn(route)

    def read_route(
        self,
        path: str,
        summary: str,
        *problem_codes: str,
        model: Any = None,
        method: str = "GET",
        is_live: bool = False,
        has_etag: bool = False,
        file_types: Sequence[str] = (),
        scopes: Sequence[Scope] = (Scope.READ,),
        has_files: bool = False,
    ) -> Decorator:
        """Declare a route that needs the scope ``read``, or one of ``scopes``.

        is_live:    it is answered from memory, and waits for the change that X-Min-Sequence names.
        has_etag:   it answers with an ETag, and 304 to one who has the answer.
        file_types: media types of the text that it answers with.
        has_files:  it answers with a file; or, where it has a model, as JSON or with a file.
        """
        codes, parameters, dependencies = [*problem_codes], [], []
        responses: Responses = {}
        if method != "GET":
            codes += BODY_PROBLEM_CODES
        if is_live:
            codes.append("sequence-not-reached")
            parameters.append(MIN_SEQUENCE)
            dependencies.append(Depends(wait_for_min_sequence))
        if has_etag:
            parameters.append(IF_NONE_MATCH)
            responses = {200: {"headers": ETAG_HEADERS}, **NOT_MODIFIED}
        options = _typed(model)
        if has_files:
            codes.append("too-large-for-spreadsheet")
            responses[200] = {**responses.get(200, {}), "content": FILE_TYPES}
        elif file_types:
            responses[200] = {"content": {media_type: {} for media_type in file_types}}
        if (has_files or file_types) and model is None:
            responses[200]["description"] = "The file."
            options["response_class"] = Response
        return self._declare(
            path,
            method,
            scopes,
            codes,
            *dependencies,
            summary=summary,
            responses=responses,
            openapi_extra={"parameters": parameters},
            **options,
        )

    def live_route(
        self, path: str, summary: str, *problem_codes: str, model: Any, has_files: bool = False
    ) -> Decorator:
        """Declare a GET of what dashboards poll: answered from memory, with an ETag."""
        return self.read_route(
            path, summary, *problem_codes, model=model, is_live=True, has_etag=True, has_files=has_files
        )

    def write_route(
        self,
        method: str,
        path: str,
        summary: str,
        *problem_codes: str,
        model: Any = None,
        status_code: int = 200,
        response: dict[str, Any] | None = None,
        scope: Scope = Scope.WRITE,
        **options: Any,
    ) -> Decorator:
        """Declare a route that needs the scope ``write``, or another, and whose work is one ``UnitOfWork``.

        model:    of the answer, to which the sequence number is added; None where that is all there is to say.
        response: what to document of the good response beside its headers.
        """
        good = {"headers": WRITTEN_HEADERS, **(response or {})}
        return self._declare(
            path,
            method,
            (scope,),
            [*BODY_PROBLEM_CODES, "idempotency-key-reused", *problem_codes],
            summary=summary,
            status_code=status_code,
            responses={status_code: good},
            response_model=written(model),
            **options,
        )

    def admin_route(self, path: str, summary: str, *problem_codes: str, model: Any) -> Decorator:
        """Declare a POST that needs the scope ``admin``, and changes what is beside the database."""
        return self._declare(path, "POST", (Scope.ADMIN,), problem_codes, summary=summary, **_typed(model))

    def _declare(
        self,
        path: str,
        method: str,
        scopes: Sequence[Scope],
        problem_codes: Sequence[str],
        *dependencies: Any,
        responses: Responses | None = None,
        **options: Any,
    ) -> Decorator:
        def declare(endpoint: Endpoint) -> Endpoint:
            is_paged = "cursor" in signature(endpoint).parameters
            codes = [*PROBLEM_CODES, *problem_codes, *(["invalid-cursor"] if is_paged else [])]
            self.add_api_route(
                path,
                endpoint,
                methods=[method],
                operation_id=endpoint.__name__,
                dependencies=[Depends(require(*scopes)), *dependencies],
                responses={**problems(*codes), **(responses or {})},
                **options,
            )
            return endpoint

        return declare


def _typed(model: Any) -> dict[str, Any]:
    # None would say that there is no model, even where the function's annotation names one.
    return {} if model is None else {"response_model": model}
