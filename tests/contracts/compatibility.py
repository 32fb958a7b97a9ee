"""What in a new contract breaks a client of an old one: by the rules of docs/compatibility.md."""

from collections.abc import Iterator
from typing import Any

from tests.contracts.subset import Comparison, Schema

Document = dict[str, Any]
Operation = dict[str, Any]


def breaking_changes(old: Document, new: Document) -> list[str]:
    """Return each change that an old client does not survive, in plain words."""
    return [
        problem
        for path, operations in old["paths"].items()
        for method, operation in operations.items()
        for problem in _operation_problems(f"{method.upper()} {path}", operation, _find(new, path, method), old, new)
    ]


def _find(document: Document, path: str, method: str) -> Operation | None:
    found: Operation | None = document["paths"].get(path, {}).get(method)
    return found


def _operation_problems(
    place: str, old: Operation, new: Operation | None, old_document: Document, new_document: Document
) -> Iterator[str]:
    if new is None:
        yield f"{place}: the operation was removed"
        return
    for key, meaning in (("operationId", "operation id"), ("x-required-scope", "scope")):
        if old.get(key) != new.get(key):
            yield f"{place}: the {meaning} was {old.get(key)}, and is {new.get(key)}"
    old_parts, new_parts = _components(old_document), _components(new_document)
    yield from _parameter_problems(place, old, new, Comparison(old_parts, new_parts))
    yield from _body_problems(place, old, new, Comparison(old_parts, new_parts))
    yield from _response_problems(place, old, new, Comparison(new_parts, old_parts), new_parts, old_parts)


def _components(document: Document) -> dict[str, Schema]:
    schemas: dict[str, Schema] = document["components"]["schemas"]
    return schemas


def _parameter_problems(place: str, old: Operation, new: Operation, comparison: Comparison) -> Iterator[str]:
    before, now = _parameters(old), _parameters(new)
    for key, parameter in before.items():
        if key not in now:
            yield f"{place} {key}: the parameter was removed"
        else:
            yield from comparison.problems(parameter["schema"], now[key]["schema"], f"{place} {key}")
    for key, parameter in now.items():
        if parameter.get("required") and not before.get(key, {}).get("required"):
            yield f"{place} {key}: the parameter became mandatory"


def _parameters(operation: Operation) -> dict[str, dict[str, Any]]:
    return {f"{each['in']} {each['name']}": each for each in operation.get("parameters", ())}


def _body_problems(place: str, old: Operation, new: Operation, comparison: Comparison) -> Iterator[str]:
    before, now = old.get("requestBody", {}), new.get("requestBody", {})
    if now.get("required") and not before.get("required"):
        yield f"{place}: a body became mandatory"
    for media_type, content in before.get("content", {}).items():
        if media_type not in now.get("content", {}):
            yield f"{place}: a body of type {media_type} is not read any more"
        else:
            read = now["content"][media_type]["schema"]
            yield from comparison.problems(content["schema"], read, f"{place} request")


def _response_problems(
    place: str,
    old: Operation,
    new: Operation,
    comparison: Comparison,
    new_parts: dict[str, Schema],
    old_parts: dict[str, Schema],
) -> Iterator[str]:
    for status, before in old["responses"].items():
        now = new["responses"].get(status)
        if now is None:
            # That a request fails no more, or otherwise, is no break.
            if status.startswith("2"):
                yield f"{place}: the response {status} was removed"
            continue
        for name in before.get("headers", {}).keys() - now.get("headers", {}).keys():
            yield f"{place} response {status}: the header {name} was removed"
        for media_type, content in before.get("content", {}).items():
            if media_type not in now.get("content", {}):
                yield f"{place} response {status}: the type {media_type} was removed"
                continue
            written = now["content"][media_type]["schema"]
            yield from comparison.problems(written, content["schema"], f"{place} response {status}")
            yield from removed_fields(
                content["schema"], written, old_parts, new_parts, f"{place} response {status}", set()
            )


def removed_fields(
    old: Schema, new: Schema, old_parts: dict[str, Schema], new_parts: dict[str, Schema], place: str, seen: set[str]
) -> Iterator[str]:
    """Yield the fields of a response that are there no more, optional ones, too, which a reader would not miss."""
    old, new = _without_null(old), _without_null(new)
    name = old.get("$ref", "")
    if name and name in seen:
        return
    seen.add(name)
    old, new = _resolved(old, old_parts), _resolved(new, new_parts)
    for field, part in old.get("properties", {}).items():
        if field not in new.get("properties", {}):
            yield f"{place}.{field}: the field was removed"
        else:
            yield from removed_fields(part, new["properties"][field], old_parts, new_parts, f"{place}.{field}", seen)
    for key in ("items", "additionalProperties"):
        if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
            yield from removed_fields(old[key], new[key], old_parts, new_parts, f"{place}[]", seen)


def _without_null(schema: Schema) -> Schema:
    alternatives: list[Schema] = [part for part in schema.get("anyOf", ()) if part.get("type") != "null"]
    return alternatives[0] if len(alternatives) == 1 else schema


def _resolved(schema: Schema, parts: dict[str, Schema]) -> Schema:
    return parts[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
