"""Request headers by name."""

from typing import Final

from starlette.types import Scope

_HEADERS: Final = "nextoffer.headers"


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers by lower-case name, built once per request. Of a repeated header the last value counts."""
    headers: dict[bytes, bytes] | None = scope.get(_HEADERS)
    if headers is None:
        headers = scope[_HEADERS] = dict(scope["headers"])
    return headers
