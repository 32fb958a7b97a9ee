"""White space: segments by lines or categories, with owners, and the expected purchases of the other accounts."""

from dataclasses import dataclass, fields, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from models.artifact.dimensions import GROUPS, SEGMENTS
from models.artifact.groups import Groups
from models.artifact.holdings import Holdings
from models.artifact.sections import Section, Shape

ACCOUNTS_PER_BATCH = 16_384


Counts = Annotated[NDArray[np.int64], Shape(SEGMENTS, GROUPS)]
Expectations = Annotated[NDArray[np.float64], Shape(SEGMENTS, GROUPS)]


@dataclass(frozen=True)
class CellTotals(Section):
    """Totals of each cell: a segment and a group.

    owners:         accounts that own something of the group.
    revenue_minor:  what the segment's accounts spent on it in the last 365 days, returns subtracted.
    adopters, adopters_before: accounts that first bought of it within the last horizon, and in the horizon before.
    buyers:         how many of the other accounts are expected to buy of it within the next horizon.
    expected_minor: what these are expected to spend on it. variance: of that amount, by chance.
    """

    owners: Counts
    revenue_minor: Counts
    adopters: Counts
    adopters_before: Counts
    buyers: Expectations
    expected_minor: Expectations
    variance: Expectations

    def take(self, begin: int, end: int) -> "CellTotals":
        """Some of the segments."""
        return CellTotals(*(getattr(self, field.name)[begin:end] for field in fields(self)))


@dataclass(frozen=True)
class GroupDemand:
    """The facts that cells are counted from; A accounts, G groups.

    likely:  float16 (A, G), P(buys of it within the horizon), NaN where the account owns some.
    spend:   float32 (G, 2), mean and standard deviation of the spend of an account that buys of it for the first time.
    factors: float32 (A,), each account's multiple of that spend.
    is_sold: bool (G,), whether any product of the group is still sold; otherwise no purchases are expected.
    """

    groups: Groups
    holdings: Holdings
    likely: NDArray[np.float16]
    spend: NDArray[np.float32]
    factors: NDArray[np.float32]
    is_sold: NDArray[np.bool_]
    as_of_day: int
    horizon_days: float

    def among(self, rows: NDArray[np.int32]) -> "GroupDemand":
        """The same for some accounts alone. rows: int32 (n,)."""
        return replace(
            self,
            groups=replace(self.groups, owned=self.groups.owned[rows]),
            holdings=self.holdings.among(rows),
            likely=self.likely[rows],
            factors=self.factors[rows],
        )

    @property
    def newcomer_spend(self) -> NDArray[np.float64]:
        """Float64 (2, G): mean and standard deviation of a newcomer's spend on a group; 0 where nothing is sold."""
        return np.where(self.is_sold, np.nan_to_num(self.spend.T).astype(np.float64), 0.0)


def count_cells(demand: GroupDemand, codes: NDArray[np.int16], n_segments: int) -> CellTotals:
    """Count the cells of segments that share no account.

    codes: int16 (A,), each account's segment, below n_segments; negative for one that is in none.
    """
    n_groups = len(demand.groups)
    cells = CellTotals.empty({SEGMENTS: n_segments, GROUPS: n_groups})
    if not n_groups:
        return cells
    cells.owners[:] = demand.groups.count_owners(codes, n_segments)
    _count_purchases(demand, codes, cells)
    mean, spread = demand.newcomer_spend
    for begin in range(0, len(codes), ACCOUNTS_PER_BATCH):
        batch = slice(begin, begin + ACCOUNTS_PER_BATCH)
        likely = np.nan_to_num(demand.likely[batch].astype(np.float32)) * demand.is_sold
        expected = likely * mean.astype(np.float32) * demand.factors[batch, None]
        square = likely * (mean**2 + spread**2).astype(np.float32) * demand.factors[batch, None] ** 2
        for segment in range(n_segments):
            is_in = codes[batch] == segment
            cells.buyers[segment] += likely[is_in].sum(axis=0, dtype=np.float64)
            cells.expected_minor[segment] += expected[is_in].sum(axis=0, dtype=np.float64)
            variance = square[is_in] - expected[is_in] ** 2
            cells.variance[segment] += variance.sum(axis=0, dtype=np.float64)
    return cells


def _count_purchases(demand: GroupDemand, codes: NDArray[np.int16], cells: CellTotals) -> None:
    holdings, shape = demand.holdings, cells.owners.shape
    code = codes[holdings.owner()].astype(np.int64)
    age = demand.as_of_day - holdings.first_day
    key, is_in = code * shape[1] + holdings.group, code >= 0
    sums = np.bincount(key[is_in], weights=holdings.recent_minor[is_in].astype(np.float64), minlength=cells.owners.size)
    cells.revenue_minor[:] = sums.round().astype(np.int64).reshape(shape)
    has_bought = is_in & (holdings.n_lines > 0)
    for column, low, high in ((cells.adopters, 0, 1), (cells.adopters_before, 1, 2)):
        which = has_bought & (age > low * demand.horizon_days) & (age <= high * demand.horizon_days)
        column[:] = np.bincount(key[which], minlength=cells.owners.size).reshape(shape)
