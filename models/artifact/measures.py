"""What is measured of segments: at training for all that are built in, in the service for those that people define."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact.activity import Activity
from models.artifact.customers import Customers
from models.artifact.groups import Groups
from models.artifact.segments import COUNTS

WINDOW_DAYS = 365
RETENTION_DAYS = 90
NORMAL_95 = 1.96
WIDTH_80 = 2 * 1.2816
"""Between the ends of an interval that holds four of five, in standard deviations of a normal distribution."""
_UNITS = {"week": "datetime64[W]", "month": "datetime64[M]", "quarter": "datetime64[M]", "year": "datetime64[Y]"}
_FIRST_MONDAY = 4
"""Days from 1970-01-01, a Thursday, to the Monday after it."""


@dataclass(frozen=True)
class Measured:
    """All that figures are taken from; A accounts. as_of_day: days since 1970, the day that has not been seen."""

    customers: Customers
    activity: Activity
    lines: Groups
    as_of_day: int
    has_margins: bool

    @cached_property
    def everyone(self) -> dict[str, float]:
        """The sums over all accounts."""
        codes = np.zeros(len(self.customers), dtype=np.int16)
        return {name: column[0].item() for name, column in _sums(self, codes, 1).items()}


def measure_segments(facts: Measured, codes: NDArray[np.int16], n_segments: int) -> list[dict[str, Any]]:
    """Measure segments that share no account.

    codes: int16 (A,), each account's segment, below n_segments; negative for one that is in none.
    Returns one dictionary per segment. Sums are of the last 365 days, money in minor units; shares are None where
    there is nothing to take a share of. Retention: of the accounts that bought within the 90 days before the last 90,
    the share that bought within the last 90, with Wilson's 95 % interval.
    """
    sums = _sums(facts, codes, n_segments)
    owners = facts.lines.count_owners(codes, n_segments)
    line_names = list(facts.lines.names)
    found = []
    for segment in range(n_segments):
        of = {name: column[segment].item() for name, column in sums.items()}
        found.append(_describe(facts, of, line_names, owners[segment].tolist()))
    return found


def _describe(facts: Measured, of: dict[str, Any], lines: list[str], owners: list[int]) -> dict[str, Any]:
    size, everyone = of["size"], facts.everyone
    return {
        "size": size,
        "share_of_accounts": _share(size, everyone["size"]),
        "window_days": WINDOW_DAYS,
        "revenue_minor": of["revenue"],
        "share_of_revenue": _share(of["revenue"], everyone["revenue"]),
        "margin_minor": of["margin"] if facts.has_margins else None,
        "orders": of["orders"],
        "active_accounts": of["active"],
        "average_order_value_minor": _share(of["revenue"], of["orders"], 2),
        "retention": share_with_interval(of["retained"], of["before"]) | {"days": RETENTION_DAYS},
        "churn_risk": {"value": _share(of["churning"], of["told"]), "n": of["told"]},
        "value_ahead": _value_ahead(of),
        "share_of_value_ahead": _share(of["value"], everyone["value"]),
        "penetration": [
            {"line": name, "accounts": count, "share": _share(count, size)}
            for name, count in zip(lines, owners, strict=True)
        ],
    }


def _value_ahead(of: dict[str, float]) -> dict[str, Any]:
    half = NORMAL_95 * float(np.sqrt(of["variance"]))
    expected = of["value"]
    return {
        "expected_minor": round(expected),
        "low_minor": round(max(expected - half, 0.0)),
        "high_minor": round(expected + half),
        "n": of["valued"],
    }


def _sums(facts: Measured, codes: NDArray[np.int16], n: int) -> dict[str, NDArray[Any]]:
    customers, activity = facts.customers, facts.activity
    is_in = codes >= 0
    of_account = np.where(is_in, codes, n).astype(np.int64)

    def add(values: NDArray[Any], where: NDArray[np.bool_]) -> NDArray[Any]:
        return np.bincount(of_account[where], weights=values[where].astype(np.float64), minlength=n + 1)[:n]

    def count(where: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(of_account[where], minlength=n + 1)[:n]

    owner = activity.owner()
    since = facts.as_of_day - activity.day
    in_window = (since <= WINDOW_DAYS) & (since > 0)
    code = of_account[owner]

    def over_window(values: NDArray[Any]) -> NDArray[np.int64]:
        weights = np.where(in_window, values, 0).astype(np.float64)
        return np.bincount(code, weights=weights, minlength=n + 1)[:n].round().astype(np.int64)

    def bought(first: int, last: int) -> NDArray[np.bool_]:
        flags = np.zeros(len(codes), dtype=np.bool_)
        flags[owner[(activity.orders > 0) & (since > first) & (since <= last)]] = True
        return flags

    recent, before = bought(0, RETENTION_DAYS), bought(RETENTION_DAYS, 2 * RETENTION_DAYS)
    expected = customers.value[:, 0].astype(np.float64)
    spread = (customers.value[:, 2] - customers.value[:, 1]).astype(np.float64) / WIDTH_80
    is_told, is_valued = np.isfinite(customers.is_alive), np.isfinite(expected)
    return {
        "size": count(is_in),
        "revenue": over_window(activity.spend_minor),
        "margin": over_window(activity.margin_minor),
        "orders": over_window(activity.orders),
        "active": count(bought(0, WINDOW_DAYS)),
        "before": count(before),
        "retained": count(before & recent),
        "told": count(is_told),
        "churning": add(1 - customers.is_alive, is_told),
        "valued": count(is_valued),
        "value": add(expected, is_valued),
        "variance": add(np.nan_to_num(spread) ** 2, is_valued),
    }


def share_with_interval(count: int, n: int) -> dict[str, Any]:
    """A share with Wilson's 95 % interval; None where n is 0. Source: Wilson (1927)."""
    if not n:
        return {"value": None, "low": None, "high": None, "n": 0}
    p, z2 = count / n, NORMAL_95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = NORMAL_95 * ((p * (1 - p) + z2 / (4 * n)) / n) ** 0.5 / (1 + z2 / n)
    return {"value": round(p, 6), "low": round(max(centre - half, 0), 6), "high": round(min(centre + half, 1), 6)} | {
        "n": n
    }


