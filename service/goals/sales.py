"""The SQL of what was sold towards goals: order lines by day, returns subtracted, cancelled orders left out."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Null, case, func, null, or_, select

from models.exchange import Exchange, ExchangeRates
from service.base.time_zones import day_start, days_since_epoch
from service.catalogue.tables import Product
from service.exchange_rates.queries import all_rates
from service.goals.days import order_day
from service.goals.tables import SCOPE_COLUMNS
from service.orders.tables import Order, OrderLine
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.goals import AccountSales, DailySales, Goal, Measure, Sales, ScopeKind
from service.readmodel.live_state import LiveState
from service.storage.bulk import in_chunks

MAX_RANGES: Final = 40
"""Days that do not follow each other are read together with those between them, if they are more than these."""
_UNIT_DIGITS: Final = 6
"""Sums of quantities are rounded, so that they do not depend on the order in which lines are read."""


class Part(NamedTuple):
    """Sums over order lines of one day that count alike. account_id is None for guests, and where nobody asks."""

    day: int
    line: str | None
    category: str | None
    product_id: str | None
    account_id: str | None
    currency: str | None
    margin_currency: str | None
    units: float
    amount: float
    margin: float
    lines: int
    without_amount: int
    without_margin: int

    def value_of(self, measure: Measure) -> tuple[float, str | None, int]:
        """Return what counts, its currency, and how many lines it is not known of."""
        if measure is Measure.UNITS:
            return float(self.units), None, 0
        if measure is Measure.REVENUE:
            return float(self.amount), self.currency, self.without_amount
        return float(self.margin), self.margin_currency, self.without_margin


@dataclass(slots=True)
class CurrencySum:
    """What counts in one currency. known, unknown: order lines whose value is, or is not, known in it."""

    value: float = 0.0
    known: int = 0
    unknown: int = 0

    def add(self, value: float, known: int, unknown: int) -> None:
        """Add lines."""
        self.value += value
        self.known += known
        self.unknown += unknown


NOTHING: Final = CurrencySum()
DaySums = dict[tuple[int, str | None], dict[str | None, CurrencySum]]
"""By day and account, and by currency."""


class SalesReader:
    """Reads what was sold towards goals."""

    def __init__(self, state: LiveState, connection: Connection) -> None:
        self._connection = connection
        self._products = state.part(CatalogueView).products
        rates = [(base, quote, days_since_epoch(day), rate) for base, quote, day, rate in all_rates(connection)]
        self._rates = ExchangeRates.from_rows(rates)
        self._reporting = state.content.currency.code
        factors = state.content.currency.minor_factors
        self._takes_unnamed = not factors or factors.get("") == 1
        """Whether amounts without a currency are in the reporting one. Training tells from all order lines."""

    def read(self, goals: Iterable[Goal]) -> dict[str, Sales]:
        """Return what was sold towards each goal."""
        return {
            goal_id: sales
            for group in _groups_of(goals)
            for goal_id, sales in self._read_ranges(group, [_whole_range(group)]).items()
        }

    def read_days(self, goals: Iterable[Goal], days: set[int]) -> dict[str, tuple[NDArray[np.int64], Sales]]:
        """Return what was sold towards goals on some days, since 1970.

        For each goal: those of the days that it counts, and its sales, in which all other days are empty.
        """
        read: dict[str, tuple[NDArray[np.int64], Sales]] = {}
        for group in _groups_of(goals):
            first, end = _whole_range(group)
            wanted = sorted(day for day in days if first <= day < end)
            sales = self._read_ranges(group, _ranges_of(wanted)) if wanted else {}
            for goal in group:
                touched = np.array([day for day in wanted if goal.history_day <= day < goal.end_day], dtype=np.int64)
                if len(touched):
                    read[goal.goal_id] = (touched, sales[goal.goal_id])
        return read

    def _read_ranges(self, goals: Sequence[Goal], ranges: Sequence[tuple[int, int]]) -> dict[str, Sales]:
        return self._sum_up(goals, [part for begin, end in ranges for part in self._read_parts(goals, begin, end)])

    def scoped_ids(self, goal: Goal) -> set[str]:
        """Return the products that a goal on products names, with their variants."""
        if goal.scope_kind is not ScopeKind.PRODUCTS:
            return set()
        return {variant for product_id in goal.scope for variant in self._products.with_variants(product_id)}

    def scoped_products(self, goal: Goal) -> dict[str, tuple[int | None, str | None]]:
        """Return the products that count towards a goal, each with its margin and its currency if those count."""
        columns = (Product.product_id, Product.margin_minor, Product.currency)
        return {
            product_id: margin_of(goal, margin, currency)
            for names in in_chunks(sorted(self.scoped_ids(goal) or goal.scope))
            for product_id, margin, currency in self._connection.execute(
                select(*columns).where(SCOPE_COLUMNS[goal.scope_kind].in_(names))
            )
        }

    def _read_parts(self, goals: Sequence[Goal], first_day: int, end_day: int) -> list[Part]:
        timezone, by_account = goals[0].timezone, goals[0].segment_id is not None
        names = {kind: sorted(_names_of(goals, kind, self.scoped_ids)) for kind in ScopeKind}
        keys = _keys_of(names, {goal.measure for goal in goals}, by_account=by_account)
        day = order_day(self._connection, first_day, end_day, timezone)
        # By their labels: PostgreSQL takes an expression with other parameters for another expression.
        columns = [key.label(f"by_{name}") for name, key in {"day": day, **keys}.items()]
        is_counted = or_(*(SCOPE_COLUMNS[kind].in_(listed) for kind, listed in names.items() if listed))
        query = (
            select(*columns, *_SUMS)
            .join(OrderLine, OrderLine.order_id == Order.order_id)
            .join(Product, Product.product_id == OrderLine.product_id)
            .where(
                ~Order.is_cancelled,
                Order.ordered_at >= day_start(first_day, timezone),
                Order.ordered_at < day_start(end_day, timezone),
                is_counted,
            )
            .group_by("by_day", *(f"by_{name}" for name, key in keys.items() if not isinstance(key, Null)))
        )
        return [_part_of(row) for row in self._connection.execute(query)]

    def _sum_up(self, goals: Sequence[Goal], parts: Sequence[Part]) -> dict[str, Sales]:
        counting: dict[tuple[ScopeKind, str], list[int]] = defaultdict(list)
        for place, goal in enumerate(goals):
            for name in self.scoped_ids(goal) or goal.scope:
                counting[goal.scope_kind, name].append(place)
        sums: list[DaySums] = [defaultdict(lambda: defaultdict(CurrencySum)) for _ in goals]
        for part in parts:
            for place in _goals_of(part, counting):
                value, currency, n_unknown = part.value_of(goals[place].measure)
                sums[place][part.day, part.account_id][currency].add(value, part.lines - n_unknown, n_unknown)
        return {goal.goal_id: self._sales_of(goal, sums[place]) for place, goal in enumerate(goals)}

    def _sales_of(self, goal: Goal, sums: "DaySums") -> Sales:
        keys = [key for key in sums if goal.history_day <= key[0] < goal.end_day]
        day = np.array([key[0] for key in keys], dtype=np.int64)
        value, unvalued = np.zeros(len(keys)), np.zeros(len(keys), dtype=np.int64)
        for currency in sorted({name for key in keys for name in sums[key]}, key=lambda name: name or ""):
            parts = [sums[key].get(currency, NOTHING) for key in keys]
            factor = self._factors(goal, currency, day)
            is_known = np.isfinite(factor)
            amount = np.array([part.value for part in parts])
            value[is_known] += _rounded(goal.measure, amount[is_known] * factor[is_known])
            unvalued += np.array([part.unknown for part in parts], dtype=np.int64)
            unvalued += np.where(is_known, 0, np.array([part.known for part in parts], dtype=np.int64))
        n_days = goal.end_day - goal.history_day
        if goal.segment_id is None:
            sales = DailySales.nothing(goal.history_day, n_days)
            sales.value[day - goal.history_day] = value
            sales.unvalued[day - goal.history_day] = unvalued
            return sales
        account_ids = np.array([key[1] for key in keys], dtype=object)
        rows = np.array([account_id is not None for account_id in account_ids], dtype=np.bool_)
        columns = (account_ids[rows], day[rows], value[rows], unvalued[rows])
        everything = AccountSales(goal.history_day, n_days, *columns)
        return AccountSales.nothing(goal.history_day, n_days).with_days(np.unique(day), everything)

    def _factors(self, goal: Goal, currency: str | None, day: Any) -> Any:
        """Minor units of the goal's currency for one of another's on some days; NaN where no rate is known."""
        # A goal that was set before the first training is in the currency that training reports.
        target = goal.currency or self._reporting
        if goal.measure is Measure.UNITS or currency == target:
            return np.ones(len(day))
        if currency is None:
            return np.full(len(day), 1.0 if self._takes_unnamed else np.nan)
        return Exchange(target or "", None, self._rates).minor_factors(currency, day)


def margin_of(goal: Goal, margin: int | None, currency: str | None) -> tuple[int | None, str | None]:
    """Return a product's margin and its currency; None where a goal does not count margins."""
    return (margin, currency) if goal.measure is Measure.MARGIN else (None, None)


