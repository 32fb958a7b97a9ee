"""What routes put into the OpenAPI document: problem answers, and requests that they decode themselves."""

from collections import defaultdict
from typing import Any, Final

from pydantic import BaseModel

from service.base.errors import PROBLEMS
from service.base.problems import MEDIA_TYPE, Problem
from service.web.spreadsheets import CSV_TYPE, XLSX_TYPE

REF_PREFIX = "#/components/schemas/"
SCOPE_KEY = "x-required-scope"
OTHER_SCOPES_KEY = "x-sufficient-scopes"
"""Scopes that open a route as well as the required one."""

Responses = dict[int | str, dict[str, Any]]
Parameter = dict[str, Any]


def problems(*codes: str) -> Responses:
    """Document the problems that a route can answer with, by their codes in ``service.base.errors.PROBLEMS``."""
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in codes:
        by_status[PROBLEMS[code].status].append(code)
    return {status: _response(codes) for status, codes in sorted(by_status.items())}


def _response(codes: list[str]) -> dict[str, Any]:
    text = "; ".join(f"`{code}`: {PROBLEMS[code].title}" for code in codes)
    return {"description": f"{text}.", "content": {MEDIA_TYPE: {"schema": {"$ref": REF_PREFIX + Problem.__name__}}}}


ETAG_HEADERS: Final[dict[str, Any]] = {
    "ETag": {"description": "Send it as `If-None-Match` next time.", "schema": {"type": "string"}}
}
NOT_MODIFIED: Final[Responses] = {
    304: {"description": "Nothing changed since the ETag in If-None-Match.", "headers": ETAG_HEADERS}
}
IF_NONE_MATCH: Final[Parameter] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of the answer that you have: 304 if it is still the same.",
    "schema": {"type": "string"},
}
FILE_TYPES: Final[dict[str, Any]] = {
    CSV_TYPE: {"schema": {"type": "string"}},
    XLSX_TYPE: {"schema": {"type": "string", "format": "binary"}},
}
WRITTEN_HEADERS: Final[dict[str, Any]] = {
    "X-Sequence": {
        "description": "Requests that name it in `X-Min-Sequence` see this write.",
        "schema": {"type": "integer"},
    },
    "Idempotency-Replayed": {
        "description": "`true` if this is the answer to an earlier request with the same key.",
        "schema": {"type": "string"},
    },
}

MIN_SEQUENCE: Final[Parameter] = {
    "name": "X-Min-Sequence",
    "in": "header",
    "required": False,
    "description": "A write's `X-Sequence`: the answer waits for that change, and is 503 if it takes too long.",
    "schema": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
}


def decoded_parameters(model: type[BaseModel], scope: str, *headers: Parameter, in_path: str) -> dict[str, Any]:
    """Document parameters that the route decodes itself, and its scope: pass as ``openapi_extra``."""
    schema = model.model_json_schema()
    parameters = [
        {
            "name": name,
            "in": "path" if name == in_path else "query",
            "required": name in schema.get("required", ()),
            "description": field.pop("description", ""),
            "schema": {key: value for key, value in field.items() if key != "title"},
        }
        for name, field in schema["properties"].items()
    ]
    return {"parameters": [*parameters, *headers], SCOPE_KEY: scope}


def decoded_body(model: type[BaseModel], scope: str, *headers: Parameter) -> dict[str, Any]:
    """Document a JSON body that the route decodes itself, and its scope: pass as ``openapi_extra``."""
    schema = {"$ref": REF_PREFIX + model.__name__}
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {"parameters": list(headers), "requestBody": body, SCOPE_KEY: scope}
