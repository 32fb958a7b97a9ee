"""Whom not to ask, and why: from memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_NUMBER
from models.artifact.measures import WINDOW_DAYS
from service.base.clock import as_date
from service.base.pagination import ROW_OR_IDENTIFIER, decode_cursor, encode_cursor
from service.readmodel.live_state import LiveState
from service.readmodel.segment_catalog import SegmentCatalog
from service.targets.schemas import ExclusionReason

DECLINED_DAYS: Final = 90
UNLIKELY_SHARE: Final = 0.25
"""Of the median account's best propensity: below it an account is unlikely to buy anything."""
MIN_ALIVE: Final = 0.1


@dataclass(frozen=True)
class Exclusions:
    """What one artifact says against asking accounts."""

    book: SegmentCatalog

    @cached_property
    def best(self) -> NDArray[np.float32]:
        """Float32 (A,): each account's likeliest candidate, NaN where it has none."""
        likely = self.book.content.propensities.candidates
        if not likely.shape[1]:
            return np.full(len(likely), np.nan, dtype=np.float32)
        best = np.where(np.isnan(likely), -1, likely).max(axis=1)
        return np.where(best < 0, np.nan, best).astype(np.float32)

    @cached_property
    def bar(self) -> float:
        """Below this best propensity an account is unlikely to buy."""
        known = self.best[np.isfinite(self.best)]
        return UNLIKELY_SHARE * float(np.median(known)) if len(known) else 0.0

    @cached_property
    def is_unlikely(self) -> NDArray[np.bool_]:
        """Bool (A,): hardly likely to buy any candidate, or hardly still a customer."""
        with np.errstate(invalid="ignore"):
            return (self.best < self.bar) | (self.book.content.customers.is_alive < MIN_ALIVE)

    @cached_property
    def earned(self) -> NDArray[np.int64]:
        """Int64 (A,): margin of the last 365 days, minor units; where no margin is known, what was spent."""
        content = self.book.content
        activity = content.activity
        has_margins = bool((content.products.margins_minor != NO_NUMBER).any())
        amounts = activity.margin_minor if has_margins else activity.spend_minor
        since = self.book.as_of_day - activity.day
        kept = np.where((since > 0) & (since <= WINDOW_DAYS), amounts, 0).astype(np.float64)
        sums = np.bincount(activity.owner(), weights=kept, minlength=len(self.best))
        return sums.round().astype(np.int64)

    @cached_property
    def is_unprofitable(self) -> NDArray[np.bool_]:
        """Bool (A,): what it bought of late brought less than nothing."""
        return self.earned < 0

    @cached_property
    def flagged(self) -> NDArray[np.int64]:
        """Account rows that the artifact alone says something against."""
        return np.flatnonzero(self.is_unlikely | self.is_unprofitable)


def page_of_unpitched(
    pitch: Exclusions, state: LiveState, now: datetime, reason: ExclusionReason | None, cursor: str | None, limit: int
) -> dict[str, Any]:
    """List whom not to ask, from a cursor on; raises InvalidCursor."""
    book, declined = pitch.book, recently_declined(state, now)
    rows, newcomers = _listed(pitch, state, declined)
    tag = ("do-not-pitch", book.version, reason)
    begin = decode_cursor(cursor, tag, ROW_OR_IDENTIFIER) or 0
    texts = book.content.account_ids.texts
    named: list[tuple[int | None, str]] = []
    if not isinstance(begin, str):
        named = [(row, texts[row]) for row in rows[rows.searchsorted(begin) :].tolist()]
        begin = ""
    named += [(None, one) for one in newcomers if one >= begin]
    items: list[dict[str, Any]] = []
    following: int | str | None = None
    for row, account_id in named:
        if len(items) == limit:
            following = account_id if row is None else row
            break
        reasons = reasons_of(pitch, state, declined, account_id, row)
        if reasons and (reason is None or reason in {one["code"] for one in reasons}):
            items.append({"account_id": account_id, "reasons": reasons})
    return {
        "as_of": as_date(book.as_of_day),
        "artifact_version": book.version,
        "counts": count_reasons(pitch, state, declined),
        "items": items,
        "next_cursor": None if following is None else encode_cursor(tag, following),
    }


def recently_declined(state: LiveState, now: datetime) -> dict[str, datetime]:
    """When accounts let a deal be lost, of those that did so within 90 days."""
    begin = now - timedelta(days=DECLINED_DAYS)
    return {account_id: moment for account_id, moment in tuple(state.declined.items()) if moment >= begin}


def _listed(
    pitch: Exclusions, state: LiveState, declined: Mapping[str, datetime]
) -> tuple[NDArray[np.int64], list[str]]:
    """Account rows that there may be a reason for, ascending; and accounts that the artifact does not know."""
    ids = pitch.book.content.account_ids
    named = sorted({*state.objecting, *declined})
    found = [ids.row_of(account_id) for account_id in named]
    rows = np.array([row for row in found if row is not None], dtype=np.int64)
    newcomers = [account_id for account_id, row in zip(named, found, strict=True) if row is None]
    return np.union1d(pitch.flagged, rows), newcomers


def count_reasons(pitch: Exclusions, state: LiveState, declined: Mapping[str, datetime]) -> dict[str, int]:
    """Count accounts by reason. What is strategic is never unprofitable: it is wanted whatever it is worth."""
    ids = pitch.book.content.account_ids
    strategic = [row for of in tuple(state.membership.strategic) if (row := ids.row_of(of)) is not None]
    spared = int(pitch.is_unprofitable[strategic].sum())
    return {
        ExclusionReason.OBJECTS.value: len(state.objecting),
        ExclusionReason.DECLINED.value: len(declined),
        ExclusionReason.UNLIKELY.value: int(pitch.is_unlikely.sum()),
        ExclusionReason.UNPROFITABLE.value: int(pitch.is_unprofitable.sum()) - spared,
    }


def reasons_of(
    pitch: Exclusions, state: LiveState, declined: Mapping[str, datetime], account_id: str, row: int | None
) -> list[dict[str, str]]:
    """Tell all that speaks against asking an account."""
    told: list[tuple[ExclusionReason, str]] = []
    if account_id in state.objecting:
        told.append((ExclusionReason.OBJECTS, "It objects to marketing."))
    if (moment := declined.get(account_id)) is not None:
        told.append((ExclusionReason.DECLINED, f"A deal with it was lost on {moment.date()}."))
    if row is not None and pitch.is_unlikely[row]:
        told.append((ExclusionReason.UNLIKELY, _unlikely_text(pitch, row)))
    if row is not None and pitch.is_unprofitable[row] and account_id not in state.membership.strategic:
        earned = f"{int(pitch.earned[row]):,} minor units in the last {WINDOW_DAYS} days"
        told.append((ExclusionReason.UNPROFITABLE, f"It brought {earned}, returns subtracted."))
    return [{"code": code, "text": text} for code, text in told]


def _unlikely_text(pitch: Exclusions, row: int) -> str:
    alive = float(pitch.book.content.customers.is_alive[row])
    if alive < MIN_ALIVE:
        return f"It has hardly stayed a customer: P(still buying) is {alive:.2f}."
    best = float(pitch.best[row])
    return f"Its likeliest candidate has a propensity of {best:.2%}, below {pitch.bar:.2%}: a quarter of the median."
