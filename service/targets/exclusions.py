"""Which accounts should not be asked now, and why, indexed by reason."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.artifact.measures import WINDOW_DAYS
from service.readmodel.deals import Declines
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.readmodel.segment_catalog import SegmentCatalog
from service.readmodel.segment_membership import SegmentMembership
from service.targets.schemas import ExclusionReason

DECLINED_DAYS: Final = 90
UNLIKELY_SHARE: Final = 0.25
"""Of the median account's best propensity: below it an account is unlikely to buy anything."""
MIN_ALIVE: Final = 0.1


class Exclusions:
    """What one artifact says against asking accounts."""

    def __init__(self, segments: SegmentCatalog) -> None:
        self.segments = segments

    @cached_property
    def best(self) -> NDArray[np.float32]:
        """Float32 (A,): each account's likeliest candidate, NaN where it has none."""
        propensities = self.segments.content.propensities.candidates
        if not propensities.shape[1]:
            return np.full(len(propensities), np.nan, dtype=np.float32)
        best = np.where(np.isnan(propensities), -1, propensities).max(axis=1)
        return np.where(best < 0, np.nan, best).astype(np.float32)

    @cached_property
    def min_best(self) -> float:
        """The best propensity below which an account is unlikely to buy."""
        known = self.best[np.isfinite(self.best)]
        return UNLIKELY_SHARE * float(np.median(known)) if len(known) else 0.0

    @cached_property
    def is_unlikely(self) -> NDArray[np.bool_]:
        """Bool (A,): unlikely to buy any candidate, or probably no customer any more."""
        with np.errstate(invalid="ignore"):
            return (self.best < self.min_best) | (self.segments.content.customers.is_alive < MIN_ALIVE)

    @cached_property
    def earned(self) -> NDArray[np.int64]:
        """Int64 (A,): margin of the last 365 days, minor units; where no margin is known, what was spent."""
        content = self.segments.content
        activity = content.activity
        amounts = activity.margin_minor if content.has_margins else activity.spend_minor
        since = self.segments.as_of_day - activity.day
        kept = np.where((since > 0) & (since <= WINDOW_DAYS), amounts, 0).astype(np.float64)
        sums = np.bincount(activity.owner(), weights=kept, minlength=len(self.best))
        return sums.round().astype(np.int64)

    @cached_property
    def currency(self) -> str | None:
        """The currency of what was earned; None where none is named."""
        return self.segments.currency

    @cached_property
    def is_unprofitable(self) -> NDArray[np.bool_]:
        """Bool (A,): earned less than nothing recently, as far as all of its money is known."""
        content = self.segments.content
        is_known = content.has_margins | (content.customers.unconverted_lines == 0)
        return np.asarray((self.earned < 0) & is_known)

    @cached_property
    def unlikely_rows(self) -> NDArray[np.int64]:
        """Int64 (n,), ascending: the rows of unlikely accounts."""
        return np.flatnonzero(self.is_unlikely)

    @cached_property
    def unprofitable_rows(self) -> NDArray[np.int64]:
        """Int64 (n,), ascending: the rows of unprofitable accounts, strategic ones among them."""
        return np.flatnonzero(self.is_unprofitable)


@dataclass(frozen=True)
class ExcludedAccounts:
    """The accounts with any of some reasons. rows: ascending. newcomers: accounts that the artifact does not know."""

    rows: NDArray[np.int64]
    newcomers: list[str]


class CurrentExclusions:
    """What speaks against asking accounts now: the artifact's reasons, objections and lost deals.

    declined: when accounts let a deal be lost, of those that did so within 90 days.
    """

    def __init__(self, exclusions: Exclusions, state: LiveState, now: datetime) -> None:
        begin = now - timedelta(days=DECLINED_DAYS)
        declines = tuple(state.part(Declines).by_account.items())
        self.declined: Mapping[str, datetime] = {account_id: last for account_id, last in declines if last >= begin}
        self.objecting = state.part(Objections).accounts
        self.strategic = state.part(SegmentMembership).strategic
        self.exclusions = exclusions
        self._accounts = state.accounts
        self._ids = exclusions.segments.content.account_ids

    def is_erased(self, row: int) -> bool:
        """Tell whether a row of the artifact is of an erased account."""
        return self._accounts.is_hidden(row)

    def counts(self) -> dict[str, int]:
        """Count accounts by reason; one may have several."""
        return {
            ExclusionReason.OBJECTS.value: len(self.objecting),
            ExclusionReason.DECLINED.value: len(self.declined),
            ExclusionReason.UNLIKELY.value: len(self._unlikely_rows),
            ExclusionReason.UNPROFITABLE.value: len(self._unprofitable_rows),
        }

    def accounts_with(self, reason: ExclusionReason | None) -> ExcludedAccounts:
        """Return the accounts with a reason, or with any."""
        match reason:
            case ExclusionReason.UNLIKELY:
                return ExcludedAccounts(self._unlikely_rows, [])
            case ExclusionReason.UNPROFITABLE:
                return ExcludedAccounts(self._unprofitable_rows, [])
            case ExclusionReason.OBJECTS:
                return self._find(self.objecting)
            case ExclusionReason.DECLINED:
                return self._find(self.declined)
        live = self._find({*self.objecting, *self.declined})
        learned = np.union1d(self._unlikely_rows, self._unprofitable_rows)
        return ExcludedAccounts(np.union1d(learned, live.rows), live.newcomers)

    @cached_property
    def _unlikely_rows(self) -> NDArray[np.int64]:
        return self._accounts.visible(self.exclusions.unlikely_rows)

    @cached_property
    def _unprofitable_rows(self) -> NDArray[np.int64]:
        """Int64 (n,), ascending: a strategic account is never unprofitable, as it is wanted whatever it is worth."""
        rows = self._accounts.visible(self.exclusions.unprofitable_rows)
        strategic = [row for account_id in tuple(self.strategic) if (row := self._ids.row_of(account_id)) is not None]
        return rows[~np.isin(rows, np.array(strategic, dtype=np.int64))] if strategic else rows

    def _find(self, account_ids: Iterable[str]) -> ExcludedAccounts:
        by_id = {account_id: self._ids.row_of(account_id) for account_id in tuple(account_ids)}
        rows = np.array([row for row in by_id.values() if row is not None], dtype=np.int64)
        return ExcludedAccounts(np.sort(rows), sorted(key for key, row in by_id.items() if row is None))
