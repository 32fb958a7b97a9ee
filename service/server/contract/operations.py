"""Operations as the document shows them: what every route has in common, and schemas in their direction."""

from collections.abc import Iterator
from typing import Any, Final

from service.auth.dependencies import RequireScope
from service.base.problems import MEDIA_TYPE, Problem
from service.server.contract.schemas import Components, Direction, Schema, public_name, without_null
from service.server.contract.text import REQUEST_ID_HEADER
from service.web.openapi_parts import OTHER_SCOPES_KEY, REF_PREFIX, SCOPE_KEY, problems

Operation = dict[str, Any]
KEY_ORDER: Final = [
    "tags", "summary", "description", "operationId", "parameters", "requestBody", "responses", "security",
]  # fmt: skip
_TEXT: Final[Schema] = {"type": "string"}
_FILE: Final[Schema] = {"type": "string", "format": "binary"}


def complete(operation: Operation, dependencies: list[object]) -> Operation:
    """Add what every route has: its scope, the request id, and problems as the one form of errors."""
    required = [requirement for requirement in dependencies if isinstance(requirement, RequireScope)]
    scope = operation.pop(SCOPE_KEY, None) or (required[0].scope if required else None)
    others = [*operation.pop(OTHER_SCOPES_KEY, ()), *(str(other) for made in required for other in made.others)]
    operation["security"] = [{"bearer": []}, {"apiKey": []}] if scope else []
    if scope:
        operation["description"] += f"\n\nNeeds the scope {' or '.join(f'`{name}`' for name in (scope, *others))}."
        operation[SCOPE_KEY] = str(scope)
        operation |= {OTHER_SCOPES_KEY: others} if others else {}
        operation["responses"].setdefault("503", problems("database-unavailable")[503])
    else:
        # Every route refuses a query parameter that it does not know.
        operation["responses"].setdefault("422", problems("request-invalid")[422])
    operation["responses"] = dict(sorted(operation["responses"].items()))
    for status, response in operation["responses"].items():
        response.setdefault("headers", {})["X-Request-ID"] = REQUEST_ID_HEADER
        if status.startswith(("4", "5")):
            # Where a route documents a problem by reference, the framework adds its default JSON type beside it.
            response["content"] = {MEDIA_TYPE: {"schema": {"$ref": REF_PREFIX + Problem.__name__}}}
    return {key: operation[key] for key in sorted(operation, key=_place)}


def _place(key: str) -> int:
    return KEY_ORDER.index(key) if key in KEY_ORDER else len(KEY_ORDER)


def convert_schemas(operation: Operation, components: Components) -> None:
    """Replace the schemas of an operation by those of its parameters', its request's and its responses' direction."""
    for parameter in operation.get("parameters", ()):
        schema = without_null(components.convert(parameter["schema"], Direction.REQUEST))
        # What the parameter says already.
        parameter["schema"] = {key: value for key, value in schema.items() if key != "description"}
    for content in _contents(operation.get("requestBody", {})):
        content["schema"] = components.convert(content["schema"], Direction.REQUEST)
    for response in operation["responses"].values():
        for media_type, content in response.get("content", {}).items():
            schema = content.get("schema") or (_TEXT if media_type.startswith("text/") else _FILE)
            content["schema"] = components.convert(schema, Direction.RESPONSE)
        response["headers"] = {
            name: {**header, "schema": components.convert(header["schema"], Direction.RESPONSE)}
            for name, header in response.get("headers", {}).items()
        }


def _contents(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from body.get("content", {}).values()


def names_in_requests(operations: list[Operation], derived: dict[str, Schema]) -> frozenset[str]:
    """Return the public names of the components that requests refer to, directly or not."""
    found: set[str] = set()
    new = {
        name
        for operation in operations
        for name in referenced([operation.get("parameters", []), operation.get("requestBody", {})])
    }
    while new:
        found |= new
        new = {name for parent in new for name in referenced(derived[parent])} - found
    return frozenset(public_name(name) for name in found)


def referenced(part: Any) -> Iterator[str]:
    """Yield the names of the components that a part of the document refers to."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].removeprefix(REF_PREFIX)
        for value in part.values():
            yield from referenced(value)
    elif isinstance(part, list):
        for value in part:
            yield from referenced(value)
