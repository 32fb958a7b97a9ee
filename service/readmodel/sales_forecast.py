"""What will be sold of a scope until a day, from what was sold day by day: a forecast with an 80 % interval.

Two methods are tried on the past at the horizon that is asked for, and their mean is a third; the one with the smallest
squared error is used. *Level*: simple exponential smoothing of weekly totals (Brown 1959; Hyndman and Athanasopoulos,
Forecasting: Principles and Practice, 3rd ed., 8.1), its constant chosen among three. *Season*: the same weeks of the
year before, times how the last eight weeks compare with those of a year ago (seasonal naive method, 5.2, with a growth
factor). The mean of two forecasts is that of Bates and Granger (1969). Days of a week get their usual shares.

The interval is that of the errors that the method made in the past at that horizon, relative to the forecast, with
Student's t for the number of past periods that do not overlap; never narrower than chance in the counted sales alone
(quasi-Poisson: the variance of a week is proportional to its mean).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

MIN_WEEKS: Final = 4
"""With less history there is no forecast."""
WEEK: Final = 7
YEAR_WEEKS: Final = 52
GROWTH_WEEKS: Final = 8
SMOOTHING: Final = (0.1, 0.2, 0.4)
MAX_GROWTH: Final = 3.0
_SHARE_PRIOR_WEEKS: Final = 2
"""Weekday shares are learned as if these many even weeks had been before."""
_T90: Final = ((1, 3.078), (2, 1.886), (3, 1.638), (4, 1.533), (6, 1.440), (10, 1.372), (20, 1.325), (60, 1.296))
"""The .9 quantile of Student's t, by degrees of freedom."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Forecast:
    """Expected sales of the days ahead.

    daily: float64 (H,), expected day by day. expected: their sum. sd: of the sum's error. quantile: of the interval.
    dispersion: variance of a day's sales over their mean. n_weeks: of history. method: level, season or mean.
    """

    daily: Values
    expected: float
    sd: float
    quantile: float
    dispersion: float
    n_weeks: int
    method: str

    @property
    def low(self) -> float:
        """Lower bound of the 80 % interval; no lower than nothing."""
        return max(0.0, self.expected - self.quantile * self.sd)

    @property
    def high(self) -> float:
        """Upper bound of the 80 % interval."""
        return self.expected + self.quantile * self.sd


def forecast_sales(history: Values, skipped: int, horizon: int) -> Forecast | None:
    """Forecast so many days, from the one that follows so many skipped days after the history.

    history: float64 (D,), whole days up to yesterday, the oldest first; what precedes the first sale is left out.
    skipped, horizon: days. Returns None where the history is shorter than MIN_WEEKS.
    """
    sold = np.flatnonzero(history)
    n_weeks = (len(history) - int(sold[0])) // WEEK if len(sold) else 0
    if n_weeks < MIN_WEEKS or horizon <= 0:
        return None
    days = history[len(history) - n_weeks * WEEK :]
    weeks = days.reshape(n_weeks, WEEK).sum(axis=1)
    shares = _weekday_shares(days)
    ahead = max(1, round((skipped + horizon) / WEEK))
    candidates = _candidates(weeks, ahead)
    method, (level, errors) = min(candidates.items(), key=lambda item: _error_of(item[1][1]))
    daily = level * shares[(skipped + np.arange(horizon)) % WEEK]
    if method != "level" and len(days) >= YEAR_WEEKS * WEEK:
        daily = _with_season(daily, days, weeks, shares, skipped, method)
    expected = float(daily.sum())
    dispersion = _dispersion(weeks)
    sd, quantile = _spread(expected, errors, ahead, horizon, dispersion)
    return Forecast(daily, expected, sd, quantile, dispersion, n_weeks, method)


