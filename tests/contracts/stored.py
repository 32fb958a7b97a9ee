"""The contract of the last release, compact: ``python -m tests.contracts.stored`` stores today's."""

import json
from pathlib import Path
from typing import Any, Final

from service.base.settings import Settings
from service.server.app import create_app
from service.server.openapi import document

PATH: Final = Path(__file__).with_name("v1.json")
_TEXTS: Final = ("description", "summary", "example", "examples", "title")
_NAMES_OF_CALLERS: Final = ("properties", "headers", "paths", "schemas", "responses", "securitySchemes")


def load() -> dict[str, Any]:
    """Return the stored contract."""
    stored: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return stored


def without_texts(part: Any) -> Any:
    """Leave out what no client is bound to: texts and examples."""
    if isinstance(part, list):
        return [without_texts(value) for value in part]
    if not isinstance(part, dict):
        return part
    return {
        key: {name: without_texts(each) for name, each in value.items()}
        if key in _NAMES_OF_CALLERS and isinstance(value, dict)
        else without_texts(value)
        for key, value in part.items()
        if key not in _TEXTS or isinstance(value, dict)
    }


def rendered(contract: dict[str, Any]) -> str:
    """Write a contract as JSON with a line for each operation and each component, so that a difference is readable."""
    compact = without_texts(contract)
    for response in _responses(compact):
        response["description"] = ""  # OpenAPI wants one.
    compact["info"] = {"title": contract["info"]["title"], "version": contract["info"]["version"]}
    compact["tags"] = [{"name": tag["name"]} for tag in contract["tags"]]
    lines = []
    for key, value in compact.items():
        if key == "paths":
            lines.append('"paths": {\n' + ",\n".join(_members(value)) + "\n}")
        elif key == "components":
            schemas = '"schemas": {\n' + ",\n".join(_members(value["schemas"])) + "\n}"
            lines.append('"components": {' + schemas + ", " + ", ".join(_members(value, "schemas")) + "}")
        else:
            lines.extend(_members({key: value}))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _responses(contract: dict[str, Any]) -> list[dict[str, Any]]:
    operations = [operation for methods in contract["paths"].values() for operation in methods.values()]
    return [response for operation in operations for response in operation["responses"].values()]


def _members(mapping: dict[str, Any], *but: str) -> list[str]:
    return [
        f"{json.dumps(name)}: {json.dumps(value, separators=(',', ':'))}"
        for name, value in mapping.items()
        if name not in but
    ]


if __name__ == "__main__":
    PATH.write_text(rendered(document(create_app(Settings()))), encoding="utf-8")
