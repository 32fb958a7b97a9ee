"""What an artifact says of lines and categories: who owns what, who may buy what, and for how much."""

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

MAX_RANKED: Final = 64
"""Rows of the map whose accounts stay ranked in memory."""


class RowKind(StrEnum):
    """What the rows of the map are."""

    LINE = "line"
    CATEGORY = "category"


@dataclass(frozen=True)
class WhitespaceDimension:
    """Lines, or categories, of one artifact. told: the report's section on them."""

    kind: RowKind
    book: SegmentCatalog
    room: GroupDemand
    counted: CellTotals
    averages: NDArray[np.float32]
    told: dict[str, Any]
    _of_rules: dict[str, tuple[object, CellTotals]] = field(default_factory=dict)
    _ranked: dict[int, NDArray[np.int32]] = field(default_factory=dict)

    @cached_property
    def names(self) -> list[str]:
        """Of the rows, ascending."""
        return list(self.room.groups.names)

    @cached_property
    def average_shares(self) -> NDArray[np.float64]:
        """Float64 (G,): each row's share of the order lines of all accounts."""
        holdings = self.room.holdings
        lines = np.bincount(holdings.group, weights=holdings.n_lines, minlength=len(self.names))
        return np.asarray(lines / max(lines.sum(), 1))

    @property
    def is_foretold(self) -> bool:
        """Tell whether training could tell how likely accounts are to buy."""
        return self.told.get("method") is not None

    @property
    def level_error(self) -> float:
        """How far off expected spend may be in all, as a share: as far as it was in the held-out period."""
        of = self.told.get("spend_observed_over_expected") or {}
        ends = [of[name] for name in ("low", "high") if of.get(name) is not None]
        return max((abs(end - 1) for end in ends), default=0.0)

    def place_of(self, name: str) -> int:
        """Return a row's position; raises UnknownRow."""
        try:
            return self._places[name]
        except KeyError:
            raise UnknownRow(self.kind, name) from None

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    def cells(self, segment: Segment) -> CellTotals:
        """Return a segment's cells, one row of them. Those of rules are counted when somebody came or went."""
        if segment.members is None:
            return self.counted.take(segment.row, segment.row + 1)
        stamp = segment.members
        known = self._of_rules.get(segment.id)
        if known is None or known[0] is not stamp:
            members = self.book.members(segment)
            cells = count_cells(self.room.among(members), np.zeros(len(members), dtype=np.int16), 1)
            known = self._of_rules[segment.id] = (stamp, cells)
        return known[1]

    def without(self, place: int) -> NDArray[np.int32]:
        """Return the rows of all accounts that owned nothing of a row at training, the most expected first."""
        known = self._ranked.get(place)
        if known is None:
            if len(self._ranked) >= MAX_RANKED:
                self._ranked.clear()
            known = self._ranked[place] = self._rank(place)
        return known

    def _rank(self, place: int) -> NDArray[np.int32]:
        likely = self.room.likely[:, place].astype(np.float32)
        rows = np.flatnonzero(~np.isnan(likely))
        return rows[np.argsort(-likely[rows] * self.room.factors[rows], kind="stable")].astype(np.int32)

    def spend(self, place: int) -> float:
        """What who buys of a row for the first time spends on it within the horizon, minor units."""
        return float(self.room.newcomer_spend[0, place])


class WhitespaceIndex:
    """Lines and categories of one artifact."""

    def __init__(self, book: SegmentCatalog) -> None:
        content, told = book.content, book.report.get("propensity", {})
        self.book = book
        self.horizon_days = float(told.get("horizon_days") or 0)
        at = book.as_of_day, self.horizon_days
        propensities = content.propensities
        self._wings = {
            RowKind.LINE: WhitespaceDimension(
                RowKind.LINE, book, content.line_demand(*at), content.line_cells, propensities.line_averages,
                told.get("line", {}),
            ),
            RowKind.CATEGORY: WhitespaceDimension(
                RowKind.CATEGORY, book, content.category_demand(*at), content.category_cells,
                propensities.category_averages, told.get("category", {}),
            ),
        }  # fmt: skip

    @cached_property
    def currency(self) -> str | None:
        """The one currency of all products; None where there are several, or none."""
        found = set(self.book.content.products.currencies) - {""}
        return found.pop() if len(found) == 1 else None

    def __getitem__(self, kind: RowKind) -> WhitespaceDimension:
        return self._wings[kind]

    def __iter__(self) -> Iterator[WhitespaceDimension]:
        return iter(self._wings.values())
