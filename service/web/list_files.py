"""Lists and exports as files: a table of columns for each, and one way to write them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, islice
from typing import Annotated, Any, Final, Literal

from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse

from service.base.clock import Clock
from service.base.components import components_of
from service.web.columns import Column, Row
from service.web.spreadsheets import CSV_TYPE, XLSX_TYPE, Table, Workbook, csv_of, workbook_of

ROWS_AT_ONCE: Final = 5_000
"""Rows that a list is read by where it goes into a file."""
_MAX_NAME_PART: Final = 40
_NOT_IN_FILE_NAMES: Final = re.compile("[^A-Za-z0-9.]+")
Page = Mapping[str, Any]
"""items and next_cursor, and what else a list says of itself."""


class ListFormat(StrEnum):
    """How a list is answered."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"


FormatOfList = Annotated[
    ListFormat,
    Query(
        alias="format",
        description="`json`, or a file with the whole list, or its first `limit` rows where that is given: `csv` "
        "(UTF-8 with a byte order mark, streamed, of any length; money in major units, shares as fractions), or `xlsx` "
        "(at most 100,000 rows).",
    ),
]
FormatOfExport = Annotated[
    Literal["csv", "xlsx"],
    Query(alias="format", description="CSV, of any length, or a workbook of at most 100,000 rows a sheet."),
]


@dataclass(frozen=True)
class ListFile:
    """How a list becomes a file.

    name:    of the file; the parts are joined, and the day and the format's ending are added.
    fetch:   returns a page from a cursor on. Each page may be read at another time.
    at_most: an upper bound of the number of rows.
    about:   what a reader should know of the figures.
    """

    name: tuple[str, ...]
    columns: tuple[Column, ...]
    fetch: Callable[[str | None, int], Page]
    at_most: int = 0
    about: Mapping[str, object] = field(default_factory=dict)


def list_file(request: Request, file_format: ListFormat, wanted: ListFile) -> Response:
    """Answer with a list as a file, by the same pages as its JSON. Raises TooLargeForSpreadsheet or InvalidCursor."""
    query = request.query_params
    cursor, limit = query.get("cursor"), int(query["limit"]) if "limit" in query else None

    def rows() -> Iterable[Row]:
        return walk_pages(wanted.fetch, cursor, limit)

    at_most = wanted.at_most if limit is None else min(limit, wanted.at_most)
    table = Table(wanted.name[0].replace("-", " ").capitalize(), wanted.columns, rows, at_most)
    return file_response(request, file_format.value, wanted.name, table, about=wanted.about)


def walk_pages(fetch: Callable[[str | None, int], Page], cursor: str | None, limit: int | None) -> Iterator[Row]:
    """Yield the items of a list from a cursor on, each with what its page says of the list."""
    remaining = limit
    while remaining is None or remaining > 0:
        page = fetch(cursor, ROWS_AT_ONCE if remaining is None else min(remaining, ROWS_AT_ONCE))
        shared = {name: value for name, value in page.items() if name not in ("items", "next_cursor")}
        yield from ({**shared, **item} for item in page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            return
        remaining = None if remaining is None else remaining - len(page["items"])


def file_response(
    request: Request,
    file_format: str,
    name: tuple[str, ...],
    table: Table,
    *,
    sheets: tuple[Table, ...] = (),
    about: Mapping[str, object] | None = None,
) -> Response:
    """Answer with a table as a file. sheets: come before it in a workbook. Raises TooLargeForSpreadsheet.

    What reading the first row raises is raised here, before the answer begins.
    """
    now = components_of(request.app).get(Clock).now()
    parts_of_name = [_NOT_IN_FILE_NAMES.sub("-", part)[:_MAX_NAME_PART].strip("-.") for part in name]
    file_name = f"{'-'.join(filter(None, parts_of_name))}-{now:%Y-%m-%d}.{file_format}"
    headers = {"Content-Disposition": f'attachment; filename="{file_name}"'}
    if file_format == ListFormat.CSV:
        parts = csv_of(table.columns, _begun(table.rows()))
        return StreamingResponse(parts, media_type=f"{CSV_TYPE}; charset=utf-8", headers=headers)
    basis = {"list": table.title, "written_at": f"{now:%Y-%m-%d %H:%M} UTC", "request": _request_text(request)}
    workbook = Workbook((*sheets, table), basis | dict(about or {}))
    return StreamingResponse(workbook_of(workbook), media_type=XLSX_TYPE, headers=headers)


def _begun(rows: Iterable[Row]) -> Iterator[Row]:
    remaining = iter(rows)
    return chain(list(islice(remaining, 1)), remaining)


def _request_text(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
