"""How much a goal lifts what it is set on: from what was booked, and what is expected and not yet booked.

Sales of a day are taken to be ``usual * (base + response * effect)``. ``usual`` is what was expected of the day
before the goal began. ``effect`` is the lift, that is the lever minus 1, of the days before: orders are booked so
many days after their offer as a geometric distribution says. ``base`` and ``response`` are learned day by day from a
prior (recursive least squares). The lift is the constant one with which the period would end at the target, given
what is booked, what is usual, and what earlier lifts have yet to bring: pacing by what is booked alone overshoots
wherever orders lag. A shortfall within a dead band gives none.

The lifts of earlier days are replayed from the same sales, so that every worker has the same lift, after a restart too.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

DEAD_BAND: Final = 0.01
"""Share of the target that a forecast may fall short by without any lift."""
RESPONSE: Final = 0.4
"""How much sales of a scope rise, relative to usual, by a lift of 1, before anything is known."""
RESPONSE_SD: Final = 0.2
MIN_RESPONSE: Final = 0.1
MIN_BASE: Final = 0.2
MIN_BASE_SD: Final = 0.05
MIN_NOISE: Final = 0.2
"""A day's sales vary by at least this share of what is usual, however even the past was."""
CAUTION_DAYS: Final = 4.0
"""As if the lift reached so many more usual days than it does: near the end there is no time to correct a mistake."""
SMOOTHING_DAYS: Final = 4.0


@dataclass(frozen=True)
class Pace:
    """The lift now, and what it is made of.

    lift:     what the goal adds to the lever, 0 or more.
    expected: what will be booked at the end if nothing is lifted from now on; earlier lifts bring what they bring.
    reachable: the same if everything is lifted to the bound from now on.
    base, response: as they are known now; see above.
    """

    lift: float
    expected: float
    reachable: float
    base: float
    response: float


class Pacing(NamedTuple):
    """What a goal wants. max_lift: its bound. lag_days: how long after an offer its order is booked, on average."""

    target: float
    max_lift: float
    lag_days: float


@dataclass
class _Learner:
    """Learns ``base`` and ``response``. base_var, response_var, covariance: of what is not known of them."""

    base_var: float
    base: float = 1.0
    response: float = RESPONSE
    response_var: float = RESPONSE_SD**2
    covariance: float = 0.0

    def learn(self, sold: float, usual: float, effect: float, dispersion: float) -> None:
        """Take in one day."""
        if usual <= 0:
            return
        by_base, by_response = usual, usual * effect
        gain_base = self.base_var * by_base + self.covariance * by_response
        gain_response = self.covariance * by_base + self.response_var * by_response
        total = by_base * gain_base + by_response * gain_response + max(dispersion * usual, (MIN_NOISE * usual) ** 2)
        surprise = sold - by_base * self.base - by_response * self.response
        self.base += gain_base / total * surprise
        self.response += gain_response / total * surprise
        self.base_var -= gain_base * gain_base / total
        self.response_var -= gain_response * gain_response / total
        self.covariance -= gain_base * gain_response / total

    @property
    def bounded(self) -> tuple[float, float]:
        """Return base and response, neither of them absurd."""
        return max(self.base, MIN_BASE), max(self.response, MIN_RESPONSE)


def pace(sold: Values, usual: Values, today: int, goal: Pacing, dispersion: float, base_sd: float) -> Pace:
    """Return what a goal lifts today.

    sold, usual: float64 (H,), the days of the period: what was sold, and what is usual. What is sold of today counts,
                 and is not complete.
    today:       its place in the period; before its begin 0 and nothing is sold, after its end H.
    dispersion:  variance of a day's sales over their mean. base_sd: how far ``base`` may be from 1.
    """
    n, keep = len(usual), goal.lag_days / (1 + goal.lag_days)
    learner = _Learner(max(base_sd, MIN_BASE_SD) ** 2)
    usual_left = np.concatenate([usual[::-1].cumsum()[::-1], [0.0]]).tolist()
    lag_left = _weighted_by_lag(usual, keep).tolist()
    caution = CAUTION_DAYS * float(usual.mean())
    booked, effect, lift = 0.0, 0.0, 0.0
    for day, (sold_today, usual_today) in enumerate(zip(sold[:today].tolist(), usual[:today].tolist(), strict=True)):
        base, response = learner.bounded
        expected = booked + base * usual_left[day] + response * effect * keep * lag_left[day]
        reach = usual_left[day] - keep * lag_left[day]
        lift = _next_lift(goal, expected, response * (reach + caution), lift if day else None)
        effect = keep * effect + (1 - keep) * lift
        learner.learn(sold_today, usual_today, effect, dispersion)
        booked += sold_today
    base, response = learner.bounded
    if today >= n:
        return Pace(0.0, booked, booked, base, response)
    # What is sold of today was expected: it is not expected once more.
    due = min(float(sold[today]), float(usual[today]) * (base + response * effect * keep))
    expected = booked + float(sold[today]) - due + base * usual_left[today] + response * effect * keep * lag_left[today]
    reach = usual_left[today] - keep * lag_left[today]
    lift = _next_lift(goal, expected, response * (reach + caution), lift if today else None)
    return Pace(lift, expected, expected + response * goal.max_lift * reach, base, response)


def _next_lift(goal: Pacing, expected: float, per_lift: float, before: float | None) -> float:
    """Return the lift of a day. per_lift: what a lift of 1 brings until the end. before: the lift of the day before."""
    gap = goal.target * (1 - DEAD_BAND) - expected
    if gap <= 0:
        # At once: a goal that is met lifts nothing.
        return 0.0
    wanted = min(gap / per_lift, goal.max_lift) if per_lift > 0 else goal.max_lift
    return wanted if before is None else before + 2 / (SMOOTHING_DAYS + 1) * (wanted - before)


def _weighted_by_lag(usual: Values, keep: float) -> Values:
    """Return float64 (H + 1,): for each day, the sum over the days from it on of usual * keep ** (days between)."""
    weighted = [0.0]
    for amount in usual[::-1].tolist():
        weighted.append(amount + keep * weighted[-1])
    return np.array(weighted[::-1])
