"""The lever L of an offer: what goals and the operator's weights add to its priority."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW
from service.base.time_zones import find_zone
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.errors import UnknownSegment
from service.readmodel.goal_progress import GoalProgress, measure_progress
from service.readmodel.goals import DailySales, Goal, Goals, Sales, ScopeKind
from service.readmodel.live_state import LiveState
from service.readmodel.product_index import ProductIndex
from service.readmodel.segment_catalog import Segment, SegmentCatalog
from service.readmodel.segment_membership import SegmentMembership

DEFAULT_MAX_LEVER: Final = 2.0
"""Bound of the lever where no goal has a higher one. Its inverse is the lower bound."""

WeightKey = tuple[ScopeKind, str]
"""What a weight is set on: a product, a line or a category."""


class LeverPart(NamedTuple):
    """One of the percentages that make a lever. kind: goal or weight. key: the goal's id, or what is weighted."""

    kind: str
    key: str
    name: str
    percent: float


@dataclass(frozen=True)
class _Lift:
    """A part of the levers of some products, and of some accounts.

    products: bool (P,). accounts: bool (A,) of a goal with a segment, else None; newcomers: those in no artifact.
    """

    part: LeverPart
    bound: float
    products: NDArray[np.bool_]
    accounts: NDArray[np.bool_] | None = None
    newcomers: frozenset[str] = frozenset()

    def concerns(self, account_row: int, account_id: str | None) -> bool:
        """Whether the levers of an account have this part."""
        if self.accounts is None:
            return True
        return bool(self.accounts[account_row]) if account_row != NO_ROW else account_id in self.newcomers


@dataclass(frozen=True)
class _LeverTable:
    """All parts, summed up by product where they are of all accounts.

    made_from: what it is valid for, each compared by identity; from ``begin`` until ``end``, when a goal's day is over.
    percent, bound: float64 (P,), of the parts of all accounts. of_segments: the other parts.
    """

    made_from: tuple[object, ...]
    begin: datetime
    end: datetime
    lifts: Sequence[_Lift]
    percent: NDArray[np.float64]
    bound: NDArray[np.float64]
    of_segments: Sequence[_Lift]

    def is_valid(self, made_from: tuple[object, ...], now: datetime) -> bool:
        """Whether it would be made again like this."""
        is_same = all(old is new for old, new in zip(self.made_from, made_from, strict=True))
        return is_same and self.begin <= now < self.end


