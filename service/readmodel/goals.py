"""Sales goals and what was sold towards them, as they are held in memory."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from service.base.time_zones import day_of, find_zone
from service.readmodel.live_state import LiveState

HISTORY_DAYS = 760
"""How many days before its first one a goal's forecast learns from: two years and a month."""


class Measure(StrEnum):
    """What a goal counts."""

    UNITS = "units"
    REVENUE = "revenue"
    MARGIN = "margin"


class ScopeKind(StrEnum):
    """What a goal, or a weight, is set on."""

    PRODUCTS = "products"
    LINES = "lines"
    CATEGORIES = "categories"


@dataclass(frozen=True)
class Goal:
    """A target for what is sold of a scope in a period.

    scope:     identifiers of products, or names of lines or categories.
    first_day, end_day: the period, days since 1970 in the time zone; the latter is the day after its last.
    currency:  of the target, and of all that counts towards it; None for units, and where no currency is known.
    max_lever: what the lever may grow to.
    order_lag_days: how long after an offer its order is booked, on average.
    """

    goal_id: str
    name: str
    scope_kind: ScopeKind
    scope: tuple[str, ...]
    measure: Measure
    target: float
    currency: str | None
    first_day: int
    end_day: int
    timezone: str
    segment_id: str | None
    max_lever: float
    order_lag_days: float
    is_enabled: bool
    details: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """What answers show beside it: how the period was written, version, and who changed it when."""

    @property
    def history_day(self) -> int:
        """The first day that is read of what was sold before the period."""
        return self.first_day - HISTORY_DAYS

    def day_at(self, now: datetime) -> int:
        """Return which day it is for the goal, since 1970."""
        return day_of(now, find_zone(self.timezone))

    def counts_like(self, other: "Goal") -> bool:
        """Whether the same order lines count towards another goal, by the same figure."""
        names = (
            "scope_kind", "scope", "measure", "currency", "first_day", "end_day", "timezone", "segment_id",
        )  # fmt: skip
        return all(getattr(self, name) == getattr(other, name) for name in names)


@dataclass(frozen=True)
class DailySales:
    """What was sold of a scope, day by day.

    first_day: the day of the first value, since 1970.
    value:     float64 (D,), units or minor units of the goal's currency; returns are subtracted.
    unvalued:  int64 (D,), order lines whose amount or margin is not known in that currency, and is left out.
    """

    first_day: int
    value: NDArray[np.float64]
    unvalued: NDArray[np.int64]

    @classmethod
    def nothing(cls, first_day: int, n_days: int) -> Self:
        """Make one without any sales."""
        return cls(first_day, np.zeros(n_days), np.zeros(n_days, dtype=np.int64))

    def with_days(self, days: NDArray[np.int64], other: "DailySales") -> "DailySales":
        """Return these with some days as they are in another one of the same length; self where nothing differs."""
        places = days - self.first_day
        is_same = np.array_equal(self.value[places], other.value[places])
        if is_same and np.array_equal(self.unvalued[places], other.unvalued[places]):
            return self
        value, unvalued = self.value.copy(), self.unvalued.copy()
        value[places], unvalued[places] = other.value[places], other.unvalued[places]
        return replace(self, value=value, unvalued=unvalued)


