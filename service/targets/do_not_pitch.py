"""Describes the accounts that should not be asked now."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from models.artifact.measures import WINDOW_DAYS
from service.base.clock import as_date
from service.base.money import from_minor
from service.base.pagination import ROW_OR_IDENTIFIER, decode_cursor, encode_cursor
from service.base.time_zones import find_zone
from service.readmodel.live_state import LiveState
from service.targets.exclusions import MIN_ALIVE, CurrentExclusions, ExcludedAccounts, Exclusions
from service.targets.schemas import ExclusionReason


def page_of_excluded(
    exclusions: Exclusions,
    state: LiveState,
    now: datetime,
    reason: ExclusionReason | None,
    cursor: str | None,
    limit: int,
) -> dict[str, Any]:
    """List the accounts with a reason, or with any, from a cursor on; raises InvalidCursor."""
    segments, current = exclusions.segments, CurrentExclusions(exclusions, state, now)
    tag = ("do-not-pitch", segments.version, reason)
    positions = accounts_from(current.accounts_with(reason), decode_cursor(cursor, tag, ROW_OR_IDENTIFIER) or 0)
    page = list(islice(positions, limit + 1))
    items = [describe_excluded(current, position) for position in page[:limit]]
    # An objection may have been withdrawn since it was listed.
    items = [item for item in items if item["reasons"]]
    return {
        "as_of": as_date(segments.as_of_day),
        "timezone": segments.timezone,
        "artifact_version": segments.version,
        "counts": current.counts(),
        "items": items,
        "next_cursor": encode_cursor(tag, page[limit]) if len(page) > limit else None,
    }


def count_excluded(exclusions: Exclusions, state: LiveState, now: datetime, reason: ExclusionReason | None) -> int:
    """Count the accounts with a reason, or with any."""
    accounts = CurrentExclusions(exclusions, state, now).accounts_with(reason)
    return len(accounts.rows) + len(accounts.newcomers)


def accounts_from(accounts: ExcludedAccounts, begin: int | str) -> Iterator[int | str]:
    """Yield the rows of the accounts that the artifact knows, then the identifiers of the others, from one on."""
    if not isinstance(begin, str):
        yield from map(int, accounts.rows[accounts.rows.searchsorted(begin) :])
        begin = ""
    yield from (account_id for account_id in accounts.newcomers if account_id >= begin)


def describe_excluded(current: CurrentExclusions, position: int | str) -> dict[str, Any]:
    """Describe an account, given by its row or, where the artifact does not know it, by its identifier."""
    if isinstance(position, str):
        return {"account_id": position, "reasons": reasons_of(current, position, None)}
    account_id = current.exclusions.segments.content.account_ids.texts[position]
    if current.is_erased(position):  # a moment ago
        return {"account_id": "", "reasons": []}
    return {"account_id": account_id, "reasons": reasons_of(current, account_id, position)}


def reasons_of(current: CurrentExclusions, account_id: str, row: int | None) -> list[dict[str, str]]:
    """Return every reason against asking an account."""
    exclusions = current.exclusions
    reasons: list[tuple[ExclusionReason, str]] = []
    if account_id in current.objecting:
        reasons.append((ExclusionReason.OBJECTS, "It objects to marketing."))
    if (declined_at := current.declined.get(account_id)) is not None:
        day = declined_at.astimezone(find_zone(exclusions.segments.timezone)).date()
        reasons.append((ExclusionReason.DECLINED, f"A deal with it was lost on {day}."))
    if row is not None and exclusions.is_unlikely[row]:
        reasons.append((ExclusionReason.UNLIKELY, _unlikely_text(exclusions, row)))
    if row is not None and exclusions.is_unprofitable[row] and account_id not in current.strategic:
        earned = _money(int(exclusions.earned[row]), exclusions.segments.currency)
        text = f"It brought {earned} in the last {WINDOW_DAYS} days, returns subtracted."
        reasons.append((ExclusionReason.UNPROFITABLE, text))
    if (policy_id := current.withholding(account_id, row)) is not None:
        reasons.append((ExclusionReason.POLICY, f"Policies withhold every product from it, such as {policy_id}."))
    return [{"code": code, "text": text} for code, text in reasons]


def _money(minor: int, currency: str | None) -> str:
    return from_minor(minor, currency) if currency else f"{minor:,} minor units"


def _unlikely_text(exclusions: Exclusions, row: int) -> str:
    alive = float(exclusions.segments.content.customers.is_alive[row])
    if alive < MIN_ALIVE:
        return f"Probably no longer a customer (probability {alive:.2f})."
    best = float(exclusions.best[row])
    bar = f"{exclusions.min_best:.2%}"
    return f"Its likeliest candidate has a propensity of {best:.2%}, below {bar}: a quarter of the median."
