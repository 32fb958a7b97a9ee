"""Pacing in a world where everything is known: a quarter with lagged orders, and the price of reaching a goal.

Five hundred accounts and forty products, eight of them in the goal's line. An account accepts an offer with a known
probability. The three best by P x V x L are offered in 120 decisions a day, and what is accepted is booked after a
number of days that is geometric with a mean of 14. More than a year without a goal comes first, which pacing learns
from. ``usual`` is what a quarter brings with L = 1. Levers are compared on the same decisions and the same chances.
Value lost is that of the expected margin, P x V, of all that was offered in the quarter.

The constants in ``service/readmodel/pacing.py`` were set beforehand and tried on seeds 100 to 111; seeds 0 to 11 are
reported.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.line_chart import Line, line_chart
from benchmarks.measure import console
from service.readmodel.goal_progress import GoalStatus, measure_progress, pace_of
from service.readmodel.goals import HISTORY_DAYS, DailySales, Goal, Measure, ScopeKind

N_ACCOUNTS, N_PRODUCTS, N_IN_LINE, N_DECISIONS, N_OFFERS = 500, 40, 8, 120, 3
BEFORE_DAYS, QUARTER_DAYS = 420, 90
LAG_DAYS = 14.0
MAX_LEVER = 2.0
T_975 = 2.201
"""Of Student's t with 11 degrees of freedom."""
SEEDS = range(12)
FACTORS = (1.0, 1.3, 1.8)
CHART = Path(__file__).parents[1] / "docs" / "pacing.svg"

Values = NDArray[np.float64]
Lever = Callable[["World", Values, int, float], float]
"""From the world, what was booked on each day so far, the day of the quarter and the target, to L."""


@dataclass(frozen=True)
class World:
    """One world. probability: (N_ACCOUNTS, N_PRODUCTS). value: (N_PRODUCTS,). is_line: bool (N_PRODUCTS,).

    account: (days, N_DECISIONS). chance: (days, N_DECISIONS, N_PRODUCTS), below the probability: accepted.
    lag: int (days, N_DECISIONS, N_PRODUCTS), days until it is booked. usual: units of a quarter with L = 1.
    order_lag_days: what the goal says of the lag.
    """

    probability: Values
    value: Values
    is_line: NDArray[np.bool_]
    account: NDArray[np.int64]
    chance: NDArray[np.float32]
    lag: NDArray[np.int16]
    usual: float
    order_lag_days: float = LAG_DAYS


@dataclass(frozen=True)
class Run:
    """A quarter. booked: units of each day. levers: of each day. value: expected, of all that was offered."""

    booked: Values
    levers: Values
    value: float


