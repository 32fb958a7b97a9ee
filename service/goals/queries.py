"""The SQL of goals."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from models.artifact.segments import slug
from service.base.time_zones import days_since_epoch
from service.goals.errors import (
    GoalExists,
    ScopeMatchesNothing,
    TooManyGoals,
    UnknownGoal,
)
from service.goals.schemas import GoalIn, NewGoal
from service.goals.tables import SCOPE_COLUMNS, GoalVersion, StoredGoal
from service.readmodel.goals import Goal, Measure, ScopeKind
from service.storage.bulk import in_chunks
from service.storage.versions import Version, last_version, note_version

MAX_GOALS: Final = 100
Written = Mapping[str, Any]
"""A goal as callers write it, in JSON."""
_SHOWN: Final = ("period", "version", "created_at", "created_by", "updated_at", "updated_by")


def read_goals(connection: Connection, goal_ids: Sequence[str] | None = None) -> list[Goal]:
    """Return some goals, or all, in the order of their identifiers."""
    query = select(StoredGoal.__table__).order_by(StoredGoal.goal_id)
    if goal_ids is not None:
        query = query.where(StoredGoal.goal_id.in_(goal_ids))
    return [_goal_of(dict(row)) for row in connection.execute(query).mappings()]


def find_goal(connection: Connection, goal_id: str) -> Goal:
    """Return a goal; raises UnknownGoal."""
    for goal in read_goals(connection, [goal_id]):
        return goal
    raise UnknownGoal(goal_id)


def id_of(given: NewGoal) -> str:
    """Return the identifier of a goal: given, or made of its name."""
    return given.goal_id or slug(given.name) or "goal"


def _goal_of(row: dict[str, Any]) -> Goal:
    return Goal(
        goal_id=row["goal_id"],
        name=row["name"],
        scope_kind=ScopeKind(row["scope_kind"]),
        scope=tuple(row["scope"]),
        measure=Measure(row["measure"]),
        target=row["target"],
        currency=row["currency"],
        first_day=days_since_epoch(row["first_day"]),
        end_day=days_since_epoch(row["last_day"]) + 1,
        timezone=row["timezone"],
        segment_id=row["segment_id"],
        max_lever=row["max_lever"],
        order_lag_days=row["order_lag_days"],
        is_enabled=row["is_enabled"],
        details={name: row[name] for name in _SHOWN},
    )


def written(goal: Goal) -> dict[str, Any]:
    """Return a goal as callers write it."""
    return {
        "name": goal.name,
        "scope": {str(goal.scope_kind): list(goal.scope)},
        "measure": str(goal.measure),
        "target": goal.target,
        "period": goal.details["period"],
        "timezone": goal.timezone,
        "segment_id": goal.segment_id,
        "max_lever": goal.max_lever,
        "order_lag_days": goal.order_lag_days,
        "is_enabled": goal.is_enabled,
    }


def add_goal(
    connection: Connection, goal_id: str, given: GoalIn, currency: str | None, timezone: str, by: str, now: datetime
) -> Goal:
    """Store a goal; raises GoalExists, TooManyGoals or ScopeMatchesNothing. Call ``take_turn`` first."""
    if read_goals(connection, [goal_id]):
        raise GoalExists(goal_id)
    if (connection.scalar(select(func.count()).select_from(StoredGoal)) or 0) >= MAX_GOALS:
        raise TooManyGoals(MAX_GOALS)
    check_scope(connection, given.scope.kind, given.scope.names)
    version = last_version(connection, GoalVersion.goal_id, goal_id) + 1
    who = {"created_at": now, "created_by": by, "updated_at": now, "updated_by": by}
    columns = {"goal_id": goal_id, "version": version, **_columns_of(given, currency, timezone), **who}
    connection.execute(insert(StoredGoal), columns)
    goal = find_goal(connection, goal_id)
    note_version(connection, GoalVersion.goal_id, goal_id, Version(version, now, by, None, written(goal)))
    return goal


def replace_goal(
    connection: Connection, before: Goal, given: GoalIn, currency: str | None, timezone: str, by: str, now: datetime
) -> Goal:
    """Store a goal in place of what it was; nothing is written where that is the same. Raises ScopeMatchesNothing.

    Call ``take_turn`` before reading what it was.
    """
    if written(draft_goal(given, currency, timezone)) == written(before):
        return before
    if (given.scope.kind, given.scope.names) != (before.scope_kind, before.scope):
        check_scope(connection, given.scope.kind, given.scope.names)
    version = before.details["version"] + 1
    columns = {**_columns_of(given, currency, timezone), "version": version, "updated_at": now, "updated_by": by}
    connection.execute(update(StoredGoal).where(StoredGoal.goal_id == before.goal_id).values(**columns))
    goal = find_goal(connection, before.goal_id)
    change = Version(version, now, by, written(before), written(goal))
    note_version(connection, GoalVersion.goal_id, goal.goal_id, change)
    return goal


def remove_goal(connection: Connection, goal: Goal, by: str, now: datetime) -> None:
    """Delete a goal; its history stays. Call ``take_turn`` first."""
    connection.execute(delete(StoredGoal).where(StoredGoal.goal_id == goal.goal_id))
    change = Version(goal.details["version"] + 1, now, by, written(goal), None)
    note_version(connection, GoalVersion.goal_id, goal.goal_id, change)


def check_scope(connection: Connection, kind: ScopeKind, names: Sequence[str]) -> None:
    """Raise ScopeMatchesNothing for names that no product has."""
    column = SCOPE_COLUMNS[kind]
    known = {
        name
        for chunk in in_chunks(names)
        for name in connection.scalars(select(column).where(column.in_(chunk)).distinct())
    }
    if missing := [name for name in names if name not in known]:
        raise ScopeMatchesNothing(kind, missing)


def draft_goal(given: GoalIn, currency: str | None, timezone: str) -> Goal:
    """Return a goal that is not stored."""
    columns = {"goal_id": "preview", **_columns_of(given, currency, timezone)}
    return _goal_of(columns | dict.fromkeys(_SHOWN[1:]))


def _columns_of(given: GoalIn, currency: str | None, timezone: str) -> dict[str, Any]:
    period, days = given.period.model_dump(mode="json", by_alias=True, exclude_none=True), given.period.days
    return {
        "name": given.name,
        "scope_kind": str(given.scope.kind),
        "scope": list(given.scope.names),
        "measure": str(given.measure),
        "target": given.target,
        "currency": None if given.measure is Measure.UNITS else currency,
        "period": period,
        "first_day": days.first,
        "last_day": days.last,
        "timezone": given.timezone or timezone,
        "segment_id": given.segment_id,
        "max_lever": given.max_lever,
        "order_lag_days": given.order_lag_days,
        "is_enabled": given.is_enabled,
    }
