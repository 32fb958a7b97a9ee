"""White space over HTTP, answered from memory."""

from functools import partial
from typing import Annotated, Any, Final

from fastapi import Path, Query, Request, Response

from service.accounts.names import with_account_names
from service.base.clock import Clock
from service.base.components import components_of
from service.readmodel.listed_policies import ListedPolicies
from service.readmodel.whitespace import RowKind, WhitespaceIndex
from service.rows.field_types import MAX_TEXT, NO_NUL
from service.segments.errors import NothingLearned
from service.sync.artifact_holder import ArtifactHolder
from service.sync.loaded_artifact import LoadedArtifact
from service.web.columns import CURRENCY, TEXT_WIDTH, WIDE, flag, money, number, share, text
from service.web.etag import etag_response
from service.web.list_files import FormatOfExport, FormatOfList, ListFile, ListFormat, file_response, list_file
from service.web.parameters import DEFAULT_PAGE_ITEMS, AccountInPath, Cursor, Limit, SegmentInPath
from service.web.response_cache import cached_response
from service.web.routing import Router
from service.web.spreadsheets import Table
from service.whitespace import account, answers, group
from service.whitespace.export import COLUMNS, about, matrices_of, rows_of
from service.whitespace.schemas import AccountWhiteSpace, CellAccounts, WhiteSpace, WhitespaceScope

router = Router("white space")
CELL_COLUMNS: Final = (
    text("account_id"),
    text("account_name", width=WIDE),
    text("row"),
    text("segment", "segment_name"),
    share("propensity"),
    money("expected_revenue", "expected_minor"),
    money("value_ahead"),
    CURRENCY,
    flag("has_open_deal"),
)
ACCOUNT_COLUMNS: Final = (
    text("account_id"),
    text("account_name", width=WIDE),
    text("row", width=WIDE),
    text("status"),
    share("propensity"),
    money("expected_revenue", "expected_minor"),
    CURRENCY,
    text("reason", width=TEXT_WIDTH),
)
GROUP_COLUMNS: Final = (
    *ACCOUNT_COLUMNS[:4],
    number("owners"),
    number("expected_buyers"),
    money("expected_revenue", "expected_minor"),
    money("expected_elsewhere", "expected_elsewhere_minor"),
    CURRENCY,
    text("reason", width=TEXT_WIDTH),
)
Rows = Annotated[RowKind, Query(description="Product lines, or categories.")]
Family = Annotated[str, Query(max_length=200, description="The family of segments that makes the columns.")]
RowInPath = Annotated[str, Path(max_length=MAX_TEXT, pattern=NO_NUL, examples=["DELI"])]


def in_use(request: Request) -> LoadedArtifact:
    """Return the artifact in use and what happened since; raises NothingLearned."""
    live = components_of(request.app).get(ArtifactHolder).current
    if live is None or live.is_fallback:
        raise NothingLearned
    return live


@router.live_route("/whitespace", "Show where there is room", "nothing-learned", "unknown-family", model=WhiteSpace)
def get_whitespace(request: Request, rows: Rows = RowKind.LINE, columns: Family = "rfm") -> Response:
    """Product lines, or categories, by the segments of a family: who owns something of it, what the accounts without it
    are expected to spend on it within the horizon, and how far the segment is from the one that owns it most.

    Expected revenue is the sum, over the accounts that own nothing of it, of the calibrated probability that they buy
    times what newcomers usually spend. Accounts and revenue of the segments and of `others` add up to `total`, and
    `totals` to the orders. Policies do not count here.
    """

    def make() -> object:
        index = in_use(request).derived(WhitespaceIndex)
        return answers.describe_map(index, index[rows], columns)

    return cached_response(request, make)


@router.read_route(
    "/whitespace/export",
    "Export where there is room",
    "nothing-learned",
    "unknown-family",
    is_live=True,
    has_files=True,
)
def export_whitespace(
    request: Request,
    rows: Rows = RowKind.LINE,
    columns: Family = "rfm",
    file_format: FormatOfExport = "csv",
) -> Response:
    """The map for people: a row for each line or category and segment. A workbook also has two sheets with a row for
    each line and a column for each segment: expected revenue, and penetration. Money is in major units.

    What a spreadsheet would take for a formula begins with an apostrophe.
    """
    index = in_use(request).derived(WhitespaceIndex)
    described = answers.describe_map(index, index[rows], columns)
    table = Table("Data", COLUMNS, partial(rows_of, described))
    name = ("whitespace", rows.value, columns)
    return file_response(request, file_format, name, table, sheets=matrices_of(described), about=about(described))


