"""Split a history by time: learn from the earlier part, choose on a window after it, report on the last one."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from models.data.day_zone import UTC_DAYS, DayZone
from models.data.interactions import Interactions

DAY_SECONDS = 86_400
HOLDOUT_SHARE = 0.2
MIN_HORIZONS = 3


@dataclass(frozen=True)
class Split:
    """Three boolean masks over the lines, shape (n_lines,), disjoint.

    learn:      what the rankers see while the blend is chosen.
    validation: where the blend and the hyperparameters are chosen.
    holdout:    what is reported; nothing is ever tuned on it.
    zone:       of days.
    The times are local seconds; each window begins at its start and ends where the next begins.
    """

    learn: NDArray[np.bool_]
    validation: NDArray[np.bool_]
    holdout: NDArray[np.bool_]
    validation_start: int
    holdout_start: int
    as_of: int
    is_by_time: bool
    notice: str = ""
    zone: DayZone = UTC_DAYS

    def describe(self) -> dict[str, object]:
        """The windows in words, for a report."""
        return {
            "is_by_time": self.is_by_time,
            "validation_start": format_local(self.validation_start, self.zone),
            "holdout_start": format_local(self.holdout_start, self.zone),
            "as_of": format_local(self.as_of, self.zone),
        }


def midnight_after(time: NDArray[np.int64]) -> int:
    """The first midnight after every event has happened, in the seconds of ``time``: the default as-of."""
    return (int(time.max()) // DAY_SECONDS + 1) * DAY_SECONDS


def split_by_time(
    interactions: Interactions, as_of: int, horizon_days: int, seed: int, zone: DayZone = UTC_DAYS
) -> Split:
    """Hold out the last ``horizon_days`` before ``as_of``, and as many days before those for validation.

    interactions: lines before ``as_of`` (local seconds) only.
    A history shorter than three horizons gets a shorter one: a third of what there is. One without any time (all
    lines of one day) can't be split by time: a random fifth of each account's products is held out, or of the orders
    where none names an account, and the split says so.
    """
    time = interactions.time
    begin = int(time.min())
    if midnight_after(time) - begin <= 2 * DAY_SECONDS:
        return _split_at_random(interactions, as_of, seed, zone)
    horizon = horizon_days * DAY_SECONDS
    notice = ""
    if as_of - begin < MIN_HORIZONS * horizon:
        days = max((as_of - begin) // MIN_HORIZONS // DAY_SECONDS, 1)
        horizon = min(horizon, days * DAY_SECONDS)
        notice = f"the history covers {(as_of - begin) // DAY_SECONDS} days, so windows of {days} days are held out"
    holdout_start, validation_start = as_of - horizon, as_of - 2 * horizon
    return Split(
        learn=time < validation_start,
        validation=(time >= validation_start) & (time < holdout_start),
        holdout=time >= holdout_start,
        validation_start=validation_start,
        holdout_start=holdout_start,
        as_of=as_of,
        is_by_time=True,
        notice=notice,
        zone=zone,
    )


def _split_at_random(interactions: Interactions, as_of: int, seed: int, zone: DayZone) -> Split:
    """Hold out pairs of account and product, so that a repeated purchase is never on both sides.

    Without any account, orders are held out.
    """
    is_known = interactions.is_known
    is_guests = not is_known.any()
    pair = interactions.account.astype(np.int64) * interactions.n_products + interactions.product
    _, part = np.unique(interactions.order if is_guests else pair, return_inverse=True)
    draw = np.random.default_rng(seed).random(int(part.max()) + 1)[part]
    holdout = (is_known | is_guests) & (draw < HOLDOUT_SHARE)
    validation = (is_known | is_guests) & ~holdout & (draw < 2 * HOLDOUT_SHARE)
    what = "orders" if is_guests else "each account's products"
    return Split(
        learn=~holdout & ~validation,
        validation=validation,
        holdout=holdout,
        validation_start=as_of,
        holdout_start=as_of,
        as_of=as_of,
        is_by_time=False,
        notice=f"all lines are of one day: a random fifth of {what} is held out instead of a period",
        zone=zone,
    )


def parse_time(text: str) -> int:
    """Epoch seconds of an RFC 3339 time."""
    return int(datetime.fromisoformat(text).timestamp())


def format_time(seconds: int) -> str:
    """Epoch seconds as RFC 3339 UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_local(local_second: int, zone: DayZone) -> str:
    """Local seconds as RFC 3339 UTC."""
    return format_time(zone.to_instant(local_second))
