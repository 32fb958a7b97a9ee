"""The artifact's accounts by value, and the members of segments of rules as ranks in that order."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import Content
from models.artifact.measures import Measured, Sums, sum_segments
from models.artifact.segments import INTERVALS
from models.artifact.series import Calendar

Series = Mapping[str, NDArray[np.int64]]
"""By interval, int64 (P, len(COUNTS)): what was counted period by period; see ``models.artifact.segments``."""


@dataclass(frozen=True)
class Definition:
    """A segment that users defined."""

    id: str
    name: str
    description: str | None
    rule: Any
    updated_at: datetime | None = None


@dataclass(frozen=True)
class SegmentMembers:
    """Who is in one segment, and their sums. Replaced whole whenever an account comes or goes.

    ranks:     int32 (n,), ascending: the ranks of its accounts.
    newcomers: accounts that the artifact does not know.
    """

    definition: Definition
    ranks: NDArray[np.int32]
    sums: Sums
    series: Series = field(default_factory=dict)
    newcomers: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """How many accounts it has."""
        return len(self.ranks) + len(self.newcomers)


class RankedAccounts:
    """The accounts of an artifact, the most valuable first. A row is a position in the artifact, a rank one in here."""

    def __init__(self, content: Content, as_of_day: int) -> None:
        self._content = content
        self._facts = Measured(content.customers, content.activity, content.lines, as_of_day, content.has_margins)

    @property
    def has_margins(self) -> bool:
        """Tell whether the margin of any product is known."""
        return self._facts.has_margins

    @cached_property
    def rows(self) -> NDArray[np.int32]:
        """Int32 (A,): the row at each rank."""
        members = self._content.segments.members
        rows: NDArray[np.int32] = members[0] if len(members) else np.arange(len(self), dtype=np.int32)
        return rows

    @cached_property
    def ranks(self) -> NDArray[np.int32]:
        """Int32 (A,): the rank of each row."""
        ranks = np.empty(len(self), dtype=np.int32)
        ranks[self.rows] = np.arange(len(self), dtype=np.int32)
        return ranks

    def __len__(self) -> int:
        return len(self._content.account_ids)

    def has(self, members: SegmentMembers, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which of some rows are in a segment."""
        if not len(members.ranks):
            return np.zeros(len(rows), dtype=np.bool_)
        ranks = self.ranks[rows]
        places = np.minimum(members.ranks.searchsorted(ranks), len(members.ranks) - 1)
        return np.asarray(members.ranks[places] == ranks)

    def measure(self, definition: Definition, rows: NDArray[np.int64], newcomers: frozenset[str]) -> SegmentMembers:
        """Return a segment of some accounts, without its series."""
        ranks = np.sort(self.ranks[rows]) if len(rows) else np.empty(0, dtype=np.int32)
        return SegmentMembers(definition, ranks, self._sum(self._facts.select(rows)), newcomers=newcomers)

    def with_series(self, members: SegmentMembers) -> SegmentMembers:
        """Count a segment's accounts period by period, too."""
        return replace(members, series=self._count(self._facts.select(self.rows[members.ranks])))

    def change(self, members: SegmentMembers, came: NDArray[np.int64], went: NDArray[np.int64]) -> SegmentMembers:
        """Add and remove accounts incrementally, at a cost that depends on their number (and a copy of the ranks).

        Sums of money ahead are floating-point: adding and subtracting may change their sixteenth digit.
        """
        ranks, sums, series = members.ranks, members.sums, members.series
        for rows, sign in ((came, 1), (went, -1)):
            if len(rows):
                facts, changed = self._facts.select(rows), np.sort(self.ranks[rows])
                places = ranks.searchsorted(changed)
                ranks = np.insert(ranks, places, changed) if sign > 0 else np.delete(ranks, places)
                sums, counted = sums.plus(self._sum(facts), sign), self._count(facts)
                series = {interval: series[interval] + sign * counted[interval] for interval in series}
        return replace(members, ranks=ranks, sums=sums, series=series)

    def _sum(self, facts: Measured) -> Sums:
        (sums,) = sum_segments(facts, np.zeros(len(facts.customers), dtype=np.int16), 1)
        return sums

    def _count(self, facts: Measured) -> Series:
        everyone = np.zeros(len(facts.customers), dtype=np.int16)
        starts = {interval: self._content.segments.starts(interval) for interval in INTERVALS}
        counted = Calendar(facts.activity, starts).count(everyone, 1)
        return {interval: segments[0] for interval, segments in counted.items()}