def _rounded(measure: Measure, value: Any) -> Any:
    return np.round(value, _UNIT_DIGITS) if measure is Measure.UNITS else np.rint(value)


def _part_of(row: Any) -> Part:
    """Read a row; PostgreSQL sums into its own numeric type."""
    *key, units, amount, margin, lines, without_amount, without_margin = row
    counts = (int(lines), int(without_amount), int(without_margin))
    return Part._make((*key, float(units), float(amount), float(margin), *counts))


_MARGIN: Final[Any] = OrderLine.quantity * Product.margin_minor
_SUMS: Final[tuple[Any, ...]] = (
    func.sum(OrderLine.quantity),
    func.coalesce(func.sum(OrderLine.amount_minor), 0),
    func.coalesce(func.sum(_MARGIN), 0),
    func.count(),
    func.sum(case((OrderLine.amount_minor.is_(None), 1), else_=0)),
    func.sum(case((Product.margin_minor.is_(None), 1), else_=0)),
)


def _keys_of(names: Mapping[ScopeKind, Sequence[str]], measures: set[Measure], *, by_account: bool) -> dict[str, Any]:
    """Return what sums are grouped by, beside the day: no more than goals tell apart."""
    named = names[ScopeKind.PRODUCTS]
    return {
        "line": Product.line if names[ScopeKind.LINES] else null(),
        "category": Product.category if names[ScopeKind.CATEGORIES] else null(),
        "product_id": case((OrderLine.product_id.in_(named), OrderLine.product_id)) if named else null(),
        "account_id": Order.account_id if by_account else null(),
        "currency": Order.currency if Measure.REVENUE in measures else null(),
        "margin_currency": Product.currency if Measure.MARGIN in measures else null(),
    }


