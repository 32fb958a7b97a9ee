"""Describes goals as callers read them."""

from datetime import datetime
from typing import Any

from service.base.arbitration_options import ArbitrationOptions
from service.base.clock import as_date
from service.goals.preview import OffersPreview, preview_offers
from service.offers.scores import accounts_of
from service.readmodel.goal_progress import GoalProgress, GoalStatus, Interval, measure_progress
from service.readmodel.goals import Goal, Goals, Measure, Sales
from service.readmodel.levers import Levers
from service.readmodel.live_state import LiveState

_DIGITS = 3


def describe_goals(state: LiveState, now: datetime) -> dict[str, Any]:
    """Describe every goal and how it stands."""
    goals = tuple(state.part(Goals).by_id.values())
    return {"items": [describe_goal(goal, state, now) for goal in goals], "next_cursor": None}


def describe_goal(goal: Goal, state: LiveState | None, now: datetime) -> dict[str, Any]:
    """Describe a goal, and how it stands where the state has it."""
    progress = None if state is None else state.part(Levers).progress_of(goal, now)
    return {
        "goal_id": goal.goal_id,
        "name": goal.name,
        "scope": {str(goal.scope_kind): list(goal.scope)},
        "measure": str(goal.measure),
        "target": goal.target if goal.measure is Measure.UNITS else round(goal.target),
        "currency": _currency_of(goal, state),
        "begins_on": as_date(goal.first_day),
        "ends_on": as_date(goal.end_day - 1),
        "timezone": goal.timezone,
        "segment_id": goal.segment_id,
        "max_lever": goal.max_lever,
        "order_lag_days": goal.order_lag_days,
        "is_enabled": goal.is_enabled,
        **goal.details,
        "progress": None if progress is None else describe_progress(goal, progress, now),
    }


def _currency_of(goal: Goal, state: LiveState | None) -> str | None:
    if goal.currency or state is None or goal.measure is Measure.UNITS:
        return goal.currency
    return state.content.currency.code


def describe_progress(goal: Goal, progress: GoalProgress, now: datetime) -> dict[str, Any]:
    """Describe how a goal stands."""
    return {
        "as_of": as_date(goal.day_at(now)),
        "status": str(progress.status),
        "booked": _amount(goal, progress.booked),
        "attained": round(progress.booked / goal.target, 4),
        "unvalued_lines": progress.unvalued,
        "share_of_time": round(progress.days_elapsed / progress.n_days, 4),
        "days_left": progress.n_days - progress.days_elapsed,
        "forecast": _interval(goal, progress.at_the_end),
        "with_max_lever": _interval(goal, progress.at_the_bound),
        "forecast_method": progress.method,
        "history_weeks": progress.n_weeks,
        "shortfall": _amount(goal, progress.shortfall),
        "required_per_day": None if progress.required_per_day is None else _amount(goal, progress.required_per_day),
        "lever_percent": round(100 * progress.lift, 2),
    }


def describe_preview(
    goal: Goal, sales: Sales, state: LiveState, options: ArbitrationOptions, now: datetime
) -> dict[str, Any]:
    """Describe how a goal would stand, what is within its reach, and what it would do to offers."""
    levers = state.part(Levers)
    progress = measure_progress(goal, levers.totals_of(goal, sales), goal.day_at(now))
    accounts = accounts_of(state, levers.segments, goal.segment_id)
    is_in_scope = levers.products_of(goal.scope_kind, goal.scope)
    offers = preview_offers(state, accounts, is_in_scope, goal.max_lever, options, now)
    return {
        "is_out_of_reach": progress.status is GoalStatus.OUT_OF_REACH,
        "target": _amount(goal, goal.target),
        "currency": goal.currency,
        "begins_on": as_date(goal.first_day),
        "ends_on": as_date(goal.end_day - 1),
        "progress": describe_progress(goal, progress, now),
        "offers": None if offers is None else describe_offers(offers, state.content.horizon_days or None),
    }


def describe_offers(preview: OffersPreview, horizon_days: float | None) -> dict[str, Any]:
    """Describe what a goal would do to offers."""
    usual, lifted = preview.usual, preview.lifted
    uplift = (preview.uplift, preview.uplift_low, preview.uplift_high)
    return {
        "accounts": preview.n_accounts,
        "sampled_accounts": preview.n_sampled,
        "horizon_days": horizon_days,
        "share_of_top_offers": _share(usual.in_scope.sum(), usual.offers.sum()),
        "share_of_top_offers_lifted": _share(lifted.in_scope.sum(), lifted.offers.sum()),
        "expected_purchases": round(float(usual.purchases.sum()) * preview.scale, _DIGITS),
        "expected_purchases_lifted": round(float(lifted.purchases.sum()) * preview.scale, _DIGITS),
        "uplift": None if preview.uplift is None else dict(zip(("value", "low", "high"), uplift, strict=True)),
        "value_lost_share": preview.value_lost,
    }


def _share(part: float, whole: float) -> float:
    return round(float(part / whole), 4) if whole else 0.0


def _interval(goal: Goal, interval: Interval | None) -> dict[str, float] | None:
    if interval is None:
        return None
    return dict(zip(("expected", "low", "high"), (_amount(goal, bound) for bound in interval), strict=True))


def _amount(goal: Goal, amount: float) -> float:
    return round(amount, _DIGITS) if goal.measure is Measure.UNITS else round(amount)
