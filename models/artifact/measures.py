"""Measures of segments: of built-in ones at training, of defined ones in the service."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.artifact.activity import Activity
from models.artifact.customers import Customers
from models.artifact.groups import Groups

WINDOW_DAYS = 365
RETENTION_DAYS = 90
NORMAL_95 = 1.96
WIDTH_80 = 2 * 1.2816
"""Width of the 80 % interval of a normal distribution, in standard deviations."""


class Totals(NamedTuple):
    """Sums over all accounts, the denominators of shares."""

    size: float
    revenue: float
    value: float


@dataclass(frozen=True)
class Measured:
    """The facts that figures are computed from; A accounts. as_of_day: the first day not covered, since 1970."""

    customers: Customers
    activity: Activity
    lines: Groups
    as_of_day: int
    has_margins: bool

    def select(self, rows: NDArray[np.integer]) -> "Measured":
        """The same of some accounts. rows: int (n,)."""
        columns = {field.name: getattr(self.customers, field.name)[rows] for field in fields(Customers)}
        customers = Customers(**columns)
        lines = replace(self.lines, owned=self.lines.owned[rows])
        return replace(self, customers=customers, activity=self.activity.select(rows), lines=lines)

    @cached_property
    def figures(self) -> dict[str, NDArray[Any]]:
        """Figures that are summed up over accounts, (A,) each: whole numbers, flags, and float64."""
        customers, activity = self.customers, self.activity
        expected = customers.value[:, 0].astype(np.float64)
        spread = (customers.value[:, 2] - customers.value[:, 1]).astype(np.float64) / WIDTH_80
        is_estimated, is_valued = np.isfinite(customers.is_alive), np.isfinite(expected)
        since = self.as_of_day - activity.day
        in_window = (since <= WINDOW_DAYS) & (since > 0)
        bought, recent = (activity.orders > 0) & (since > 0), since <= RETENTION_DAYS
        recently = activity.any(bought & recent)
        before = activity.any(bought & ~recent & (since <= 2 * RETENTION_DAYS))
        return {
            "size": np.ones(len(customers), dtype=np.bool_),
            "revenue": activity.total(activity.spend_minor, in_window),
            "margin": activity.total(activity.margin_minor, in_window),
            "orders": activity.total(activity.orders, in_window),
            "unconverted": activity.total(activity.unconverted_orders, in_window),
            "active": activity.any(bought & in_window),
            "before": before,
            "retained": before & recently,
            "estimated": is_estimated,
            "churning": np.where(is_estimated, 1 - customers.is_alive, 0).astype(np.float64),
            "valued": is_valued,
            "value": np.where(is_valued, expected, 0),
            "variance": np.where(is_valued, np.nan_to_num(spread) ** 2, 0),
        }

    @cached_property
    def everyone(self) -> Totals:
        """The sums over all accounts."""
        return Totals(*(self.figures[name].sum().item() for name in Totals._fields))


@dataclass(frozen=True)
class Sums:
    """Sums that the figures of one segment are computed from. Those of two sets of accounts add up.

    figures: name -> sum of the accounts' ``Measured.figures``. owners: int64 (G,), accounts that own of each line.
    """

    figures: dict[str, Any]
    owners: NDArray[np.int64]

    def plus(self, other: "Sums", sign: int = 1) -> "Sums":
        """Add some accounts, or take them away (sign -1)."""
        return Sums(
            {name: value + sign * other.figures[name] for name, value in self.figures.items()},
            self.owners + sign * other.owners,
        )


def measure_segments(facts: Measured, codes: NDArray[np.int16], n_segments: int) -> list[dict[str, Any]]:
    """Measure segments that share no account; see ``sum_segments`` and ``describe_sums``."""
    lines = list(facts.lines.names)
    return [
        describe_sums(sums, lines, facts.everyone, has_margins=facts.has_margins)
        for sums in sum_segments(facts, codes, n_segments)
    ]


def sum_segments(facts: Measured, codes: NDArray[np.int16], n_segments: int) -> list[Sums]:
    """Sum up segments that share no account.

    codes: int16 (A,), each account's segment, below n_segments; negative for one that is in none.
    """
    segment_of = np.where(codes >= 0, codes, n_segments).astype(np.int64)
    sums: dict[str, list[Any]] = {}
    for name, values in facts.figures.items():
        totals = np.bincount(segment_of, weights=values.astype(np.float64), minlength=n_segments + 1)[:n_segments]
        sums[name] = (totals if values.dtype == np.float64 else totals.round().astype(np.int64)).tolist()
    owners = facts.lines.count_owners(codes, n_segments)
    return [
        Sums({name: totals[segment] for name, totals in sums.items()}, owners[segment]) for segment in range(n_segments)
    ]


def describe_sums(sums: Sums, lines: Sequence[str], everyone: Totals, *, has_margins: bool) -> dict[str, Any]:
    """Compute a segment's figures from its sums. lines: names of the product lines.

    Sums are of the last 365 days, money in minor units of the reporting currency; orders whose money is not known in it
    are left out of revenue, and of the mean value of an order. Shares are None where the whole is 0.
    Retention: of the accounts that bought within the 90 days before the last 90, the share that bought within the last
    90, with Wilson's 95 % interval.
    """
    figures, size = sums.figures, sums.figures["size"]
    return {
        "size": size,
        "share_of_accounts": _share(size, everyone.size),
        "window_days": WINDOW_DAYS,
        "revenue_minor": figures["revenue"],
        "share_of_revenue": _share(figures["revenue"], everyone.revenue),
        "margin_minor": figures["margin"] if has_margins else None,
        "orders": figures["orders"],
        "unconverted_orders": figures["unconverted"],
        "active_accounts": figures["active"],
        "average_order_value_minor": _share(figures["revenue"], figures["orders"] - figures["unconverted"], 2),
        "retention": share_with_interval(figures["retained"], figures["before"]) | {"days": RETENTION_DAYS},
        "churn_risk": {"value": _share(figures["churning"], figures["estimated"]), "n": figures["estimated"]},
        "value_ahead": _value_ahead(figures),
        "share_of_value_ahead": _share(figures["value"], everyone.value),
        "penetration": [
            {"line": name, "accounts": count, "share": _share(count, size)}
            for name, count in zip(lines, sums.owners.tolist(), strict=True)
        ],
    }


def _value_ahead(figures: dict[str, float]) -> dict[str, Any]:
    # Adding and subtracting accounts may leave rounding errors below zero.
    half = NORMAL_95 * max(figures["variance"], 0.0) ** 0.5
    expected = figures["value"]
    return {
        "expected_minor": round(expected),
        "low_minor": round(max(expected - half, 0.0)),
        "high_minor": round(expected + half),
        "n": figures["valued"],
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