@router.live_route(
    "/whitespace/cells/{row:identifier}/{segment_id}/accounts",
    "List who is behind a cell",
    "nothing-learned",
    "unknown-row",
    "unknown-segment",
    model=CellAccounts,
    has_files=True,
)
def list_whitespace_accounts(
    request: Request,
    row: RowInPath,
    segment_id: SegmentInPath,
    rows: Rows = RowKind.LINE,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE_ITEMS,
    file_format: FormatOfList = ListFormat.JSON,
) -> Response:
    """The segment's accounts that own nothing of a line or category, those that are expected to spend most on it first.

    Who bought of it since the training, and who objects to marketing, is left out. So is from whom policies of
    eligibility, applicability and suitability withhold every product of it, whatever the placement, channel, basket and
    context of a request are.
    """
    live = in_use(request)
    index, segment = live.derived(WhitespaceIndex), live.segments.find(segment_id)
    policies = ListedPolicies.from_state(live.state, components_of(request.app).get(Clock).now())

    def fetch(cursor: str | None, limit: int) -> dict[str, Any]:
        page = answers.page_of_cell(index, index[rows], live.state, row, segment, policies, cursor, limit)
        return page | {"items": with_account_names(request.app, page["items"])}

    if file_format is ListFormat.JSON:
        return etag_response(request, fetch(cursor, limit))
    about = {"row": row, "segment": segment.name, **answers.describe_basis(index, index[rows])}
    file = ListFile(("whitespace", row, segment_id), CELL_COLUMNS, fetch, segment.measured["size"], about)
    return list_file(request, file_format, file)


@router.live_route(
    "/accounts/{account_id:identifier}/whitespace",
    "Show where an account has room",
    "nothing-learned",
    "unknown-account",
    model=AccountWhiteSpace,
    has_files=True,
)
def get_account_whitespace(
    request: Request,
    account_id: AccountInPath,
    rows: Rows = RowKind.LINE,
    scope: Annotated[
        WhitespaceScope, Query(description="The account alone, or `group`: it and all its subsidiaries together.")
    ] = WhitespaceScope.ACCOUNT,
    file_format: FormatOfList = ListFormat.JSON,
) -> Response:
    """Each line, or category, once: `owned`, in the `pipeline` (a deal is open), a `gap`, or `not_eligible`, with the
    reason. Gaps and open deals have the calibrated probability that the account buys of it within the horizon, and what
    that is worth. Orders, deals, objections and policies count at once; see the accounts of a cell for which policies.

    With `scope=group` the account and its subsidiaries, on all levels, count together. What any of them owns, the group
    owns; what none does is a gap, in the pipeline if any has an open deal for it. Expected money is the sum over the
    accounts that own nothing of the line: `expected_minor` where nobody does, `expected_elsewhere_minor` where another
    account of the group does. `group` says which accounts they are, and what the lines add up to. Policies, which are
    of single accounts, are not asked.
    """
    live = in_use(request)
    index = live.derived(WhitespaceIndex)
    if scope is WhitespaceScope.GROUP:
        described = group.describe_group(index, index[rows], live.state, account_id)
    else:
        policies = ListedPolicies.from_state(live.state, components_of(request.app).get(Clock).now())
        described = account.describe_account(index, index[rows], live.state, policies, account_id)
    (named,) = with_account_names(request.app, [described])
    if file_format is ListFormat.JSON:
        return etag_response(request, named)
    about = {**answers.describe_basis(index, index[rows]), "account": named["account_name"] or account_id}
    columns = GROUP_COLUMNS if scope is WhitespaceScope.GROUP else ACCOUNT_COLUMNS
    file = ListFile(("whitespace", account_id), columns, lambda _, __: named | {"next_cursor": None}, 0, about)
    return list_file(request, file_format, file)
