"""The list of accounts: filters, order, and a page at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, cast

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session, aliased

from service.accounts.schemas import AccountSummary, Marketing
from service.accounts.tables import Account, Consent
from service.base.pagination import IDENTIFIER, cut_page, decode_cursor, decode_row, encode_cursor
from service.readmodel.segment_catalog import Segment, SegmentCatalog
from service.storage.bulk import IDS_PER_QUERY
from service.storage.text_search import contains_text, has_attribute
from service.web.columns import TEXT_WIDTH, WIDE, Column, flag, text, time

COLUMNS: Final[tuple[Column, ...]] = (
    text("account_id"),
    text("name", width=WIDE),
    text("parent_account_id"),
    text("parent_name", width=WIDE),
    flag("is_strategic"),
    text("marketing"),
    text("attributes", width=TEXT_WIDTH),
    time("updated_at"),
)
_LIST_NAME: Final = "accounts"


@dataclass(frozen=True)
class AccountFilter:
    """Which accounts to list; None lets all pass. attributes: names and values, all of which must be there."""

    search: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    is_strategic: bool | None = None
    parent_account_id: str | None = None


Rows = Sequence[AccountSummary]


def page_of_accounts(
    session: Session, wanted: AccountFilter, cursor: str | None, limit: int
) -> tuple[Rows, str | None]:
    """Return accounts in the order of their identifiers from a cursor on; raises InvalidCursor."""
    after = decode_cursor(cursor, (_LIST_NAME,), IDENTIFIER)
    query = _selected(session, wanted).order_by(Account.account_id).limit(limit + 1)
    if after is not None:
        query = query.where(Account.account_id > after)
    rows = [_summary(row) for row in session.execute(query)]
    return cut_page(rows, limit, (_LIST_NAME,), lambda account: account.account_id)


def page_of_members(
    session: Session,
    wanted: AccountFilter,
    segments: SegmentCatalog,
    segment: Segment,
    cursor: str | None,
    limit: int,
) -> tuple[Rows, str | None]:
    """Return accounts of a segment, the most valuable first, from a cursor on; raises InvalidCursor."""
    list_name = (_LIST_NAME, segments.version, segment.id)
    members = _members(segments, segment, segments.index_at(segment, decode_row(cursor, list_name)))
    summaries: list[tuple[int, AccountSummary]] = []
    while len(summaries) <= limit and (chunk := list(islice(members, IDS_PER_QUERY))):
        query = _selected(session, wanted).where(Account.account_id.in_([account_id for _, account_id in chunk]))
        by_id = {row.account_id: row for row in map(_summary, session.execute(query))}
        summaries += [(index, by_id[account_id]) for index, account_id in chunk if account_id in by_id]
    accounts = [account for _, account in summaries[:limit]]
    if len(summaries) <= limit:
        return accounts, None
    return accounts, encode_cursor(list_name, segments.stable_position(segment, summaries[limit][0]))


def _members(segments: SegmentCatalog, segment: Segment, begin: int) -> Iterator[tuple[int, str]]:
    """Yield the members of a segment with their index in its list, from an index on."""
    rows = segments.members(segment)
    texts = segments.content.account_ids.texts
    for index in range(begin, len(rows)):
        yield index, texts[rows[index]]
    newcomers = sorted(segment.newcomers)
    for index in range(max(begin, len(rows)), len(rows) + len(newcomers)):
        yield index, newcomers[index - len(rows)]


def _selected(session: Session, wanted: AccountFilter) -> Select[Any]:
    parent = aliased(Account)
    query = select(Account, parent.name, Consent.is_objecting)
    query = query.outerjoin(parent, parent.account_id == Account.parent_account_id)
    query = query.outerjoin(Consent, Consent.account_id == Account.account_id)
    if wanted.search is not None:
        is_named = contains_text(Account.name, wanted.search)
        query = query.where(or_(is_named, contains_text(Account.account_id, wanted.search)))
    for name, value in wanted.attributes:
        query = query.where(has_attribute(session, Account.attributes, name, value))
    if wanted.is_strategic is not None:
        query = query.where(Account.is_strategic == wanted.is_strategic)
    if wanted.parent_account_id is not None:
        query = query.where(Account.parent_account_id == wanted.parent_account_id)
    return cast(Select[Any], query)


def _summary(row: Any) -> AccountSummary:
    account, parent_name, is_objecting = row
    marketing = {None: Marketing.NOT_ASKED, True: Marketing.OBJECTED, False: Marketing.GRANTED}[is_objecting]
    return AccountSummary(
        account_id=account.account_id,
        name=account.name,
        parent_account_id=account.parent_account_id,
        parent_name=parent_name,
        attributes=account.attributes,
        is_strategic=account.is_strategic,
        marketing=marketing,
        is_stub=account.is_stub,
        updated_at=account.updated_at,
    )
