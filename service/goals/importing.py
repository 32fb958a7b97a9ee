"""Import goals from a file, as ``GET /v1/goals`` gives them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from service.goals.errors import UnknownGoal
from service.goals.live import GOALS_CHANGED
from service.goals.queries import add_goal, check_scope, find_goal, id_of, replace_goal
from service.goals.schemas import GoalFileEntry, GoalOut
from service.readmodel.errors import UnknownSegment
from service.readmodel.goals import Goal, Measure
from service.readmodel.live_state import LiveState
from service.rows.definitions import AUTHOR, DefinitionKind, Outcome
from service.segments.errors import NothingLearned
from service.segments.queries import known_segments
from service.storage.turns import GOAL_TURNS


class GoalFiles(DefinitionKind[GoalFileEntry]):
    """See ``DefinitionKind``.

    state: None while there is no artifact: then no goal can name a segment. timezone: of goals that name none.
    """

    id_field = "goal_id"
    read_only = GoalOut.model_fields.keys() - GoalFileEntry.model_fields.keys()
    turns = GOAL_TURNS
    changed = GOALS_CHANGED

    def __init__(self, state: LiveState | None, timezone: str) -> None:
        self._state = state
        self._timezone = timezone

    def check(self, connection: Connection, given: dict[str, Any]) -> tuple[str, GoalFileEntry]:
        """Check a goal as it is checked over HTTP, and its currency."""
        goal = GoalFileEntry.model_validate(given)
        before = _find(connection, id_of(goal))
        if before is None or goal.segment_id != before.segment_id:
            self._check_segment(connection, goal.segment_id)
        if before is None or (goal.scope.kind, goal.scope.names) != (before.scope_kind, before.scope):
            check_scope(connection, goal.scope.kind, goal.scope.names)
        self._check_currency(before, goal)
        return id_of(goal), goal

    def store(self, connection: Connection, goal_id: str, goal: GoalFileEntry, now: datetime) -> Outcome:
        """Store a goal. One that is stored already keeps its currency."""
        before = _find(connection, goal_id)
        # Its currency is checked again: it may have been set since.
        self._check_currency(before, goal)
        terms = (self._currency(before) or goal.currency, self._timezone, AUTHOR, now)
        if before is None:
            add_goal(connection, goal_id, goal, *terms)
            return Outcome.CREATED
        stored = replace_goal(connection, before, goal, *terms)
        return Outcome.UNCHANGED if stored is before else Outcome.UPDATED

    def _check_segment(self, connection: Connection, segment_id: str | None) -> None:
        if segment_id is None:
            return
        if self._state is None:
            raise NothingLearned
        if segment_id not in known_segments(connection, self._state.content):
            raise UnknownSegment(segment_id)

    def _check_currency(self, before: Goal | None, goal: GoalFileEntry) -> None:
        """Raise ValueError for a target in money of another currency than the goal's."""
        currency = self._currency(before)
        if goal.measure is not Measure.UNITS and goal.currency and currency and goal.currency != currency:
            raise ValueError(
                f"currency: the target is in {goal.currency}, but the goal is in {currency}. Convert the target, and "
                "leave currency out"
            )

    def _currency(self, before: Goal | None) -> str | None:
        """Return the currency of a goal in money; None where it is not known before the first training."""
        if before is not None and before.currency:
            return before.currency
        return None if self._state is None else self._state.content.currency.code


def _find(connection: Connection, goal_id: str) -> Goal | None:
    try:
        return find_goal(connection, goal_id)
    except UnknownGoal:
        return None
