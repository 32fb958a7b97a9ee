"""Forecasts of sales, and what goals lift by them: closed forms and properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.readmodel.goal_progress import GoalStatus, measure_progress
from service.readmodel.goals import HISTORY_DAYS, DailySales, Goal, Measure, ScopeKind
from service.readmodel.pacing import DEAD_BAND, Pacing, pace
from service.readmodel.sales_forecast import Values, forecast_sales

PER_DAY = 10.0
DAYS = 90


def goal_of(target: float, max_lever: float = 2.0, *, is_enabled: bool = True) -> Goal:
    return Goal(
        "g", "G", ScopeKind.LINES, ("x",), Measure.UNITS, target, None, HISTORY_DAYS, HISTORY_DAYS + DAYS, "UTC", None,
        max_lever, 14.0, is_enabled,
    )  # fmt: skip


def sales_of(in_period: Values, before: float = PER_DAY) -> DailySales:
    value = np.full(HISTORY_DAYS + DAYS, before)
    value[HISTORY_DAYS:] = 0
    value[HISTORY_DAYS : HISTORY_DAYS + len(in_period)] = in_period
    return DailySales(0, value, np.zeros(len(value), dtype=np.int64))


def test_even_sales_are_forecast_to_go_on() -> None:
    forecast = forecast_sales(np.full(200, PER_DAY), 3, 30)

    assert forecast is not None
    assert forecast.expected == pytest.approx(30 * PER_DAY)
    assert forecast.low <= forecast.expected <= forecast.high
    np.testing.assert_allclose(forecast.daily, PER_DAY)


def test_days_of_the_week_keep_their_shares() -> None:
    week = np.array([0, 0, 7, 7, 7, 7, 14], dtype=float)

    forecast = forecast_sales(np.tile(week, 30), 2, 7)

    assert forecast is not None
    assert forecast.expected == pytest.approx(week.sum())
    assert forecast.daily.argmax() == (6 - 2) % 7
    assert forecast.daily[[0, 1]].min() > forecast.daily[[5, 6]].max()


def test_a_season_that_comes_again_is_expected() -> None:
    weeks = np.tile(np.where(np.arange(52) < 40, 70.0, 210.0), 3)[: 52 * 2 + 40]
    days = np.repeat(weeks / 7, 7)

    forecast = forecast_sales(days, 0, 6 * 7)

    assert forecast is not None
    assert forecast.method == "season"
    assert forecast.expected == pytest.approx(6 * 210, rel=0.15)


@pytest.mark.parametrize("history", [np.zeros(100), np.ones(27), np.concatenate([np.zeros(500), np.ones(20)])])
def test_too_little_history_gives_no_forecast(history: Values) -> None:
    assert forecast_sales(history, 0, 30) is None


@given(seed=st.integers(0, 2**16), mean=st.floats(0.2, 50), days=st.integers(28, 400), horizon=st.integers(1, 200))
def test_a_forecast_is_finite_and_inside_its_interval(seed: int, mean: float, days: int, horizon: int) -> None:
    forecast = forecast_sales(np.random.default_rng(seed).poisson(mean, days).astype(float), 0, horizon)

    if forecast is not None:
        assert 0 <= forecast.low <= forecast.expected + 1e-9 <= forecast.high + 2e-9
        assert np.isfinite(forecast.high)
        assert forecast.daily.sum() == pytest.approx(forecast.expected)


def lift_of(target: float, in_period: Values, max_lever: float = 2.0) -> float:
    return measure_progress(goal_of(target, max_lever), sales_of(in_period), HISTORY_DAYS + len(in_period)).lift


def test_the_lift_grows_smoothly_from_nothing_within_the_dead_band_to_its_bound() -> None:
    usual = PER_DAY * DAYS
    targets = usual * np.linspace(0.8, 2.5, 400)

    lifts = np.array([lift_of(target, np.zeros(0)) for target in targets])

    assert (lifts[targets <= usual * (1 + DEAD_BAND / 2)] == 0).all()
    assert (np.diff(lifts) >= -1e-9).all()
    assert np.diff(lifts).max() < 0.05
    assert lifts[-1] == 1.0
    assert lift_of(2.5 * usual, np.zeros(0), max_lever=1.0) == 0


def test_a_goal_that_is_met_lifts_nothing_at_once() -> None:
    target = 1.3 * PER_DAY * DAYS
    behind = np.full(60, PER_DAY)
    assert lift_of(target, behind) > 0

    met = behind.copy()
    met[-1] = target

    assert lift_of(target, met) == 0


def test_what_is_booked_today_is_not_expected_once_more() -> None:
    before = measure_progress(goal_of(2_000), sales_of(np.full(30, PER_DAY)), HISTORY_DAYS + 30)
    after = measure_progress(goal_of(2_000), sales_of(np.append(np.full(30, PER_DAY), 4.0)), HISTORY_DAYS + 30)

    assert before.at_the_end is not None
    assert after.at_the_end is not None
    assert after.booked == before.booked + 4
    assert after.at_the_end[0] == pytest.approx(before.at_the_end[0])


def test_pacing_counts_what_earlier_lifts_have_yet_to_bring() -> None:
    # Nothing came of the lifts so far. Where orders lag, that is no sign that nothing will.
    usual, dispersion, n = np.full(DAYS, PER_DAY), 1.0, 10
    goal = Pacing(1.3 * usual.sum(), 1.0, 28.0)

    at_once = pace(usual.copy(), usual, n, Pacing(*goal[:2], 0.0), dispersion, 0.01)
    lagging = pace(usual.copy(), usual, n, goal, dispersion, 0.01)

    assert lagging.response > at_once.response
    assert lagging.expected > n * PER_DAY + (DAYS - n) * PER_DAY * lagging.base - 1


@given(
    sold=st.lists(st.floats(-50, 500), min_size=DAYS, max_size=DAYS),
    today=st.integers(-20, DAYS + 20),
    target=st.floats(1, 1e5),
    max_lever=st.floats(1, 5),
)
def test_a_lift_is_never_below_nothing_nor_above_its_bound(
    sold: list[float], today: int, target: float, max_lever: float
) -> None:
    goal = goal_of(target, max_lever)
    progress = measure_progress(goal, sales_of(np.array(sold)), HISTORY_DAYS + today)

    assert 0 <= progress.lift <= max_lever - 1 + 1e-9
    if progress.booked >= target or not 0 <= today < DAYS:
        assert progress.lift == 0


@pytest.mark.parametrize(
    ("target", "day", "status"),
    [
        (0.5 * 900, 3, GoalStatus.AHEAD),
        (1.0 * 900, 3, GoalStatus.ON_TRACK),
        (1.2 * 900, 3, GoalStatus.BEHIND),
        (9.0 * 900, 3, GoalStatus.OUT_OF_REACH),
        (0.2 * 900, 20, GoalStatus.MET),
        (1.2 * 900, DAYS, GoalStatus.ENDED),
        (1.0 * 900, DAYS, GoalStatus.MET),
    ],
)
def test_a_status_is_the_first_that_fits(target: float, day: int, status: GoalStatus) -> None:
    progress = measure_progress(goal_of(target), sales_of(np.full(day, PER_DAY)), HISTORY_DAYS + day)

    assert progress.status is status
    assert progress.days_elapsed == day


def test_a_goal_that_is_switched_off_is_measured_and_lifts_nothing() -> None:
    sales = sales_of(np.full(30, PER_DAY))
    on, off = (
        measure_progress(goal_of(1.3 * 900, is_enabled=is_on), sales, HISTORY_DAYS + 30) for is_on in (True, False)
    )

    assert (on.status, on.at_the_end) == (off.status, off.at_the_end)
    assert on.lift > 0 == off.lift
