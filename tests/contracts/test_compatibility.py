"""Today's contract against the last release's; and the checker itself, change by change."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from service.base.settings import Settings
from service.server.app import create_app
from service.server.openapi import document
from tests.contracts.compatibility import breaking_changes
from tests.contracts.stored import load, rendered

Change = Callable[[dict[str, Any]], object]


def test_a_client_of_the_last_release_survives_todays_contract() -> None:
    today = document(create_app(Settings()))

    assert breaking_changes(load(), today) == []


def test_a_contract_is_stored_and_read_back_without_a_break() -> None:
    today = document(create_app(Settings()))

    stored = json.loads(rendered(today))

    assert breaking_changes(stored, today) == breaking_changes(today, stored) == []


def contract() -> dict[str, Any]:
    """A small contract with everything that the checker looks at."""
    return {
        "paths": {
            "/things/{id}": {
                "put": {
                    "operationId": "put_thing",
                    "x-required-scope": "write",
                    "parameters": [
                        {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 9}},
                        {"name": "force", "in": "query", "schema": {"type": "boolean"}},
                    ],
                    "requestBody": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ThingIn"}}}
                    },
                    "responses": {
                        "200": {
                            "headers": {"ETag": {"schema": {"type": "string"}}},
                            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ThingOut"}}},
                        }
                    },
                }
            }
        },
        "components": {
            "schemas": {
                "ThingIn": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["kind"],
                    "properties": {
                        "kind": {"type": "string", "enum": ["a", "b"]},
                        "size": {"anyOf": [{"type": "integer", "format": "int64"}, {"type": "null"}]},
                        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/ThingIn"}, "maxItems": 5},
                    },
                },
                "ThingOut": {
                    "type": "object",
                    "additionalProperties": True,
                    "required": ["kind", "size"],
                    "properties": {
                        "kind": {"type": "string"},
                        "size": {"type": "integer", "format": "int32", "maximum": 5},
                        "note": {"type": "string"},
                        "inner": {"anyOf": [{"$ref": "#/components/schemas/ThingOut"}, {"type": "null"}]},
                    },
                },
            }
        },
    }


def put(made: dict[str, Any]) -> Any:
    return made["paths"]["/things/{id}"]["put"]


def thing_in(made: dict[str, Any]) -> Any:
    return made["components"]["schemas"]["ThingIn"]


def thing_out(made: dict[str, Any]) -> Any:
    return made["components"]["schemas"]["ThingOut"]


BREAKING: dict[str, tuple[Change, str]] = {
    "operation": (lambda made: made["paths"].clear(), "the operation was removed"),
    "operation id": (lambda made: put(made).update(operationId="set_thing"), "operation id was put_thing"),
    "scope": (lambda made: put(made).update({"x-required-scope": "admin"}), "scope was write"),
    "parameter": (lambda made: put(made)["parameters"].pop(), "query force: the parameter was removed"),
    "mandatory": (lambda made: put(made)["parameters"][1].update(required=True), "query force: the parameter became"),
    "shorter": (lambda made: put(made)["parameters"][0]["schema"].update(maxLength=8), "path id: maxLength is 8"),
    "needed body": (lambda made: put(made)["requestBody"].update(required=True), "a body became mandatory"),
    "media type": (lambda made: put(made)["requestBody"]["content"].clear(), "application/json is not read any more"),
    "needed field": (lambda made: thing_in(made)["required"].append("size"), "request.size: is required"),
    "field": (lambda made: thing_in(made)["properties"].pop("size"), "request.size: is no longer known"),
    "code": (lambda made: thing_in(made)["properties"]["kind"]["enum"].pop(), "b is not among the values a"),
    "null": (lambda made: thing_in(made)["properties"]["size"]["anyOf"].pop(), "null is not among integer"),
    "narrower": (
        lambda made: thing_in(made)["properties"]["size"]["anyOf"][0].update(format="int32"),
        "the format is int32",
    ),
    "fewer": (lambda made: thing_in(made)["properties"]["parts"].update(maxItems=4), "request.parts: maxItems is 4"),
    "answer": (lambda made: put(made)["responses"].pop("200"), "the response 200 was removed"),
    "answer's type": (
        lambda made: put(made)["responses"]["200"]["content"].clear(),
        "response 200: the type application/json was removed",
    ),
    "header": (lambda made: put(made)["responses"]["200"]["headers"].clear(), "the header ETag was removed"),
    "answered field": (lambda made: thing_out(made)["properties"].pop("note"), "200.note: the field was removed"),
    "no longer sure": (lambda made: thing_out(made)["required"].remove("size"), "200.size: is required, and not"),
    "now null": (
        lambda made: thing_out(made)["properties"].update(kind={"anyOf": [{"type": "string"}, {"type": "null"}]}),
        "200.kind: null is not among string",
    ),
    "wider": (lambda made: thing_out(made)["properties"]["size"].update(format="int64"), "the format is int32"),
    "larger": (lambda made: thing_out(made)["properties"]["size"].update(maximum=6), "200.size: maximum is 5"),
    "other type": (lambda made: thing_out(made)["properties"].update(kind={"type": "boolean"}), "boolean is not among"),
}


@pytest.mark.parametrize("name", BREAKING)
def test_a_change_that_breaks_old_clients_is_named(name: str) -> None:
    change, message = BREAKING[name]
    changed = deepcopy(contract())
    change(changed)

    problems = breaking_changes(contract(), changed)

    assert any(message in problem for problem in problems), problems


SAFE: dict[str, Change] = {
    "operation": lambda made: made["paths"].update({"/new": {"get": {"operationId": "x", "responses": {}}}}),
    "optional parameter": lambda made: put(made)["parameters"].append(
        {"name": "new", "in": "query", "schema": {"type": "string"}}
    ),
    "optional field": lambda made: thing_in(made)["properties"].update(new={"type": "string"}),
    "accepted code": lambda made: thing_in(made)["properties"]["kind"]["enum"].append("c"),
    "looser bound": lambda made: thing_in(made)["properties"]["parts"].update(maxItems=6),
    "no longer required": lambda made: thing_in(made)["required"].clear(),
    "answered field": lambda made: thing_out(made)["properties"].update(new={"type": "string"}),
    "surer": lambda made: thing_out(made)["required"].append("note"),
    "error": lambda made: put(made)["responses"].update({"409": {"content": {}}}),
}


@pytest.mark.parametrize("name", SAFE)
def test_a_change_that_old_clients_survive_is_let_through(name: str) -> None:
    changed = deepcopy(contract())
    SAFE[name](changed)

    assert breaking_changes(contract(), changed) == []
