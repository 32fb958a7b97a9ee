"""Families of segments, each account's segments, and the measures of every segment at training."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from models.artifact.customers import NOT_SEGMENTED, RFM_SEGMENTS, TIERS, TRENDS
from models.artifact.dimensions import ACCOUNTS, BYTES, FAMILIES, MONTHS, QUARTERS, SEGMENTS, WEEKS, YEARS
from models.artifact.sections import Section, Shape

INTERVALS = ("week", "month", "quarter", "year")
COUNTS = ("active_accounts", "orders", "revenue_minor", "margin_minor", "retained_accounts", "unconverted_orders")
"""Figures of each interval. Active accounts bought in it; retained ones bought in the interval before, too. Unconverted
orders are those whose money is not known in the reporting currency: they are in orders, and not in the money."""


@dataclass(frozen=True)
class Family:
    """Segments of which an account is in at most one. names: for display; the id is ``family.name-in-kebab``."""

    id: str
    name: str
    names: tuple[str, ...]

    @property
    def segment_ids(self) -> tuple[str, ...]:
        """The public ids of its segments, in the order of their codes."""
        return tuple(f"{self.id}.{slug(name)}" for name in self.names)


def slug(name: str) -> str:
    """Spell a name as in URLs: lower case with hyphens, ``at-risk``."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())


def built_in_families(cluster_names: Sequence[str]) -> tuple[Family, ...]:
    """Every family that training fills, in the order of the columns of ``Segments.codes``."""
    return (
        Family("all", "Everyone", ("accounts",)),
        Family("rfm", "Recency, frequency and money", RFM_SEGMENTS),
        Family("revenue-tier", "Revenue so far", TIERS),
        Family("value-tier", "Value ahead", TIERS),
        Family("trend", "Engagement trend", tuple(trend.title() for trend in TRENDS)),
        Family("strategic", "Declared by people", ("accounts",)),
        Family("cluster", "What they buy", tuple(f"{number}" for number in range(1, len(cluster_names) + 1))),
    )


@dataclass(frozen=True)
class Segments(Section):
    """Accounts in families of segments; segments are numbered family by family.

    codes:   the account's segment within each family, NOT_SEGMENTED where it is in none.
    since:   the day of the snapshot in which the account was first where it is, in days since 1970.
    members: account rows of each family by segment, the most valuable first; those in none come first.
    starts_week, _month, _quarter, _year: the first day of each interval, in days since 1970.
    series_week, _month, _quarter, _year: COUNTS of the accounts that are in the segment now.
    report:  JSON: the families, the measures of each segment, how accounts moved between them since the snapshot
             before, and the snapshots of all earlier trainings; see ``read_segment_report``.
    """

    codes: Annotated[NDArray[np.int16], Shape(ACCOUNTS, FAMILIES, empty=NOT_SEGMENTED)]
    since: Annotated[NDArray[np.int32], Shape(ACCOUNTS, FAMILIES)]
    members: Annotated[NDArray[np.int32], Shape(FAMILIES, ACCOUNTS)]
    starts_week: Annotated[NDArray[np.int32], Shape(WEEKS)]
    starts_month: Annotated[NDArray[np.int32], Shape(MONTHS)]
    starts_quarter: Annotated[NDArray[np.int32], Shape(QUARTERS)]
    starts_year: Annotated[NDArray[np.int32], Shape(YEARS)]
    series_week: Annotated[NDArray[np.int64], Shape(SEGMENTS, WEEKS, len(COUNTS))]
    series_month: Annotated[NDArray[np.int64], Shape(SEGMENTS, MONTHS, len(COUNTS))]
    series_quarter: Annotated[NDArray[np.int64], Shape(SEGMENTS, QUARTERS, len(COUNTS))]
    series_year: Annotated[NDArray[np.int64], Shape(SEGMENTS, YEARS, len(COUNTS))]
    report: Annotated[NDArray[np.uint8], Shape(BYTES)]

    @cached_property
    def _columns(self) -> dict[str, int]:
        families = read_segment_report(self).get("families", ())
        return {family["id"]: column for column, family in enumerate(families)}

    def column_of(self, family_id: str) -> int | None:
        """The column of a family in ``codes`` and ``since``; None where there is no such family."""
        return self._columns.get(family_id)

    def codes_in(self, family_id: str, rows: NDArray[np.integer]) -> NDArray[np.int16]:
        """Int16 (n,): the segments of some accounts within a family; NOT_SEGMENTED where there is no such family."""
        column = self.column_of(family_id)
        if column is None:
            return np.full(len(rows), NOT_SEGMENTED, dtype=np.int16)
        codes: NDArray[np.int16] = self.codes[rows, column]
        return codes

    def starts(self, interval: str) -> NDArray[np.int32]:
        """The first days of an interval's periods."""
        starts: NDArray[np.int32] = getattr(self, f"starts_{interval}")
        return starts

    def series(self, interval: str) -> NDArray[np.int64]:
        """An interval's counts."""
        series: NDArray[np.int64] = getattr(self, f"series_{interval}")
        return series

    def members_of(self, family: int, code: int) -> NDArray[np.int32]:
        """Account rows of one segment, the most valuable first."""
        rows = self.members[family]
        codes = self.codes[:, family]
        begin, end = (_first_at_least(rows, codes, bound) for bound in (code, code + 1))
        members: NDArray[np.int32] = rows[begin:end]
        return members


def _first_at_least(rows: NDArray[np.int32], codes: NDArray[np.int16], bound: int) -> int:
    """Find the first account with a code of at least ``bound``, by binary search: rows are in the order of codes."""
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        if codes[rows[middle]] < bound:
            low = middle + 1
        else:
            high = middle
    return low


def read_segment_report(segments: Segments) -> dict[str, Any]:
    """Decode the report of an artifact's segments; empty where it has none."""
    report: dict[str, Any] = json.loads(segments.report.tobytes() or b"{}")
    return report
