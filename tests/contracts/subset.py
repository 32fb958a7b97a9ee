"""Whether a reader of one schema takes all that another describes: compatibility in both directions."""

from collections.abc import Iterator
from typing import Any, Final

Schema = dict[str, Any]
UPPER_BOUNDS: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
LOWER_BOUNDS: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UNION_KEYS: Final = ("anyOf", "oneOf")
ANNOTATIONS: Final = {"title", "description", "examples", "default", "x-extensible-enum"}


class Comparison:
    """Compares what ``written`` describes with what a reader of ``read`` takes. Each has a document of its own."""

    def __init__(self, written_components: dict[str, Schema], read_components: dict[str, Schema]) -> None:
        self._written_components = written_components
        self._read_components = read_components
        self._compared: set[tuple[str, str]] = set()

    def problems(self, written: Schema, read: Schema, place: str) -> Iterator[str]:
        """Yield what of ``written`` the reader does not take, each with its place."""
        names = written.get("$ref", ""), read.get("$ref", "")
        if all(names):
            if names in self._compared:
                return
            self._compared.add(names)
        written, read = _resolve(written, self._written_components), _resolve(read, self._read_components)
        if not read.keys() - ANNOTATIONS:
            return
        readers = _alternatives(read)
        for alternative in _alternatives(written):
            yield from self._unread(alternative, readers, place)

    def _unread(self, written: Schema, readers: list[Schema], place: str) -> Iterator[str]:
        if "$ref" in written and written in readers:
            yield from self.problems(written, written, place)
            return
        fitting = [reader for reader in readers if self._type_fits(written, reader)]
        if not fitting:
            yield f"{place}: {_shown(written)} is not among {', '.join(_shown(reader) for reader in readers)}"
            return
        yield from min((list(self._compare_one(written, reader, place)) for reader in fitting), key=len)

    def _compare_one(self, written: Schema, read: Schema, place: str) -> Iterator[str]:
        if "$ref" in written and "$ref" in read:
            yield from self.problems(written, read, place)
        else:
            resolved = _resolve(written, self._written_components), _resolve(read, self._read_components)
            yield from self._within_type(*resolved, place)

    def _type_fits(self, written: Schema, read: Schema) -> bool:
        types = [
            _resolve(schema, components).get("type")
            for schema, components in ((written, self._written_components), (read, self._read_components))
        ]
        return types[0] == types[1] or types[1] is None or types == ["integer", "number"]

    def _within_type(self, written: Schema, read: Schema, place: str) -> Iterator[str]:
        yield from _value_problems(written, read, place)
        if "properties" in read or "properties" in written:
            yield from self._object_problems(written, read, place)
        for key in ("items", "additionalProperties"):
            if isinstance(read.get(key), dict):
                part = written.get(key, {})
                yield from self.problems(part if isinstance(part, dict) else {}, read[key], f"{place}[]")

    def _object_problems(self, written: Schema, read: Schema, place: str) -> Iterator[str]:
        properties, known = written.get("properties", {}), read.get("properties", {})
        for name in sorted(set(read.get("required", ())) - set(written.get("required", ()))):
            yield f"{place}.{name}: is required, and not always there"
        for name, part in properties.items():
            if name in known:
                yield from self.problems(part, known[name], f"{place}.{name}")
            elif read.get("additionalProperties") is False:
                yield f"{place}.{name}: is no longer known"


def _value_problems(written: Schema, read: Schema, place: str) -> Iterator[str]:
    if "enum" in read and not set(written.get("enum", [None])) <= set(read["enum"]):
        lacking = sorted(set(written.get("enum", [])) - set(read["enum"])) or ["any text"]
        yield f"{place}: {', '.join(map(str, lacking))} is not among the values {', '.join(map(str, read['enum']))}"
    for key in (*UPPER_BOUNDS, *LOWER_BOUNDS):
        given, bound = written.get(key), read.get(key)
        if bound is not None and (given is None or (given > bound if key in UPPER_BOUNDS else given < bound)):
            yield f"{place}: {key} is {bound} on the reading side, and {given} on the writing side"
    if "pattern" in read and written.get("pattern") != read["pattern"]:
        yield f"{place}: the pattern {read['pattern']} is not that of the writing side, {written.get('pattern')}"
    formats = written.get("format"), read.get("format")
    if formats[1] and formats[0] != formats[1] and formats != ("int32", "int64") and formats[1] != "double":
        yield f"{place}: the format is {formats[1]} on the reading side, and {formats[0]} on the writing side"


def _alternatives(schema: Schema) -> list[Schema]:
    for key in UNION_KEYS:
        if key in schema:
            parts: list[Schema] = schema[key]
            return [alternative for part in parts for alternative in _alternatives(part)]
    return [schema]


def _resolve(schema: Schema, components: dict[str, Schema]) -> Schema:
    if "$ref" in schema:
        return components[schema["$ref"].rpartition("/")[2]]
    return schema


def _shown(schema: Schema) -> str:
    return str(schema.get("$ref", schema.get("type", "anything"))).rpartition("/")[2]