def make_world(seed: int, lag_days: float = LAG_DAYS) -> World:
    """Draw a world."""
    rng = np.random.default_rng([seed, 19])
    appeal = rng.normal(0, 0.3, N_PRODUCTS)
    logit = -3.0 + appeal + rng.normal(0, 2.0, (N_ACCOUNTS, N_PRODUCTS))
    probability = 1 / (1 + np.exp(-logit))
    value = np.exp(rng.normal(0, 1.2, N_PRODUCTS))
    is_line = np.zeros(N_PRODUCTS, dtype=np.bool_)
    # Every fifth product by its mean expected value: an ordinary line.
    is_line[np.argsort(value * probability.mean(axis=0))[2 :: N_PRODUCTS // N_IN_LINE]] = True
    days = BEFORE_DAYS + QUARTER_DAYS
    account = rng.integers(0, N_ACCOUNTS, (days, N_DECISIONS))
    chance = rng.random((days, N_DECISIONS, N_PRODUCTS), dtype=np.float32)
    lag = (rng.geometric(1 / (1 + lag_days), (days, N_DECISIONS, N_PRODUCTS)) - 1).astype(np.int16)
    world = World(probability, value, is_line, account, chance, lag, 0.0)
    chosen = _offered(world, np.arange(N_ACCOUNTS), 1.0)
    expected = float((probability[:, is_line] * chosen[:, is_line]).sum()) / N_ACCOUNTS
    return replace(world, usual=expected * N_DECISIONS * QUARTER_DAYS)


def simulate(world: World, before: Values, lever: Lever, target: float) -> Run:
    """Run the quarter. before: what was booked on each day, of what was offered before the quarter."""
    booked, levers, value = before.copy(), [], 0.0
    for day in range(QUARTER_DAYS):
        seen = booked.copy()
        seen[BEFORE_DAYS + day :] = 0
        level = lever(world, seen, day, target)
        value += _offer(world, BEFORE_DAYS + day, level, booked)
        levers.append(level)
    return Run(booked[BEFORE_DAYS : BEFORE_DAYS + QUARTER_DAYS], np.array(levers), value)


def history_of(world: World) -> Values:
    """What is booked on each day of what is offered before the quarter; also in it, as orders lag."""
    booked = np.zeros(BEFORE_DAYS + QUARTER_DAYS)
    for day in range(BEFORE_DAYS):
        _offer(world, day, 1.0, booked)
    return booked


def _offered(world: World, accounts: NDArray[np.int64], level: float) -> NDArray[np.bool_]:
    priority = world.probability[accounts] * (world.value * np.where(world.is_line, level, 1.0))
    best = np.argpartition(-priority, N_OFFERS - 1, axis=1)[:, :N_OFFERS]
    chosen = np.zeros(priority.shape, dtype=np.bool_)
    np.put_along_axis(chosen, best, True, axis=1)
    return chosen


def _offer(world: World, day: int, level: float, booked: Values) -> float:
    """Decide a day's offers, book what is accepted of the line, and return the expected value of all."""
    accounts = world.account[day]
    chosen, probability = _offered(world, accounts, level), world.probability[accounts]
    is_accepted = chosen & (world.chance[day] < probability) & world.is_line
    booked_on = day + world.lag[day][is_accepted]
    np.add.at(booked, booked_on[booked_on < len(booked)], 1)
    return float((chosen * probability * world.value).sum())


def constant(level: float) -> Lever:
    """The same lever throughout."""
    return lambda _world, _booked, _day, _target: level


def booked_pace(_world: World, booked: Values, day: int, target: float) -> float:
    """The pace that is required over that of what is booked so far."""
    so_far = booked[BEFORE_DAYS : BEFORE_DAYS + day].sum()
    if day == 0 or so_far == 0:
        return 1.0
    required = (target - so_far) / (QUARTER_DAYS - day)
    return float(np.clip(required / (so_far / day), 1.0, MAX_LEVER))


def paced(world: World, booked: Values, day: int, target: float) -> float:
    """The service's own pacing."""
    goal, sales = _goal_of(world, booked, target)
    pace = pace_of(goal, sales, HISTORY_DAYS + day)
    assert pace is not None
    return 1 + round(pace.lift, 4)


def _goal_of(world: World, booked: Values, target: float) -> tuple[Goal, DailySales]:
    sales = DailySales.nothing(0, HISTORY_DAYS + QUARTER_DAYS)
    sales.value[HISTORY_DAYS - BEFORE_DAYS :] = booked
    first = HISTORY_DAYS
    goal = Goal(
        "goal", "goal", ScopeKind.LINES, ("line",), Measure.UNITS, target, None, first, first + QUARTER_DAYS, "UTC",
        None, MAX_LEVER, world.order_lag_days, True,
    )  # fmt: skip
    return goal, sales


def _out_of_reach(world: World, before: Values, factor: float) -> bool:
    """Whether a goal is said to be out of reach on its first day."""
    booked = before.copy()
    booked[BEFORE_DAYS:] = 0
    goal, sales = _goal_of(world, booked, factor * world.usual)
    return measure_progress(goal, sales, HISTORY_DAYS).status is GoalStatus.OUT_OF_REACH


@dataclass(frozen=True)
class Result:
    """Of each seed: the share of the target booked, and of value lost against L = 1. levers, shares: mean by day."""

    attained: Values
    lost: Values
    levers: Values
    shares: Values


def run_all(worlds: list[World], befores: list[Values], lever: Lever, factor: float, free: list[float]) -> Result:
    """Run the quarter in each world. free: the value with L = 1."""
    targets = [factor * world.usual for world in worlds]
    runs = [simulate(*given) for given in zip(worlds, befores, [lever] * len(worlds), targets, strict=True)]
    attained = [run.booked.sum() / target for run, target in zip(runs, targets, strict=True)]
    lost = [1 - run.value / value for run, value in zip(runs, free, strict=True)]
    shares = np.mean([run.booked.cumsum() / target for run, target in zip(runs, targets, strict=True)], axis=0)
    return Result(np.array(attained), np.array(lost), np.mean([run.levers for run in runs], axis=0), shares)


def constant_that_reaches(
    attained: float, worlds: list[World], befores: list[Values], factor: float, free: list[float]
) -> tuple[float, Result]:
    """Find the constant lever with which as much of the target is booked, on average over the worlds."""
    low, high = 1.0, MAX_LEVER
    for _ in range(9):
        middle = (low + high) / 2
        is_enough = run_all(worlds, befores, constant(middle), factor, free).attained.mean() >= attained
        low, high = (low, middle) if is_enough else (middle, high)
    return high, run_all(worlds, befores, constant(high), factor, free)


def best_of_each(
    attained: Values, worlds: list[World], befores: list[Values], factor: float, free: list[float]
) -> float:
    """Return the value lost, on average, by the constant lever that in each world reaches as much as was reached."""
    lost = []
    for goal, world, before, value in zip(attained.tolist(), worlds, befores, free, strict=True):
        _, result = constant_that_reaches(goal, [world], [before], factor, [value])
        lost.append(float(result.lost[0]))
    return float(np.mean(lost))


def main(seeds: range = SEEDS) -> None:
    worlds = [make_world(seed) for seed in seeds]
    befores = [history_of(world) for world in worlds]
    free = [simulate(*given, constant(1.0), 1.0).value for given in zip(worlds, befores, strict=True)]
    table = Table(title=f"A quarter with lagged orders, {len(worlds)} seeds", title_justify="left")
    for name in ("target", "lever", "attained", "overshoot", "value lost"):
        table.add_column(name, justify="left" if name in ("target", "lever") else "right")
    charted: dict[str, Result] = {}
    for factor in FACTORS:
        ours = run_all(worlds, befores, paced, factor, free)
        level, best = constant_that_reaches(float(ours.attained.mean()), worlds, befores, factor, free)
        rows = {
            "L = 1": run_all(worlds, befores, constant(1.0), factor, free),
            "booked-pace ratio": run_all(worlds, befores, booked_pace, factor, free),
            "L = 2": run_all(worlds, befores, constant(MAX_LEVER), factor, free),
            f"best constant, {level:.2f}": best,
            "paced": ours,
        }
        for name, result in rows.items():
            over = np.maximum(result.attained - 1, 0)
            cells = (_with_interval(result.attained), f"{over.mean():.3f}", _with_interval(result.lost, percent=True))
            table.add_row(f"{factor} x usual", name, *cells, end_section=name == "paced")
        warned = sum(_out_of_reach(*given, factor) for given in zip(worlds, befores, strict=True))
        console.print(f"{factor} x usual: said to be out of reach on the first day in {warned} of {len(worlds)}")
        if best.lost.mean() > 0:
            ratio = ours.lost.mean() / best.lost.mean()
            each = ours.lost.mean() / best_of_each(ours.attained, worlds, befores, factor, free)
            console.print(
                f"{factor} x usual: pacing loses {ratio:.2f} x what the constant lever loses that reaches the same on "
                f"average, and {each:.2f} x what those lose that reach the same in each world"
            )
        if factor == 1.3:
            charted = {name: rows[name] for name in ("L = 1", "booked-pace ratio", "paced")}
    console.print(table)
    _other_lags(seeds)
    if seeds == SEEDS:
        CHART.write_text(_chart(charted), encoding="utf-8")


def _other_lags(seeds: range) -> None:
    """What becomes of a goal of 1.3 x usual where orders lag otherwise than the goal says."""
    for lag_days in (5.0, 28.0):
        worlds = [make_world(seed, lag_days) for seed in seeds]
        befores = [history_of(world) for world in worlds]
        free = [simulate(*given, constant(1.0), 1.0).value for given in zip(worlds, befores, strict=True)]
        result = run_all(worlds, befores, paced, 1.3, free)
        attained, lost = _with_interval(result.attained), _with_interval(result.lost, percent=True)
        console.print(f"1.3 x usual, orders lag {lag_days:g} days, the goal says 14: attained {attained}, lost {lost}")


def _with_interval(values: Values, *, percent: bool = False) -> str:
    half = T_975 * values.std(ddof=1) / np.sqrt(len(values))
    if percent:
        return f"{100 * values.mean():.2f} % ± {100 * half:.2f}"
    return f"{values.mean():.3f} ± {half:.3f}"


def _chart(results: dict[str, Result]) -> str:
    days = np.arange(1, QUARTER_DAYS + 1)
    booked = [Line(name, days, result.shares) for name, result in results.items()]
    levers = [Line(name, days, result.levers) for name, result in results.items()]
    return line_chart(
        "A goal of 1.3 x usual: mean of twelve simulated quarters",
        [("share of the target booked", booked), ("lever L", levers)],
        "day of the quarter",
    )


if __name__ == "__main__":
    main()