@dataclass(frozen=True)
class AccountSales:
    """The same account by account, for a goal of a segment: who is in it changes.

    account_ids: object (n,) of str. day: int64 (n,), since 1970. value, unvalued: (n,), as in ``DailySales``.
    """

    first_day: int
    n_days: int
    account_ids: NDArray[np.object_]
    day: NDArray[np.int64]
    value: NDArray[np.float64]
    unvalued: NDArray[np.int64]

    @classmethod
    def nothing(cls, first_day: int, n_days: int) -> Self:
        """Make one without any sales."""
        whole = np.zeros(0, dtype=np.int64)
        return cls(first_day, n_days, np.zeros(0, dtype=object), whole, np.zeros(0), whole)

    @cached_property
    def distinct(self) -> tuple[list[str], NDArray[np.int64]]:
        """The accounts, and the place of each row's among them."""
        accounts, place = np.unique(self.account_ids.astype(str), return_inverse=True)
        return accounts.tolist(), place

    def with_days(self, days: NDArray[np.int64], other: "AccountSales") -> "AccountSales":
        """Return these with some days as they are in another one."""
        kept, new = ~np.isin(self.day, days), np.isin(other.day, days)
        if not new.any() and kept.all():
            return self
        return self._joined(kept, other, new)

    def without(self, account_ids: Collection[str]) -> "AccountSales":
        """Return these without some accounts."""
        names = set(account_ids)
        kept = np.array([account_id not in names for account_id in self.account_ids], dtype=np.bool_)
        return self if kept.all() else self._joined(kept, self, np.zeros(len(kept), dtype=np.bool_))

    def _joined(self, kept: NDArray[np.bool_], other: "AccountSales", new: NDArray[np.bool_]) -> "AccountSales":
        names = ("account_ids", "day", "value", "unvalued")
        columns = {name: np.concatenate([getattr(self, name)[kept], getattr(other, name)[new]]) for name in names}
        order = np.lexsort((columns["account_ids"].astype(str), columns["day"]))
        return AccountSales(self.first_day, self.n_days, **{name: column[order] for name, column in columns.items()})

    def of_accounts(self, is_counted: NDArray[np.bool_]) -> DailySales:
        """Return what some accounts bought. is_counted: bool, one for each of the ``distinct`` accounts."""
        _, place = self.distinct
        rows = np.flatnonzero(is_counted[place]) if len(place) else np.zeros(0, dtype=np.int64)
        days = self.day[rows] - self.first_day
        value = np.bincount(days, self.value[rows], self.n_days).astype(np.float64)
        unvalued = np.bincount(days, self.unvalued[rows], self.n_days).astype(np.int64)
        return DailySales(self.first_day, value, unvalued)


Sales = DailySales | AccountSales
ScopedProducts = Mapping[str, tuple[int | None, str | None]]
"""The products that count towards a goal, by identifier; each with its margin and the currency, if margins count."""


class Goals:
    """Every goal, and what was sold towards it. Immutable values: a change puts others in their place."""

    def __init__(self) -> None:
        self.by_id: dict[str, Goal] = {}
        self.sales: dict[str, Sales] = {}
        self.scoped_products: dict[str, ScopedProducts] = {}
        self.version_token = object()
        """Another object after each change."""

    @classmethod
    def empty(cls, _state: LiveState) -> Self:
        """See ``LivePart``."""
        return cls()

    def put(self, goal: Goal, sales: Sales, products: ScopedProducts) -> None:
        """Add a goal, or replace it."""
        self.sales[goal.goal_id], self.scoped_products[goal.goal_id] = sales, products
        self.describe(goal)

    def describe(self, goal: Goal) -> None:
        """Replace a goal by one towards which the same counts."""
        self.by_id = dict(sorted({**self.by_id, goal.goal_id: goal}.items()))
        self.version_token = object()

    def replace_sales(self, goal_id: str, sales: Sales) -> None:
        """Replace what was sold towards a goal."""
        if self.sales[goal_id] is not sales:
            self.sales[goal_id] = sales
            self.version_token = object()

    def forget(self, goal_id: str) -> None:
        """Remove a goal."""
        self.by_id = {key: goal for key, goal in self.by_id.items() if key != goal_id}
        self.sales.pop(goal_id, None)
        self.scoped_products.pop(goal_id, None)
        self.version_token = object()

    def account_ids(self) -> Iterable[str]:
        """See ``AccountPart``."""
        return {
            str(account_id)
            for sales in tuple(self.sales.values())
            if isinstance(sales, AccountSales)
            for account_id in sales.distinct[0]
        }

    def erase(self, account_ids: Collection[str], _rows: Collection[int]) -> None:
        """See ``AccountPart``."""
        for goal_id, sales in tuple(self.sales.items()):
            if isinstance(sales, AccountSales):
                self.replace_sales(goal_id, sales.without(account_ids))
