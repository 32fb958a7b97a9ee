"""Segments over HTTP, answered from memory."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Query, Request, Response

from models.artifact.segments import slug
from service.accounts.names import with_account_names
from service.auth.dependencies import require
from service.auth.keys import Principal, Scope
from service.base.clock import as_date
from service.base.components import components_of
from service.base.pagination import Page
from service.readmodel.attribute_types import check_attributes
from service.readmodel.ranked_accounts import Definition, SegmentMembers
from service.readmodel.rule_grammar import reads_attributes
from service.readmodel.segment_catalog import SegmentCatalog
from service.readmodel.segment_membership import Attributes
from service.segments import answers, queries
from service.segments.errors import BuiltInSegment, NothingLearned
from service.segments.live import SEGMENTS_CHANGED
from service.segments.schemas import (
    Interval,
    NewSegment,
    RuleIn,
    SegmentAccount,
    SegmentDetail,
    SegmentIn,
    SegmentMetrics,
    SegmentPage,
    SegmentPreview,
)
from service.sync.artifact_holder import ArtifactHolder
from service.web.columns import CURRENCY, WIDE, day, money, share, text, whole
from service.web.dependencies import ReadSession, open_read_session
from service.web.etag import etag_response
from service.web.list_files import FormatOfList, ListFile, ListFormat, list_file
from service.web.parameters import DEFAULT_PAGE_ITEMS, Cursor, Limit, SegmentInPath
from service.web.response_cache import cached_response
from service.web.responses import JsonResponse
from service.web.routing import Router
from service.web.unit_of_work import UnitOfWork, UnitOfWorkDep

router = Router("segments")
SEGMENT_PATH: Final = "/segments/{segment_id}"
SEGMENT_PROBLEM_CODES: Final = ("nothing-learned", "unknown-segment")
ACCOUNT_COLUMNS: Final = (
    text("account_id"),
    text("account_name", width=WIDE),
    day("since"),
    money("spend"),
    money("value_ahead"),
    CURRENCY,
    whole("purchase_days"),
    day("last_purchase_on"),
    share("is_alive"),
)
CUSTOM: Final = "custom."
"""Begins the identifier of each segment that users define."""
Writer = Annotated[Principal, Depends(require(Scope.WRITE))]


def segments_in_use(request: Request) -> SegmentCatalog:
    """Return the segments of the current artifact; raises NothingLearned."""
    current = components_of(request.app).get(ArtifactHolder).current
    if current is None or current.is_fallback:
        raise NothingLearned
    segments: SegmentCatalog = current.segments
    return segments


def draft_new_segment(segment: NewSegment, request: Request) -> Iterator[SegmentMembers]:
    """Evaluate a new segment; raises NothingLearned."""
    segment_id = f"{CUSTOM}{segment.slug or slug(segment.name) or 'segment'}"
    yield from draft_segment(request, segment_id, segment)


def draft_replacement(segment_id: SegmentInPath, segment: SegmentIn, request: Request) -> Iterator[SegmentMembers]:
    """Evaluate the new definition of a segment; raises BuiltInSegment, UnknownSegment or NothingLearned."""
    refuse_built_in(request, segment_id)
    yield from draft_segment(request, segment_id, segment)


def draft_segment(request: Request, segment_id: str, segment: SegmentIn) -> Iterator[SegmentMembers]:
    """Evaluate a definition before the write transaction, and keep the result until its change is applied."""

    def read() -> Attributes:
        with open_read_session(request.app) as session:
            attributes = queries.read_attributes(session.connection())
        check_attributes(segment.rule, attributes)
        return attributes

    definition = Definition(segment_id, segment.name, segment.description, segment.rule)
    with segments_in_use(request).membership.draft(definition, read) as members:
        yield members


# Named before UnitOfWorkDep: a draft is made before the write transaction, and dropped after its change is applied.
NewDraft = Annotated[SegmentMembers, Depends(draft_new_segment, scope="function")]
ReplacementDraft = Annotated[SegmentMembers, Depends(draft_replacement, scope="function")]


@router.live_route("/segments", "List segments", "nothing-learned", "unknown-family", model=SegmentPage)
def list_segments(
    request: Request,
    family: Annotated[str | None, Query(max_length=200, description="Only segments of this family.")] = None,
) -> Response:
    """Every segment with its size, its revenue of the last 365 days and its value ahead.

    Built in: `rfm` (eleven, by quintiles of recency, frequency and money), `revenue-tier` and `value-tier` (A: the
    largest accounts that make 80 % together; B: up to 95 %; C), `trend` (growing, steady, falling), `strategic`
    (declared by `is_strategic` of an account), and `all`.
    """
    return cached_response(request, lambda: answers.describe_all(segments_in_use(request), family))


@router.write_route(
    "POST",
    "/segments",
    "Define a segment",
    "nothing-learned",
    "segment-exists",
    "too-many-segments",
    "rule-never-matches",
    model=SegmentDetail,
    status_code=201,
)
def create_segment(draft: NewDraft, writing: UnitOfWorkDep, request: Request, by: Writer) -> Response:
    """Define a segment by a rule over the profile. Its id is `custom.` and the slug.

    A rule is an object with one of these keys: `all` and `any` (lists of rules), `not` (a rule), `field` (a figure of
    the profile, with `op` and `value`, or `values` for `in` and `not_in`), `attribute` (the same of what you stored of
    the account), `owns` (`products`, `lines` or `categories`: one of them). It is true at once of whoever it fits, and
    again whenever an account's facts change. What is not known of an account compares with nothing: such a comparison
    is false, and its `not` true; `is_known` tells.

    Numbers compare with numbers, texts with texts; `lt`, `le`, `gt` and `ge` order numbers and ISO 8601 dates. A rule
    that compares an attribute with a value of another type than any account has, or names one that no account has, is
    refused.
    """
    segments = segments_in_use(request)

    def work(write: UnitOfWork) -> Response:
        queries.add_segment(write.connection, draft.definition, by.key_id, write.now)
        return describe_defined(write, segments, draft, 201)

    return writing.answer(work)


@router.write_route(
    "PUT",
    SEGMENT_PATH,
    "Define a segment anew",
    "nothing-learned",
    "unknown-segment",
    "built-in-segment",
    "rule-never-matches",
    model=SegmentDetail,
)
def replace_segment(draft: ReplacementDraft, writing: UnitOfWorkDep, request: Request, by: Writer) -> Response:
    """Change name, description and rule of a segment that users defined."""
    segments = segments_in_use(request)

    def work(write: UnitOfWork) -> Response:
        queries.replace_segment(write.connection, draft.definition, by.key_id, write.now)
        return describe_defined(write, segments, draft, 200)

    return writing.answer(work)


@router.write_route("DELETE", SEGMENT_PATH, "Delete a segment", "unknown-segment", "built-in-segment")
def delete_segment(request: Request, segment_id: SegmentInPath, writing: UnitOfWorkDep) -> Response:
    """Delete a segment that users defined. Its snapshots stay in the artifacts."""
    refuse_built_in(request, segment_id)

    def work(write: UnitOfWork) -> Response:
        queries.remove_segment(write.connection, segment_id)
        write.changes.touch(SEGMENTS_CHANGED, [segment_id])
        return Response()

    return writing.answer(work)


@router.read_route(
    "/segments/preview",
    "Try a rule out",
    "nothing-learned",
    "rule-never-matches",
    model=SegmentPreview,
    method="POST",
    is_live=True,
)
def preview_segment(given: RuleIn, session: ReadSession, request: Request) -> Response:
    """Count who a rule is true of now, and name some of them; nothing is stored."""
    segments = segments_in_use(request)
    attributes = queries.read_attributes(session.connection()) if reads_attributes(given.rule) else {}
    check_attributes(given.rule, attributes)
    members = segments.membership.preview(Definition("preview", "", None, given.rule), attributes)
    described = answers.describe_preview(segments, members)
    examples = with_account_names(request.app, [{"account_id": account_id} for account_id in described["examples"]])
    return JsonResponse(orjson.dumps(described | {"example_accounts": examples}))


def refuse_built_in(request: Request, segment_id: str) -> None:
    """Raise BuiltInSegment for a segment that users do not define, UnknownSegment where there is none."""
    if not segment_id.startswith(CUSTOM):
        current = components_of(request.app).get(ArtifactHolder).current
        if current is not None and not current.is_fallback:
            current.segments.find(segment_id)
        raise BuiltInSegment(segment_id)


def describe_defined(write: UnitOfWork, segments: SegmentCatalog, draft: SegmentMembers, status: int) -> Response:
    """Note the change of a segment, and answer with the segment as it is measured once the change is applied."""
    write.changes.touch(SEGMENTS_CHANGED, [draft.definition.id])
    stored = replace(draft, definition=replace(draft.definition, updated_at=write.now))
    body = answers.describe_segment(segments, segments.measure(stored))
    content = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    return Response(content, status_code=status, media_type="application/json")


@router.live_route(SEGMENT_PATH, "Show a segment", *SEGMENT_PROBLEM_CODES, model=SegmentDetail)
def get_segment(request: Request, segment_id: SegmentInPath) -> Response:
    """One segment: size, revenue, margin where known, orders, retention, churn risk, value ahead, its share of each
    total, what share of it owns each product line, and who came and went since the training before.
    """

    def make() -> object:
        segments = segments_in_use(request)
        return answers.describe_segment(segments, segments.find(segment_id))

    return cached_response(request, make)


@router.live_route(
    SEGMENT_PATH + "/accounts",
    "List a segment's accounts",
    *SEGMENT_PROBLEM_CODES,
    model=Page[SegmentAccount],
    has_files=True,
)
def list_segment_accounts(
    request: Request,
    segment_id: SegmentInPath,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE_ITEMS,
    file_format: FormatOfList = ListFormat.JSON,
) -> Response:
    """The accounts that are in the segment, those with the most value ahead first, a page at a time. Everything but
    their names is answered from memory.
    """
    segments = segments_in_use(request)
    segment = segments.find(segment_id)

    def fetch(cursor: str | None, limit: int) -> dict[str, Any]:
        page = answers.page_of_accounts(segments, segment, cursor, limit)
        return page | {"items": with_account_names(request.app, page["items"])}

    if file_format is ListFormat.JSON:
        return etag_response(request, fetch(cursor, limit))

    def fetch_rows(cursor: str | None, limit: int) -> dict[str, Any]:
        return fetch(cursor, limit) | {"currency": segments.currency}

    about = {"segment": segment.name, "as_of": as_date(segments.as_of_day), "artifact_version": segments.version}
    name = ("segment", segment_id)
    file = ListFile(name, ACCOUNT_COLUMNS, fetch_rows, segment.measured["size"], about | segments.value_terms)
    return list_file(request, file_format, file)


@router.live_route(SEGMENT_PATH + "/metrics", "Show a segment over time", *SEGMENT_PROBLEM_CODES, model=SegmentMetrics)
def get_segment_metrics(
    request: Request,
    segment_id: SegmentInPath,
    begin: Annotated[date | None, Query(alias="from", description="Periods that begin on this day or later.")] = None,
    end: Annotated[date | None, Query(alias="to", description="Periods that begin before this day.")] = None,
    interval: Interval = Interval.MONTH,
) -> Response:
    """What the accounts that are in the segment now did, period by period; and what was measured at each training,
    of those that were in it then.
    """

    def make() -> object:
        segments = segments_in_use(request)
        return answers.describe_over_time(segments, segments.find(segment_id), interval, begin, end)

    return cached_response(request, make)