def _share(part: float, whole: float, digits: int = 6) -> float | None:
    return round(part / whole, digits) if whole else None


def interval_starts(first_day: int, as_of_day: int, interval: str) -> NDArray[np.int32]:
    """Return int32 (P,): the first days of the intervals from ``first_day`` up to the day before ``as_of_day``.

    Weeks begin on Mondays (ISO 8601); days are counted from 1970-01-01.
    """
    ends = np.array([first_day, max(as_of_day - 1, first_day)], dtype=np.int64)
    if interval == "week":
        low, high = (ends - _FIRST_MONDAY) // 7
        return (np.arange(low, high + 1) * 7 + _FIRST_MONDAY).astype(np.int32)
    low, high = ends.astype("datetime64[D]").astype(_UNITS[interval]).astype(np.int64)
    step = 3 if interval == "quarter" else 1
    periods = np.arange(low // step, high // step + 1) * step
    return periods.astype(_UNITS[interval]).astype("datetime64[D]").astype(np.int32)


def measure_series(
    activity: Activity, codes: NDArray[np.int16], n_segments: int, starts: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Count, over intervals, what the accounts of each segment bought.

    codes:  int16 (A,), each account's segment now, below n_segments; negative for one that is in none.
    starts: int32 (P,), ascending, the first not after the first day of the activity.
    Returns int64 (n_segments, P, 5), see COUNTS.
    """
    n_periods = len(starts)
    counts = np.zeros((n_segments, n_periods, len(COUNTS)), dtype=np.int64)
    if not len(activity.day):
        return counts
    owner = activity.owner()
    period = starts.searchsorted(activity.day, side="right") - 1
    code = codes[owner].astype(np.int64)
    key, size = code * n_periods + period, n_segments * n_periods
    is_in = code >= 0
    for place, values in ((1, activity.orders), (2, activity.spend_minor), (3, activity.margin_minor)):
        sums = np.bincount(key[is_in], weights=values[is_in].astype(np.float64), minlength=size)
        counts[:, :, place] = sums.round().astype(np.int64).reshape(n_segments, n_periods)
    buying = activity.orders > 0
    pair = owner[buying].astype(np.int64) * n_periods + period[buying]
    pair = pair[np.concatenate([[True], pair[1:] != pair[:-1]])] if len(pair) else pair
    account, at = pair // n_periods, pair % n_periods
    was_there = np.zeros(len(pair), dtype=np.bool_)
    was_there[1:] = (pair[1:] == pair[:-1] + 1) & (account[1:] == account[:-1])
    segment = codes[account].astype(np.int64)
    for place, which in ((0, segment >= 0), (4, (segment >= 0) & was_there)):
        found = np.bincount((segment * n_periods + at)[which], minlength=size)
        counts[:, :, place] = found.reshape(n_segments, n_periods)
    return counts
