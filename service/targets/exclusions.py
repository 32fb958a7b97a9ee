"""Which accounts should not be asked now, and why, indexed by reason."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.artifact.measures import WINDOW_DAYS
from service.readmodel.deals import Declines
from service.readmodel.listed_policies import ListedPolicies, offerable_products
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.readmodel.policy_products import NO_POLICY
from service.readmodel.segment_catalog import SegmentCatalog
from service.readmodel.segment_membership import SegmentMembership
from service.targets.schemas import ExclusionReason

DECLINED_DAYS: Final = 90
UNLIKELY_SHARE: Final = 0.25
"""Of the median account's best propensity: below it an account is unlikely to buy anything."""
MIN_ALIVE: Final = 0.1


class Withheld(NamedTuple):
    """The accounts from which policies withhold every product; policies are given by their places in ``policy_ids``.

    by_row: int16 (A,), a policy or NO_POLICY; without policies int16 (0,). rows: int64 (n,), ascending, those withheld
    from. newcomers: a policy by account.
    """

    by_row: NDArray[np.int16]
    rows: NDArray[np.int64]
    newcomers: Mapping[str, int]


class Exclusions:
    """What one artifact says against asking accounts."""

    def __init__(self, segments: SegmentCatalog) -> None:
        self.segments = segments
        self._withheld: tuple[object, Withheld] | None = None

    def withheld(self, policies: ListedPolicies, state: LiveState) -> Withheld:
        """Return from whom policies withhold every product. It is worked out again when a change is applied."""
        key = (policies.key, state.sequence)
        if self._withheld is None or self._withheld[0] != key:
            products = offerable_products(state)
            by_row, newcomers = policies.withholding_from_all(products), policies.withholding_from_newcomers(products)
            self._withheld = key, Withheld(by_row, np.flatnonzero(by_row != NO_POLICY), newcomers)
        return self._withheld[1]

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
    """What speaks against asking accounts now: the artifact's reasons, objections, lost deals and policies.

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
        self._policies = ListedPolicies.from_state(state, now)
        self._withheld = exclusions.withheld(self._policies, state)
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
            ExclusionReason.POLICY.value: len(self._withheld_rows) + len(self._withheld.newcomers),
        }

    def accounts_with(self, reason: ExclusionReason | None) -> ExcludedAccounts:
        """Return the accounts with a reason, or with any."""
        match reason:
            case ExclusionReason.UNLIKELY:
                return ExcludedAccounts(self._unlikely_rows, [])
            case ExclusionReason.UNPROFITABLE:
                return ExcludedAccounts(self._unprofitable_rows, [])
            case ExclusionReason.POLICY:
                return ExcludedAccounts(self._withheld_rows, sorted(self._withheld.newcomers))
            case ExclusionReason.OBJECTS:
                return self._find(self.objecting)
            case ExclusionReason.DECLINED:
                return self._find(self.declined)
        live = self._find({*self.objecting, *self.declined, *self._withheld.newcomers})
        learned = np.union1d(self._unlikely_rows, self._unprofitable_rows)
        return ExcludedAccounts(np.union1d(np.union1d(learned, self._withheld_rows), live.rows), live.newcomers)

    def withholding(self, account_id: str, row: int | None) -> str | None:
        """Return a policy that withholds every product from an account, alone or together with others; or None."""
        if row is None:
            place = self._withheld.newcomers.get(account_id, NO_POLICY)
        else:
            place = int(self._withheld.by_row[row]) if len(self._withheld.by_row) else NO_POLICY
        return None if place == NO_POLICY else self._policies.policy_ids[place]

    @cached_property
    def _withheld_rows(self) -> NDArray[np.int64]:
        return self._accounts.visible(self._withheld.rows)

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
