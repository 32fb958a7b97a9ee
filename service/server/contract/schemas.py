"""Schemas as generated clients need them: one per name and direction, and each ready to grow.

FastAPI and pydantic derive a schema for each model. Here they become components of requests, which are validated, and
components of responses, which clients that were generated earlier must be able to read when they have grown.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from service.web.openapi_parts import REF_PREFIX

Schema = dict[str, Any]
KNOWN_VALUES: Final = "x-extensible-enum"
"""The extension of OpenAPI by which linters and generators know a list of codes that will grow."""


class Direction(Enum):
    """Who writes what a schema describes."""

    REQUEST = "request"
    RESPONSE = "response"


class Components:
    """Converts schemas, and collects the components that they refer to.

    derived:       schemas by name, as the framework derived them.
    request_names: what requests refer to. A response's twin of such a component has ``Out`` after its name.
    """

    def __init__(self, derived: Mapping[str, Schema], request_names: frozenset[str]) -> None:
        self._derived = derived
        self._request_names = request_names
        self.converted: dict[str, Schema] = {}

    def convert(self, schema: Schema, direction: Direction) -> Schema:
        """Return a schema as one direction has it: without titles, numbers with a format, references renamed."""
        if "$ref" in schema:
            return self._reference(schema, direction)
        made = {
            key: self._converted(key, value, direction)
            for key, value in schema.items()
            # Generators of TypeScript take a field with a default for one that is always there.
            if key != "title" and (key, value) != ("default", None)
        }
        made = _with_number_format(_without_single_alternative(made))
        if "properties" in made:
            made = _open(made) if direction is Direction.RESPONSE else _with_optional_nulls(made)
        if direction is Direction.RESPONSE:
            made = _with_open_codes(made)
        return _with_examples(made)

    def _converted(self, key: str, value: Any, direction: Direction) -> Any:
        if key == "properties":
            return {name: self.convert(schema, direction) for name, schema in value.items()}
        if key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            return [self.convert(schema, direction) for schema in value]
        if key in ("items", "additionalProperties", "propertyNames") and isinstance(value, dict):
            return self.convert(value, direction)
        return value

    def _reference(self, schema: Schema, direction: Direction) -> Schema:
        derived_name = schema["$ref"].removeprefix(REF_PREFIX)
        target, beside = self._derived[derived_name], {key: value for key, value in schema.items() if key != "$ref"}
        if "enum" in target and direction is Direction.RESPONSE:
            # A code that grows is plain text where it is answered: a component of its own would say no more.
            return self.convert({**target, **beside}, direction)
        name = public_name(derived_name)
        if direction is Direction.RESPONSE and name in self._request_names:
            name += "Out"
        if name not in self.converted:
            self.converted[name] = {}
            self.converted[name] = {"title": name, **self.convert(target, direction)}
        return {"$ref": REF_PREFIX + name, **beside}


def public_name(derived_name: str) -> str:
    """Return the name of a component: ``Page_ProductOut_`` is a ``ProductPage``."""
    name = derived_name.removesuffix("-Input").removesuffix("-Output")
    if name.startswith("Page_"):
        return name.removeprefix("Page_").removesuffix("_").removesuffix("Out") + "Page"
    return name


def _with_number_format(schema: Schema) -> Schema:
    """Say how wide a number is: without a format, clients in Go and Java read 32 bits, which money overflows."""
    if schema.get("type") == "integer" and "format" not in schema:
        is_small = schema.get("maximum", 2**63) < 2**31 and schema.get("minimum", 0) >= -(2**31)
        return {"type": "integer", "format": "int32" if is_small else "int64", **schema}
    if schema.get("type") == "number" and "format" not in schema:
        return {"type": "number", "format": "double", **schema}
    return schema


def _open(schema: Schema) -> Schema:
    return {**schema, "additionalProperties": True}


def _with_open_codes(schema: Schema) -> Schema:
    """Publish a code in a response as text with its known values: clients must survive new ones."""
    if KNOWN_VALUES in schema.get("propertyNames", {}):
        keys = schema.pop("propertyNames")
        return _naming_values(schema, keys[KNOWN_VALUES])
    if schema.get("type") == "string" and {"enum", "const"} & schema.keys():
        values = schema.pop("enum", None) or [schema.pop("const")]
        return {**_naming_values(schema, values), KNOWN_VALUES: values}
    return schema


def _naming_values(schema: Schema, values: list[str]) -> Schema:
    described = schema.get("description", "")
    return {**schema, "description": f"{described} {known_values(values, described)}".strip()}


def known_values(values: list[str], described: str) -> str:
    """Say which codes there are, unless the description names each of them, and that there will be more."""
    if all(f"`{value}`" in described for value in values):
        return "More may be added."
    return f"Known values: {', '.join(f'`{value}`' for value in values)}; more may be added."


def _with_optional_nulls(schema: Schema) -> Schema:
    required = schema.get("required", ())
    properties = {name: part if name in required else _nullable(part) for name, part in schema["properties"].items()}
    return {**schema, "properties": properties}


def _nullable(schema: Schema) -> Schema:
    """Accept null, too: it is an optional field that was not given."""
    null = {"type": "null"}
    if not {"type", "$ref", "anyOf", "oneOf"} & schema.keys():
        return schema  # Anything goes.
    if null in schema.get("anyOf", ()):
        return schema
    beside: Schema = {key: schema[key] for key in ("description", "default", "examples") if key in schema}
    value = {key: part for key, part in schema.items() if key not in beside}
    alternatives = value["anyOf"] if value.keys() == {"anyOf"} else [value]
    return {"anyOf": [*alternatives, null], **beside}


def _without_single_alternative(schema: Schema) -> Schema:
    for key in ("anyOf", "allOf", "oneOf"):
        if len(schema.get(key, ())) == 1:
            return {**schema[key][0], **{name: value for name, value in schema.items() if name != key}}
    return schema


def _with_examples(schema: Schema) -> Schema:
    if "example" not in schema:
        return schema
    example = schema.pop("example")
    return {**schema, "examples": [example]}


def without_null(schema: Schema) -> Schema:
    """Leave null out of the schema of a parameter: in a URL or a header there is none."""
    alternatives = [part for part in schema.get("anyOf", ()) if part != {"type": "null"}]
    beside = {key: value for key, value in schema.items() if key != "anyOf" and (key, value) != ("default", None)}
    if len(alternatives) == 1:
        return {**alternatives[0], **beside}
    return {**({"anyOf": alternatives} if alternatives else {}), **beside}
