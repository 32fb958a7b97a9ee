"""Bulk input over HTTP: many rows in one body, a result for each."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Annotated, Any, Final, Literal, TypeVar

import orjson
from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, Field, TypeAdapter

from service.base.components import components_of
from service.base.errors import MediaTypeUnsupported
from service.base.settings import Settings
from service.rows.chunks import RowError
from service.rows.errors import RowsUnreadable, TooManyRows
from service.rows.field_types import MAX_IDENTIFIER
from service.rows.guest_values import DEFAULT_GUEST_VALUES, GuestValues
from service.rows.options import MatchProducts, UnknownProducts
from service.rows.readers.ndjson import numbered, parse_object
from service.rows.validation import RowErrors, placeholder_errors, validate_rows
from service.storage.bulk import RowStatus
from service.web.openapi_parts import REF_PREFIX
from service.web.routing import Decorator, Router
from service.web.written import Written

Row = TypeVar("Row", bound=BaseModel)
_NDJSON: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")


class RowErrorOut(BaseModel):
    """What is wrong with one field of a row."""

    field: str = Field(description="Path of the field; empty if the row as a whole is wrong.")
    reason: str


class RowResult(BaseModel):
    """What became of one row."""

    index: int = Field(description="The row's position in the request, from 0.")
    status: Literal["created", "updated", "unchanged", "rejected"]
    id: str | None = Field(description="The row's identifier, if it has a readable one.")
    errors: list[RowErrorOut] = Field(description="Why it was rejected; else empty.")


class BulkAnswer(Written):
    """What became of each row. Accepted rows are stored when this answer is sent."""

    accepted: int
    rejected: int
    results: list[RowResult]


EXAMPLE: Final = {
    "sequence": 87,
    "accepted": 1,
    "rejected": 1,
    "results": [
        {"index": 0, "status": "created", "id": "A-1", "errors": []},
        {"index": 1, "status": "rejected", "id": "A-2", "errors": [{"field": "currency", "reason": "is too long"}]},
    ],
}


def bulk_route(router: Router, path: str, summary: str, row: type[BaseModel]) -> Decorator:
    """Declare a POST of many rows, each of which is accepted or rejected by itself."""
    router.body_models.append(row)
    return router.write_route(
        "POST",
        path,
        summary,
        "rows-unreadable",
        "too-many-rows",
        "media-type-unsupported",
        model=BulkAnswer,
        response={"content": {"application/json": {"example": EXAMPLE}}},
        openapi_extra=body_schema(row),
    )


async def _read_rows(request: Request) -> list[Any]:
    media_type = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    if media_type not in ("application/json", *_NDJSON):
        raise MediaTypeUnsupported("application/json", "application/x-ndjson")
    body = await request.body()
    rows = _parse_lines(body) if media_type in _NDJSON else _parse_array(body)
    limit = components_of(request.app).get(Settings).max_rows_per_request
    if len(rows) > limit:
        raise TooManyRows(limit)
    return rows


BulkRows = Annotated[list[Any], Depends(_read_rows)]
"""The rows of a body: parsed, but not validated. An unreadable NDJSON line is a RowError."""

UnknownProductsInQuery = Annotated[
    UnknownProducts,
    Query(
        description="What becomes of an unknown product: `add` adds it, to be described later; `reject` rejects the "
        "row."
    ),
]
MatchProductsInQuery = Annotated[
    MatchProducts,
    Query(
        description="Whether an unknown product may be read as a known one: `exactly` never does; `names` reads it as "
        "the one known product whose identifier differs in upper and lower case and in spaces alone."
    ),
]


def read_guest_values(
    keep_account_values: Annotated[
        bool,
        Query(description="Whether values such as `0` and `guest` identify accounts, rather than stand for guests."),
    ] = False,
) -> GuestValues:
    """Return the values that stand for guests in a request."""
    return GuestValues(() if keep_account_values else DEFAULT_GUEST_VALUES)


Guests = Annotated[GuestValues, Depends(read_guest_values)]


def _parse_array(body: bytes) -> list[Any]:
    try:
        rows = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RowsUnreadable(f"The body is not JSON: {error}.") from error
    if not isinstance(rows, list):
        raise RowsUnreadable(
            "The body must be an array of objects; or send one object per line as application/x-ndjson."
        )
    return rows


def _parse_lines(body: bytes) -> list[Any]:
    return [parse_object(line) for _, line in numbered(BytesIO(body))]


def validate_body(adapter: TypeAdapter[list[Row]], rows: Sequence[Any]) -> tuple[dict[int, Row], RowErrors]:
    """Validate each row by the rules that files obey."""
    faults: RowErrors = {index: (row,) for index, row in enumerate(rows) if isinstance(row, RowError)}
    readable = [index for index in range(len(rows)) if index not in faults]
    good, invalid = validate_rows(adapter, [rows[index] for index in readable])
    faults.update({readable[position]: row_faults for position, row_faults in invalid.items()})
    return {readable[position]: row for position, row in good.items()}, faults


def without_placeholders(rows: Mapping[int, Row], guests: GuestValues) -> tuple[dict[int, Row], RowErrors]:
    """The rows whose account is not a placeholder for guests, and the errors of the others, by index."""
    errors = placeholder_errors(rows, guests, hint="the query parameter keep_account_values=true")
    return {index: row for index, row in rows.items() if index not in errors}, errors


def bulk_response(
    key: str, rows: Sequence[Any], good: Mapping[int, BaseModel], statuses: Sequence[RowStatus], faults: RowErrors
) -> Response:
    """Answer with a result per row, in the order of the rows."""
    results = {
        index: {"index": index, "status": status, "id": getattr(row, key), "errors": []}
        for (index, row), status in zip(good.items(), statuses, strict=True)
    }
    for index, row_faults in faults.items():
        errors = [{"field": fault.field, "reason": _encodable(fault.reason)} for fault in row_faults]
        results[index] = {"index": index, "status": "rejected", "id": _id_of(rows[index], key), "errors": errors}
    answer = {"accepted": len(good), "rejected": len(faults), "results": [results[index] for index in sorted(results)]}
    return Response(orjson.dumps(answer), media_type="application/json")


def _id_of(row: object, key: str) -> str | None:
    identifier = row.get(key) if isinstance(row, dict) else None
    return identifier[:MAX_IDENTIFIER] if isinstance(identifier, str) else None


def _encodable(text: str) -> str:
    return text.encode(errors="replace").decode()


def body_schema(row: type[BaseModel]) -> dict[str, Any]:
    """The request body for OpenAPI, which FastAPI can't see: rows are validated one by one."""
    example = row.model_json_schema().get("example")
    array = {
        "schema": {"type": "array", "items": {"$ref": REF_PREFIX + row.__name__}},
        "example": [example],
    }
    lines = {"schema": {"type": "string"}, "example": orjson.dumps(example).decode()}
    return {"requestBody": {"required": True, "content": {"application/json": array, "application/x-ndjson": lines}}}