def _names_of(goals: Iterable[Goal], kind: ScopeKind, scoped_ids: Any) -> set[str]:
    return {name for goal in goals if goal.scope_kind is kind for name in scoped_ids(goal) or goal.scope}


def _goals_of(part: Part, counting: Mapping[tuple[ScopeKind, str], list[int]]) -> set[int]:
    keys = ((ScopeKind.LINES, part.line), (ScopeKind.CATEGORIES, part.category), (ScopeKind.PRODUCTS, part.product_id))
    return {place for kind, name in keys if name is not None for place in counting.get((kind, name), ())}


def _groups_of(goals: Iterable[Goal]) -> list[list[Goal]]:
    """Split goals into those that are read together: of one time zone, and with or without a segment."""
    groups: dict[tuple[str, bool], list[Goal]] = defaultdict(list)
    for goal in goals:
        groups[goal.timezone, goal.segment_id is not None].append(goal)
    return list(groups.values())


def _whole_range(goals: Sequence[Goal]) -> tuple[int, int]:
    """Return the first day that any of some goals needs, and the day after the last one."""
    return min(goal.history_day for goal in goals), max(goal.end_day for goal in goals)


def _ranges_of(days: Sequence[int]) -> list[tuple[int, int]]:
    """Join days that follow each other: first days, and the days after the last ones. days: ascending."""
    ranges: list[tuple[int, int]] = []
    for day in days:
        if ranges and day == ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], day + 1)
        else:
            ranges.append((day, day + 1))
    return ranges if len(ranges) <= MAX_RANGES else [(ranges[0][0], ranges[-1][1])]
