"""White space over HTTP, answered from memory."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from service.auth.dependencies import require
from service.readmodel.whitespace import RowKind, WhitespaceIndex
from service.rows.field_types import MAX_TEXT, NO_NUL
from service.segments.errors import NothingLearned
from service.segments.routes import Cursor, SegmentInPath
from service.sync.loaded_artifact import LoadedArtifact
from service.web.etag import etag_response
from service.web.openapi_parts import NOT_MODIFIED, problems
from service.web.read_your_writes import wait_for_min_sequence
from service.web.response_cache import cached_response
from service.web.spreadsheets import CSV_TYPE, XLSX_TYPE, csv_of, workbook_of
from service.whitespace import account, answers
from service.whitespace.export import COLUMNS, rows_of
from service.whitespace.schemas import AccountWhiteSpace, CellAccounts, WhiteSpace

router = APIRouter(prefix="/v1", tags=["white space"])
READ: Final = [Depends(require("read")), Depends(wait_for_min_sequence)]
PROBLEM_CODES: Final = (
    "key-missing",
    "key-invalid",
    "scope-missing",
    "nothing-learned",
    "request-invalid",
    "sequence-not-reached",
)
Rows = Annotated[RowKind, Query(description="Product lines, or categories.")]
Family = Annotated[str, Query(max_length=200, description="The family of segments that makes the columns.")]
RowInPath = Annotated[str, Path(max_length=MAX_TEXT, pattern=NO_NUL, examples=["DELI"])]
AccountInPath = Annotated[str, Path(max_length=200, pattern=NO_NUL, examples=["1"])]


def in_use(request: Request) -> LoadedArtifact:
    """Return the artifact in use and what happened since; raises NothingLearned."""
    live: LoadedArtifact | None = request.app.state.nextoffer.holder.current
    if live is None or live.is_fallback:
        raise NothingLearned
    return live


@router.get(
    "/whitespace",
    operation_id="get_whitespace",
    summary="Show where there is room",
    response_model=WhiteSpace,
    dependencies=READ,
    responses=NOT_MODIFIED | problems(*PROBLEM_CODES, "unknown-family"),
)
def get_whitespace(request: Request, rows: Rows = RowKind.LINE, columns: Family = "rfm") -> Response:
    """Product lines, or categories, by the segments of a family: who owns something of it, what the accounts without it
    are expected to spend on it within the horizon, and how far the segment is from the one that owns it most.

    Expected revenue is the sum, over the accounts that own nothing of it, of the calibrated probability that they buy
    times what newcomers usually spend. Accounts and revenue of the segments and of `others` add up to `total`, and
    `totals` to the orders.
    """

    def make() -> object:
        index = in_use(request).derived(WhitespaceIndex)
        return answers.describe_map(index, index[rows], columns)

    return cached_response(request, make)


@router.get(
    "/whitespace/export",
    operation_id="export_whitespace",
    summary="Export where there is room",
    response_class=Response,
    dependencies=READ,
    responses={
        200: {"content": {CSV_TYPE: {}, XLSX_TYPE: {}}, "description": "The map, one cell per row."},
        **problems(*PROBLEM_CODES, "unknown-family", "too-large-for-spreadsheet"),
    },
)
def export_whitespace(
    request: Request,
    rows: Rows = RowKind.LINE,
    columns: Family = "rfm",
    file_format: Annotated[Literal["csv", "xlsx"], Query(alias="format", description="CSV or a workbook.")] = "csv",
) -> Response:
    """The map for people. Whatever a spreadsheet would take for a formula begins with an apostrophe."""
    index = in_use(request).derived(WhitespaceIndex)
    described = answers.describe_map(index, index[rows], columns)
    headers = {"Content-Disposition": f'attachment; filename="whitespace.{file_format}"'}
    if file_format == "xlsx":
        return Response(workbook_of("White space", COLUMNS, rows_of(described)), media_type=XLSX_TYPE, headers=headers)
    return StreamingResponse(csv_of(COLUMNS, rows_of(described)), media_type=CSV_TYPE, headers=headers)


@router.get(
    "/whitespace/cells/{row:path}/{segment_id}/accounts",
    operation_id="list_whitespace_accounts",
    summary="List who is behind a cell",
    response_model=CellAccounts,
    dependencies=READ,
    responses=NOT_MODIFIED | problems(*PROBLEM_CODES, "unknown-row", "unknown-segment", "invalid-cursor"),
)
def list_whitespace_accounts(
    request: Request,
    row: RowInPath,
    segment_id: SegmentInPath,
    rows: Rows = RowKind.LINE,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Most accounts to return.")] = 100,
) -> Response:
    """The segment's accounts that own nothing of a line or category, those that are expected to spend most on it first.

    Who bought of it since the training, and who objects to marketing, is left out.
    """
    live = in_use(request)
    index, segment = live.derived(WhitespaceIndex), live.segments.find(segment_id)
    page = answers.page_of_cell(index, index[rows], live.state, row, segment, cursor, limit)
    return etag_response(request, page)


@router.get(
    "/accounts/{account_id:path}/whitespace",
    operation_id="get_account_whitespace",
    summary="Show where an account has room",
    response_model=AccountWhiteSpace,
    dependencies=READ,
    responses=NOT_MODIFIED | problems(*PROBLEM_CODES, "unknown-account"),
)
def get_account_whitespace(request: Request, account_id: AccountInPath, rows: Rows = RowKind.LINE) -> Response:
    """Each line, or category, once: `owned`, in the `pipeline` (a deal is open), a `gap`, or `not_eligible`, with the
    reason. Gaps and open deals have the calibrated probability that the account buys of it within the horizon, and what
    that is worth. Orders, deals and objections count at once.
    """
    live = in_use(request)
    index = live.derived(WhitespaceIndex)
    return etag_response(request, account.describe_account(index, index[rows], live.state, account_id))
