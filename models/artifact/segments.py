"""Families of segments, each account's place in them, and what was measured of every segment at training."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact.customers import NOT_SEGMENTED, RFM_SEGMENTS, TIERS, TRENDS

INTERVALS = ("week", "month", "quarter", "year")
COUNTS = ("active_accounts", "orders", "revenue_minor", "margin_minor", "retained_accounts")
"""What is counted of each interval. Active: bought. Retained: bought in the interval before, too."""


@dataclass(frozen=True)
class Family:
    """Segments of which an account is in one at most. names: what people read; the id is ``family.name-in-kebab``."""

    id: str
    name: str
    names: tuple[str, ...]

    @property
    def segment_ids(self) -> tuple[str, ...]:
        """The public ids of its segments, in the order of their codes."""
        return tuple(f"{self.id}.{slug(name)}" for name in self.names)


def slug(name: str) -> str:
    """Spell a name as it stands in addresses: lower case, hyphens, ``at-risk``."""
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
class Segments:
    """A accounts in F families of S segments in all, numbered family by family.

    codes:   int16 (A, F), the account's segment within each family, NOT_SEGMENTED where it is in none.
    since:   int32 (A, F), the day of the snapshot in which the account was first where it is, in days since 1970.
    members: int32 (F, A), account rows of each family by segment, the most valuable first; those in none come first.
    starts_week, _month, _quarter, _year: int32 (P,), the first day of each interval, in days since 1970.
    series_week, _month, _quarter, _year: int64 (S, P, 5), COUNTS of the accounts that are in the segment now.
    book:    uint8, JSON: the families, what was measured of each segment, how accounts moved between them since the
             snapshot before, and the snapshots of all trainings before.
    """

    codes: NDArray[np.int16]
    since: NDArray[np.int32]
    members: NDArray[np.int32]
    starts_week: NDArray[np.int32]
    starts_month: NDArray[np.int32]
    starts_quarter: NDArray[np.int32]
    starts_year: NDArray[np.int32]
    series_week: NDArray[np.int64]
    series_month: NDArray[np.int64]
    series_quarter: NDArray[np.int64]
    series_year: NDArray[np.int64]
    book: NDArray[np.uint8]

    @classmethod
    def none(cls, n_accounts: int) -> "Segments":
        """No families at all."""
        starts = {f"starts_{interval}": np.empty(0, dtype=np.int32) for interval in INTERVALS}
        series = {f"series_{interval}": np.empty((0, 0, len(COUNTS)), dtype=np.int64) for interval in INTERVALS}
        return cls(
            codes=np.full((n_accounts, 0), NOT_SEGMENTED, dtype=np.int16),
            since=np.empty((n_accounts, 0), dtype=np.int32),
            members=np.empty((0, n_accounts), dtype=np.int32),
            book=np.frombuffer(b"{}", dtype=np.uint8),
            **starts,  # type: ignore[arg-type]
            **series,  # type: ignore[arg-type]
        )

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
    """Find where the accounts with a code of at least ``bound`` begin, by halving: rows are in the order of codes."""
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        if codes[rows[middle]] < bound:
            low = middle + 1
        else:
            high = middle
    return low


def read_segment_report(segments: Segments) -> dict[str, Any]:
    """Read what an artifact says of its segments; empty for one that has none."""
    book: dict[str, Any] = json.loads(segments.book.tobytes())
    return book
