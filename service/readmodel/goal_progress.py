"""How a goal stands: progress, forecast, status and lever."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from service.readmodel.goals import DailySales, Goal
from service.readmodel.pacing import DEAD_BAND, Pace, Pacing, pace
from service.readmodel.sales_forecast import Forecast, Values, forecast_sales

UNKNOWN_BASE_SD = 0.3
"""How far the level of a period may be from what was usual before it, where the past does not tell."""


class GoalStatus(StrEnum):
    """How a goal stands. The first that fits: met, ended, out-of-reach, ahead, behind, on-track."""

    AHEAD = "ahead"
    ON_TRACK = "on-track"
    BEHIND = "behind"
    MET = "met"
    ENDED = "ended"
    OUT_OF_REACH = "out-of-reach"


Interval = tuple[float, float, float]
"""What is expected, and the bounds of its 80 % interval."""


@dataclass(frozen=True)
class GoalProgress:
    """How a goal stands on a day.

    booked:       sold in the period so far. unvalued: order lines that are left out of it.
    at_the_end:   what will be booked at the end of the period; None with too little history.
    at_the_bound: the same with the lever at its bound from now on.
    shortfall:    what is then missing. required_per_day: what is missing now, per day that is left, today included.
    lift:         what the goal adds to the lever.
    method, n_weeks: of the forecast.
    """

    status: GoalStatus
    booked: float
    unvalued: int
    n_days: int
    days_elapsed: int
    at_the_end: Interval | None
    at_the_bound: Interval | None
    shortfall: float
    required_per_day: float | None
    lift: float
    method: str | None
    n_weeks: int


def measure_progress(goal: Goal, sales: DailySales, today: int) -> GoalProgress:
    """Measure how a goal stands. today: which day it is for the goal, since 1970."""
    begin, n_days = goal.first_day - goal.history_day, goal.end_day - goal.first_day
    in_period = sales.value[begin : begin + n_days]
    booked = float(in_period.sum())
    elapsed = min(max(today - goal.first_day, 0), n_days)
    left = n_days - elapsed
    rest = _forecast_of_rest(goal, sales, today) if left else None
    end = _at_the_end(booked, in_period[elapsed:], rest) if left else (booked, booked, booked)
    paced = pace_of(goal, sales, today) if rest is not None else None
    more = 0.0 if paced is None else max(0.0, paced.reachable - paced.expected)
    reach = None if end is None else (end[0] + more, end[1] + more, end[2] + more)
    missing = max(0.0, goal.target - booked)
    is_running = goal.is_enabled and left > 0 and goal.first_day <= today and missing > 0
    return GoalProgress(
        status=_status(goal, booked, elapsed / n_days, end, reach),
        booked=booked,
        unvalued=int(sales.unvalued[begin : begin + n_days].sum()),
        n_days=n_days,
        days_elapsed=elapsed,
        at_the_end=end,
        at_the_bound=reach if left else None,
        shortfall=max(0.0, goal.target - (booked if end is None else end[0])),
        required_per_day=missing / left if left else None,
        lift=paced.lift if paced is not None and is_running else 0.0,
        method=None if rest is None else rest.method,
        n_weeks=0 if rest is None else rest.n_weeks,
    )


def pace_of(goal: Goal, sales: DailySales, today: int) -> Pace | None:
    """Return what a goal lifts on a day; None where too little is known of what is usual."""
    begin, n_days = goal.first_day - goal.history_day, goal.end_day - goal.first_day
    known = min(max(today - goal.history_day, 0), begin)
    usual = forecast_sales(sales.value[:known], begin - known, n_days)
    if usual is None or usual.expected <= 0:
        return None
    is_begun = today >= goal.first_day
    return pace(
        sales.value[begin : begin + n_days] if is_begun else np.zeros(n_days),
        usual.daily,
        min(max(today - goal.first_day, 0), n_days),
        Pacing(goal.target, goal.max_lever - 1, goal.order_lag_days),
        usual.dispersion,
        min(usual.sd / usual.expected, UNKNOWN_BASE_SD),
    )


def _forecast_of_rest(goal: Goal, sales: DailySales, today: int) -> Forecast | None:
    """Forecast the days of the period that are left, today included."""
    history = sales.value[: max(0, min(today - goal.history_day, len(sales.value)))]
    begin = max(today, goal.first_day)
    return forecast_sales(history, begin - today, goal.end_day - begin)


def _at_the_end(booked: float, early: Values, rest: Forecast | None) -> Interval | None:
    """Return what will be booked at the end. early: what is booked of the days that are left."""
    if rest is None:
        return None
    # What is sold of today, or is dated later, was expected: it is not expected once more.
    due = float(np.minimum(early.clip(min=0), rest.daily).sum())
    expected, low, high = (booked + max(0.0, bound - due) for bound in (rest.expected, rest.low, rest.high))
    return expected, low, high


def _status(
    goal: Goal, booked: float, share_of_time: float, end: Interval | None, reach: Interval | None
) -> GoalStatus:
    if booked >= goal.target:
        return GoalStatus.MET
    if share_of_time >= 1:
        return GoalStatus.ENDED
    if end is None or reach is None:
        is_behind = booked < goal.target * share_of_time * (1 - DEAD_BAND)
        return GoalStatus.BEHIND if is_behind else GoalStatus.ON_TRACK
    if reach[2] < goal.target:
        return GoalStatus.OUT_OF_REACH
    if end[1] >= goal.target:
        return GoalStatus.AHEAD
    return GoalStatus.BEHIND if end[0] < goal.target * (1 - DEAD_BAND) else GoalStatus.ON_TRACK
