"""What is kept in memory of goals: their definitions, what was sold towards them by day, and the operator's weights."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, select

from service.catalogue.live import CATALOGUE, PRODUCTS_CHANGED
from service.catalogue.tables import Product
from service.exchange_rates.live import RATES_CHANGED
from service.goals.days import days_of_hours
from service.goals.queries import read_goals
from service.goals.sales import SalesReader, margin_of
from service.goals.weight_queries import read_weights
from service.orders.live import SALES_CHANGED
from service.readmodel.goals import Goal, Goals, Measure, ScopeKind
from service.readmodel.levers import Levers
from service.readmodel.live_state import LiveState
from service.storage.bulk import in_chunks
from service.storage.changes import ChangeKind
from service.sync.sections import ChangeSet, LiveSection

GOALS_CHANGED: Final = ChangeKind("goals")
"""Identifiers of goals."""
WEIGHTS_CHANGED: Final = ChangeKind("lever-weights")
"""Products, lines and categories whose weight changed, such as ``lines/coffee``."""


def load(state: LiveState, connection: Connection, _changes: ChangeSet) -> None:
    """Read all goals, what was sold towards them, and all weights."""
    _reload(state, SalesReader(state, connection), read_goals(connection))
    state.part(Levers).set_weights(read_weights(connection))


def refresh(state: LiveState, connection: Connection, changes: ChangeSet) -> None:
    """Read what changed: whole goals, or what was sold towards all of them on the days of orders that changed."""
    if changes.ids(WEIGHTS_CHANGED):
        state.part(Levers).set_weights(read_weights(connection))
    goals = state.part(Goals)
    if not goals.by_id and not changes.ids(GOALS_CHANGED):
        return
    reader = SalesReader(state, connection)
    changed = {goal.goal_id: goal for goal in _redefined(goals, connection, changes.ids(GOALS_CHANGED))}
    if changes.ids(RATES_CHANGED):
        changed |= {key: goal for key, goal in goals.by_id.items() if goal.measure is not Measure.UNITS}
    if product_ids := changes.ids(PRODUCTS_CHANGED):
        changed |= {goal.goal_id: goal for goal in _with_products(goals, reader, connection, product_ids)}
    _reload(state, reader, list(changed.values()))
    if hours := changes.ids(SALES_CHANGED):
        _read_days(goals, reader, [goal for key, goal in goals.by_id.items() if key not in changed], hours)


def _reload(state: LiveState, reader: SalesReader, goals: Sequence[Goal]) -> None:
    sales = reader.read(goals)
    for goal in goals:
        state.part(Goals).put(goal, sales[goal.goal_id], reader.scoped_products(goal))


def _redefined(goals: Goals, connection: Connection, goal_ids: Sequence[str]) -> list[Goal]:
    """Return those of some goals towards which other lines count now than before; take in what else changed."""
    if not goal_ids:
        return []
    stored = {goal.goal_id: goal for goal in read_goals(connection, goal_ids)}
    for goal_id in set(goal_ids) - stored.keys():
        goals.forget(goal_id)
    redefined = []
    for goal_id, goal in stored.items():
        before = goals.by_id.get(goal_id)
        if before is not None and before.counts_like(goal):
            goals.describe(goal)
        else:
            redefined.append(goal)
    return redefined


def _with_products(goals: Goals, reader: SalesReader, connection: Connection, product_ids: Sequence[str]) -> list[Goal]:
    """Return the goals towards which other products count now, or at another margin."""
    columns = (Product.product_id, Product.line, Product.category, Product.margin_minor, Product.currency)
    rows = [
        row
        for chunk in in_chunks(product_ids)
        for row in connection.execute(select(*columns).where(Product.product_id.in_(chunk)))
    ]
    affected = []
    for goal in goals.by_id.values():
        scoped, before = reader.scoped_ids(goal), goals.scoped_products[goal.goal_id]
        now = {
            product_id: margin_of(goal, margin, currency)
            for product_id, line, category, margin, currency in rows
            if (
                product_id in scoped
                if goal.scope_kind is ScopeKind.PRODUCTS
                else (line if goal.scope_kind is ScopeKind.LINES else category) in goal.scope
            )
        }
        was = {product_id: before[product_id] for product_id in product_ids if product_id in before}
        if was != now or (scoped and before.keys() - scoped):
            affected.append(goal)
    return affected


def _read_days(goals: Goals, reader: SalesReader, wanted: Sequence[Goal], hours: Sequence[str]) -> None:
    """Read what was sold on the days of some hours, towards some goals."""
    for timezone in sorted({goal.timezone for goal in wanted}):
        in_zone = [goal for goal in wanted if goal.timezone == timezone]
        days = days_of_hours(hours, timezone)
        for goal_id, (touched, sales) in reader.read_days(in_zone, days).items():
            goals.replace_sales(goal_id, goals.sales[goal_id].with_days(touched, sales))  # type: ignore[arg-type]


GOALS: Final = LiveSection(
    "goals",
    frozenset({GOALS_CHANGED, WEIGHTS_CHANGED, SALES_CHANGED, PRODUCTS_CHANGED, RATES_CHANGED}),
    load,
    refresh,
    reads=frozenset({CATALOGUE.name}),
)
