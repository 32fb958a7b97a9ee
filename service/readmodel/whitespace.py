"""White space of one artifact: by line and category, who owns it, who may buy it, and for how much."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.artifact import CellTotals, GroupDemand
from models.artifact.whitespace import count_cells
from service.readmodel.errors import UnknownRow
from service.readmodel.segment_catalog import Segment, SegmentCatalog

MAX_RANKED_BYTES: Final = 64 * 1024 * 1024
"""Of the account rows that stay ranked in memory, per dimension."""


class RowKind(StrEnum):
    """What the rows of the map are."""

    LINE = "line"
    CATEGORY = "category"


@dataclass(frozen=True)
class WhitespaceDimension:
    """The rows of the map: lines, or categories.

    cells:    of the artifact's own segments.
    averages: float32 (G,), the average propensity of each row.
    report:   the evaluation report's section on them.
    """

    kind: RowKind
    segments: SegmentCatalog
    demand: GroupDemand
    cells: CellTotals
    averages: NDArray[np.float32]
    report: dict[str, Any]
    _rule_cells: dict[str, tuple[object, CellTotals]] = field(default_factory=dict)
    _ranked: dict[int, NDArray[np.int32]] = field(default_factory=dict)

    @cached_property
    def names(self) -> list[str]:
        """The names of the rows, ascending."""
        return list(self.demand.groups.names)

    @cached_property
    def average_shares(self) -> NDArray[np.float64]:
        """Float64 (G,): each row's share of the order lines of all accounts."""
        holdings = self.demand.holdings
        lines = np.bincount(holdings.group, weights=holdings.n_lines, minlength=len(self.names))
        return np.asarray(lines / max(lines.sum(), 1))

    @property
    def has_propensities(self) -> bool:
        """Tell whether training could estimate how likely accounts are to buy."""
        return self.report.get("method") is not None

    @property
    def level_error(self) -> float:
        """Relative error of total expected spend: the largest that its interval on the held-out period allows."""
        ratio = self.report.get("spend_observed_over_expected") or {}
        ends = [ratio[name] for name in ("low", "high") if ratio.get(name) is not None]
        return max((abs(end - 1) for end in ends), default=0.0)

    def position_of(self, name: str) -> int:
        """Return a row's position; raises UnknownRow."""
        try:
            return self._positions[name]
        except KeyError:
            raise UnknownRow(self.kind, name) from None

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.names)}

    def cells_of(self, segment: Segment) -> CellTotals:
        """Return a segment's cells, one row of them. Those of rules are counted when an account came or went."""
        if segment.members is None:
            return self.cells.take(segment.row, segment.row + 1)
        counted_for = segment.members
        known = self._rule_cells.get(segment.id)
        if known is None or known[0] is not counted_for:
            members = self.segments.members(segment)
            cells = count_cells(self.demand.among(members), np.zeros(len(members), dtype=np.int16), 1)
            known = self._rule_cells[segment.id] = (counted_for, cells)
        return known[1]

    def accounts_without(self, position: int) -> NDArray[np.int32]:
        """Return the rows of all accounts that owned nothing of a row at training, the most expected spend first."""
        ranked = self._ranked.get(position)
        if ranked is None:
            ranked = self._ranked[position] = self._rank(position)
            self._drop_ranked()
        return ranked

    def _drop_ranked(self) -> None:
        """Forget the oldest rankings until the others fit."""
        kept = list(self._ranked.items())
        n_bytes = sum(ranked.nbytes for _, ranked in kept)
        for position, ranked in kept:
            if n_bytes > MAX_RANKED_BYTES:
                self._ranked.pop(position, None)
                n_bytes -= ranked.nbytes

    def _rank(self, position: int) -> NDArray[np.int32]:
        likely = self.demand.likely[:, position].astype(np.float32)
        rows = np.flatnonzero(~np.isnan(likely))
        return rows[np.argsort(-likely[rows] * self.demand.factors[rows], kind="stable")].astype(np.int32)

    def newcomer_spend(self, position: int) -> float:
        """Return what an account that buys of a row for the first time spends on it within the horizon, minor units."""
        return float(self.demand.newcomer_spend[0, position])


class WhitespaceIndex:
    """White space of one artifact, by line and by category."""

    def __init__(self, segments: SegmentCatalog) -> None:
        content, report = segments.content, segments.report.get("propensity", {})
        self.segments = segments
        self.horizon_days = float(report.get("horizon_days") or 0)
        period = segments.as_of_day, self.horizon_days
        propensities = content.propensities
        self._dimensions = {
            RowKind.LINE: WhitespaceDimension(
                RowKind.LINE, segments, content.line_demand(*period), content.line_cells, propensities.line_averages,
                report.get("line", {}),
            ),
            RowKind.CATEGORY: WhitespaceDimension(
                RowKind.CATEGORY, segments, content.category_demand(*period), content.category_cells,
                propensities.category_averages, report.get("category", {}),
            ),
        }  # fmt: skip

    @property
    def currency(self) -> str | None:
        """The currency of all money; None where neither history nor catalogue names one."""
        return self.segments.currency

    def __getitem__(self, kind: RowKind) -> WhitespaceDimension:
        return self._dimensions[kind]

    def __iter__(self) -> Iterator[WhitespaceDimension]:
        return iter(self._dimensions.values())