def _weekday_shares(days: Values) -> Values:
    """Return float64 (7,): the share of a week's sales of each day, beginning with the day after the history."""
    by_day = days.reshape(-1, WEEK)[-YEAR_WEEKS:].clip(min=0).sum(axis=0)
    prior = _SHARE_PRIOR_WEEKS * by_day.sum() / max(len(days) // WEEK, 1) / WEEK
    shares = by_day + prior
    total = shares.sum()
    return np.asarray(shares / total) if total > 0 else np.full(WEEK, 1 / WEEK)


def _candidates(weeks: Values, ahead: int) -> dict[str, tuple[float, Values]]:
    """Return each method's level of a week, and its relative errors at past origins, over the weeks ahead."""
    n = len(weeks)
    origins = np.arange(min(MIN_WEEKS, n - 1), n - ahead + 1)
    summed = np.concatenate([[0.0], weeks.cumsum()])
    actual = summed[origins + ahead] - summed[origins]
    candidates: dict[str, tuple[float, Values]] = {}
    best: tuple[float, Values, Values] | None = None
    for smoothing in SMOOTHING:
        levels = _smoothed(weeks, smoothing)
        made = levels[origins] * ahead
        if best is None or _squares(actual, made) < _squares(actual, best[1]):
            best = (float(levels[n]), made, _relative(actual, made))
    assert best is not None  # noqa: S101  SMOOTHING is not empty
    candidates["level"] = (best[0], best[2])
    later = np.flatnonzero(origins >= YEAR_WEEKS + GROWTH_WEEKS)
    if len(later) >= 2 * GROWTH_WEEKS:
        rows = origins[later]
        season = _seasonal(summed, rows, ahead)
        # Compared at the same origins as the others.
        candidates["level"] = (best[0], _relative(actual[later], best[1][later]))
        mean = (season + best[1][later]) / 2
        now = _seasonal(summed, np.array([n]), min(ahead, YEAR_WEEKS))[0] / min(ahead, YEAR_WEEKS)
        candidates["season"] = (float(now), _relative(actual[later], season))
        candidates["mean"] = ((float(now) + best[0]) / 2, _relative(actual[later], mean))
    return candidates


def _smoothed(weeks: Values, smoothing: float) -> Values:
    """Return float64 (n + 1,): the level before each week, and after the last one."""
    level = float(weeks[:MIN_WEEKS].mean())
    levels = [level]
    for week in weeks.tolist():
        level += smoothing * (week - level)
        levels.append(level)
    return np.array(levels)


def _seasonal(summed: Values, origins: NDArray[np.int64], ahead: int) -> Values:
    """Return the sum over the weeks ahead, a year before, times the growth since."""
    last_year = summed[np.minimum(origins - YEAR_WEEKS + ahead, origins)] - summed[origins - YEAR_WEEKS]
    return np.asarray(last_year * _growth(summed, origins))


def _growth(summed: Values, origins: NDArray[np.int64]) -> Values:
    now = summed[origins] - summed[origins - GROWTH_WEEKS]
    before = summed[origins - YEAR_WEEKS] - summed[np.maximum(origins - YEAR_WEEKS - GROWTH_WEEKS, 0)]
    return np.asarray(np.clip((now + 1) / np.maximum(before + 1, 1e-9), 1 / MAX_GROWTH, MAX_GROWTH))


def _with_season(daily: Values, days: Values, weeks: Values, shares: Values, skipped: int, method: str) -> Values:
    """Give the days ahead the shape of the same days a year before, smoothed over three weeks."""
    n = len(weeks)
    year_ago = weeks[n - YEAR_WEEKS :]
    padded = np.convolve(np.concatenate([year_ago[-1:], year_ago, year_ago[:1]]), np.full(3, 1 / 3), "valid")
    place = (skipped + np.arange(len(daily))) // WEEK
    shape = padded[place % YEAR_WEEKS]
    if shape.sum() <= 0:
        return daily
    wanted = daily.sum()
    weight = 1.0 if method == "season" else 0.5
    mixed = shares[(skipped + np.arange(len(daily))) % WEEK] * (weight * shape / shape.mean() + 1 - weight)
    return np.asarray(mixed * (wanted / mixed.sum()))


def _error_of(errors: Values) -> float:
    return float(np.square(errors).mean()) if len(errors) else float("inf")


def _squares(actual: Values, made: Values) -> float:
    return float(np.square(actual - made).sum())


def _relative(actual: Values, made: Values) -> Values:
    floor = max(float(np.abs(made).mean()) * 0.1, 1e-9) if len(made) else 1.0
    return np.asarray((actual - made) / np.maximum(np.abs(made), floor))


def _dispersion(weeks: Values) -> float:
    """Return the variance of a week's sales over their mean, by differences of weeks that follow each other."""
    recent = weeks[-YEAR_WEEKS:]
    mean = float(recent.mean())
    return float(np.square(np.diff(recent)).mean() / 2 / mean) if mean > 0 and len(recent) > 1 else 1.0


def _spread(expected: float, errors: Values, ahead: int, horizon: int, dispersion: float) -> tuple[float, float]:
    """Return the standard deviation of a forecast's error, and the quantile of its 80 % interval."""
    by_chance = float(np.sqrt(max(dispersion, 1e-9) * max(expected, 0.0)))
    if len(errors) < 2:
        return 2 * by_chance, _t90(1)
    periods = max(len(errors) / ahead, 1.0)
    relative = float(np.sqrt(np.square(errors).mean()))
    # A fraction of a week varies more than a week, relative to itself.
    relative *= float(np.sqrt(max(1.0, WEEK / horizon)))
    return max(by_chance, abs(expected) * relative), _t90(periods)


@lru_cache(maxsize=1024)
def _t90(degrees: float) -> float:
    known = np.array(_T90)
    return float(np.interp(1 / degrees, 1 / known[::-1, 0], known[::-1, 1])) if degrees < known[-1, 0] else 1.282
