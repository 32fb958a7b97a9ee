"""When each account bought, day by day: what every figure over a period is summed from."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from models.arrays import concatenate_ranges, numbers_of_ranges, offsets_of
from models.artifact.dimensions import ACCOUNTS, ENTRIES
from models.artifact.sections import Section, Shape


@dataclass(frozen=True)
class Activity(Section):
    """The days on which accounts bought or returned something, one entry per account and day.

    offsets:      the entries of account a are ``[offsets[a]:offsets[a + 1]]``, ascending in day.
    day:          days since 1970 in the manifest's time zone.
    orders:       orders in which something was bought; 0 on a day with returns only.
    unconverted_orders: those of them whose money is not known in the reporting currency, and left out of the sums.
    spend_minor:  returns subtracted.
    margin_minor: of products whose margin is known, returns subtracted.
    """

    offsets: Annotated[NDArray[np.int64], Shape(ACCOUNTS + 1)]
    day: Annotated[NDArray[np.int32], Shape(ENTRIES)]
    orders: Annotated[NDArray[np.int32], Shape(ENTRIES)]
    unconverted_orders: Annotated[NDArray[np.int32], Shape(ENTRIES)]
    spend_minor: Annotated[NDArray[np.int64], Shape(ENTRIES)]
    margin_minor: Annotated[NDArray[np.int64], Shape(ENTRIES)]

    def owner(self) -> NDArray[np.int32]:
        """Int32 (N,): the account row of each day."""
        return numbers_of_ranges(self.offsets, np.int32)

    def select(self, rows: NDArray[np.integer]) -> "Activity":
        """The days of some accounts, in their order. rows: int (n,)."""
        begins, n_days = self.offsets[rows], self.offsets[rows + 1] - self.offsets[rows]
        _, places = concatenate_ranges(begins, n_days)
        return Activity(
            offsets=offsets_of(n_days),
            day=self.day[places],
            orders=self.orders[places],
            unconverted_orders=self.unconverted_orders[places],
            spend_minor=self.spend_minor[places],
            margin_minor=self.margin_minor[places],
        )

    def total(self, values: NDArray[np.integer], where: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Int64 (A,): sums over the days of each account. values: int (N,). where: bool (N,), the days that count."""
        sums = offsets_of(np.where(where, values, 0))
        return sums[self.offsets[1:]] - sums[self.offsets[:-1]]

    def any(self, where: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Bool (A,): which accounts have any of some days. where: bool (N,)."""
        return self.total(where.view(np.int8), where) > 0