class Levers:
    """Answers what the lever of a pair is. Goals lift only; an operator's weight may lower it, too."""

    def __init__(self, state: LiveState) -> None:
        self._state = state
        self._weights: Mapping[WeightKey, float] = {}
        self._table: _LeverTable | None = None
        self._progress: dict[str, tuple[Goal, DailySales, int, GoalProgress]] = {}
        self._of_segments: dict[str, tuple[object, object, DailySales]] = {}
        self._segments: SegmentCatalog | None = None

    @classmethod
    def empty(cls, state: LiveState) -> Self:
        """See ``LivePart``."""
        return cls(state)

    @property
    def has_any(self) -> bool:
        """Whether there is any goal or weight."""
        return bool(self._weights or self._state.part(Goals).by_id)

    @property
    def weights(self) -> Mapping[WeightKey, float]:
        """Return the operator's weights, in percent."""
        return self._weights

    def set_weights(self, weights: Mapping[WeightKey, float]) -> None:
        """Replace all weights."""
        self._weights = dict(weights)

    def for_pairs(
        self,
        account_rows: NDArray[np.int64],
        account_ids: Sequence[str | None],
        account: NDArray[np.int64],
        product: NDArray[np.int32],
        now: datetime,
    ) -> NDArray[np.float64]:
        """Return float64 (m,): the lever of each pair of an account and a product, 1 where nothing lifts or lowers it.

        account_rows: int64 (n,), the accounts' rows in the artifact, or NO_ROW. account_ids: n, theirs.
        account: int64 (m,), the place of each pair's among the n. product: int32 (m,), product rows.

        Percentages of goals and weights are added up, and the sum is bounded: clip(1 + sum / 100, 1 / bound, bound).
        The bound is the largest ``max_lever`` of the goals that lift the pair, and at least 2.
        """
        if not self.has_any:
            return np.ones(len(product))
        table = self._table_at(now)
        if not table.lifts:
            return np.ones(len(product))
        percent, bound = table.percent[product], table.bound[product]
        for lift in table.of_segments:
            is_in = [lift.concerns(row, key) for row, key in zip(account_rows.tolist(), account_ids, strict=True)]
            is_lifted = np.array(is_in, dtype=np.bool_)[account] & lift.products[product]
            percent = percent + lift.part.percent * is_lifted
            bound = np.where(is_lifted, np.maximum(bound, lift.bound), bound)
        return np.asarray(np.clip(1 + percent / 100, 1 / bound, bound))

    def parts_for(self, account_row: int, account_id: str | None, product: int, now: datetime) -> list[LeverPart]:
        """Return what makes the lever of one pair: goals, then weights. product: its row."""
        if not self.has_any:
            return []
        lifts = self._table_at(now).lifts
        return [lift.part for lift in lifts if lift.products[product] and lift.concerns(account_row, account_id)]

    def progress_of(self, goal: Goal, now: datetime) -> GoalProgress:
        """Return how a goal stands; it is measured once a day, and after each change."""
        sales, today = self._sales_of(goal), goal.day_at(now)
        known = self._progress.get(goal.goal_id)
        if known is not None and known[0] is goal and known[1] is sales and known[2] == today:
            return known[3]
        progress = measure_progress(goal, sales, today)
        self._progress[goal.goal_id] = (goal, sales, today, progress)
        return progress

    def segment_of(self, goal: Goal) -> Segment | None:
        """Return the segment of a goal; None where it has none, or it was deleted."""
        if goal.segment_id is None:
            return None
        try:
            return self.segments.find(goal.segment_id)
        except UnknownSegment:
            return None

    @property
    def segments(self) -> SegmentCatalog:
        """Return the segments as they are now."""
        if self._segments is None:
            membership = self._state.part(SegmentMembership)
            self._segments = SegmentCatalog(self._state.content, None, membership)
        return self._segments

    def totals_of(self, goal: Goal, sales: Sales) -> DailySales:
        """Return what counts of some sales: with a segment, those to the accounts that are in it now."""
        if isinstance(sales, DailySales):
            return sales
        account_ids, _ = sales.distinct
        return sales.of_accounts(self._are_in(self.segment_of(goal), account_ids))

    def products_of(self, kind: ScopeKind, names: Iterable[str]) -> NDArray[np.bool_]:
        """Return bool (P,): the products of a scope; variants count with the products that are named."""
        products = self._state.part(CatalogueView).products
        return _scope_mask(products, kind, names)

    def _sales_of(self, goal: Goal) -> DailySales:
        sales = self._state.part(Goals).sales[goal.goal_id]
        if isinstance(sales, DailySales):
            return sales
        token = self._state.part(SegmentMembership).version_token
        known = self._of_segments.get(goal.goal_id)
        if known is not None and known[0] is sales and known[1] is token:
            return known[2]
        totals = self.totals_of(goal, sales)
        if known is not None and np.array_equal(known[2].value, totals.value):
            # The same object: what is derived from it holds.
            totals = known[2] if np.array_equal(known[2].unvalued, totals.unvalued) else totals
        self._of_segments[goal.goal_id] = (sales, token, totals)
        return totals

    def _are_in(self, segment: Segment | None, account_ids: Sequence[str]) -> NDArray[np.bool_]:
        if segment is None:
            return np.zeros(len(account_ids), dtype=np.bool_)
        is_member, row_of = self.segments.is_member(segment), self._state.content.account_ids.row_of
        rows = [row_of(account_id) for account_id in account_ids]
        return np.array(
            [
                account_id in segment.newcomers if row is None else is_member[row]
                for account_id, row in zip(account_ids, rows, strict=True)
            ],
            dtype=np.bool_,
        )

    def _table_at(self, now: datetime) -> _LeverTable:
        goals = self._state.part(Goals)
        made_from: tuple[object, ...] = (
            goals.version_token,
            self._weights,
            self._state.part(CatalogueView).products,
            self._state.part(SegmentMembership).version_token,
        )
        table = self._table
        if table is None or not table.is_valid(made_from, now):
            table = self._table = self._make_table(made_from, tuple(goals.by_id.values()), now)
        return table

    def _make_table(self, made_from: tuple[object, ...], goals: Sequence[Goal], now: datetime) -> _LeverTable:
        lifts = [lift for goal in goals if (lift := self._lift_of(goal, now)) is not None]
        lifts += [
            _Lift(LeverPart("weight", name, name, percent), DEFAULT_MAX_LEVER, self.products_of(kind, (name,)))
            for (kind, name), percent in sorted(self._weights.items())
            if percent
        ]
        n_products = len(self._state.part(CatalogueView).products.is_active)
        percent, bound = np.zeros(n_products), np.full(n_products, DEFAULT_MAX_LEVER)
        for lift in lifts:
            if lift.accounts is None:
                percent[lift.products] += lift.part.percent
                bound[lift.products] = np.maximum(bound[lift.products], lift.bound)
        of_segments = [lift for lift in lifts if lift.accounts is not None]
        begin, end = _day_around(now, {goal.timezone for goal in goals})
        return _LeverTable(made_from, begin, end, lifts, percent, bound, of_segments)

    def _lift_of(self, goal: Goal, now: datetime) -> _Lift | None:
        percent = round(100 * self.progress_of(goal, now).lift, 2)
        if not percent:
            return None
        part, products = (
            LeverPart("goal", goal.goal_id, goal.name, percent),
            self.products_of(goal.scope_kind, goal.scope),
        )
        if goal.segment_id is None:
            return _Lift(part, goal.max_lever, products)
        segment = self.segment_of(goal)
        if segment is None:
            return None
        return _Lift(part, goal.max_lever, products, self.segments.is_member(segment), segment.newcomers)


def _scope_mask(products: ProductIndex, kind: ScopeKind, names: Iterable[str]) -> NDArray[np.bool_]:
    mask = np.zeros(len(products.is_active), dtype=np.bool_)
    for name in names:
        if kind is ScopeKind.PRODUCTS:
            mask[products.rows_of(products.with_variants(name))] = True
        else:
            mask |= (products.lines if kind is ScopeKind.LINES else products.categories).has(name)
    return mask


def _day_around(now: datetime, timezones: Iterable[str]) -> tuple[datetime, datetime]:
    """Return the longest time around a moment in which no day of some time zones begins."""
    begin, end = now - timedelta(days=1), now + timedelta(days=1)
    for timezone in timezones:
        midnight = now.astimezone(find_zone(timezone)).replace(hour=0, minute=0, second=0, microsecond=0)
        begin = max(begin, midnight.astimezone(now.tzinfo))
        end = min(end, (midnight + timedelta(days=1)).astimezone(now.tzinfo))
    return begin, end
