"""When each account bought, day by day: what every figure over a period is summed from."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from models.artifact.dimensions import ACCOUNTS, ENTRIES
from models.artifact.sections import Section, Shape


@dataclass(frozen=True)
class Activity(Section):
    """The days on which accounts bought or returned something, one entry per account and day.

    offsets:      the entries of account a are ``[offsets[a]:offsets[a + 1]]``, ascending in day.
    day:          days since 1970 (UTC).
    orders:       orders in which something was bought; 0 on a day with returns only.
    spend_minor:  returns subtracted.
    margin_minor: of products whose margin is known, returns subtracted.
    """

    offsets: Annotated[NDArray[np.int64], Shape(ACCOUNTS + 1)]
    day: Annotated[NDArray[np.int32], Shape(ENTRIES)]
    orders: Annotated[NDArray[np.int32], Shape(ENTRIES)]
    spend_minor: Annotated[NDArray[np.int64], Shape(ENTRIES)]
    margin_minor: Annotated[NDArray[np.int64], Shape(ENTRIES)]

    def owner(self) -> NDArray[np.int32]:
        """Int32 (N,): the account row of each day."""
        return np.repeat(np.arange(len(self.offsets) - 1, dtype=np.int32), np.diff(self.offsets))

    def select(self, rows: NDArray[np.integer]) -> "Activity":
        """The days of some accounts, in their order. rows: int (n,)."""
        begins, n_days = self.offsets[rows], self.offsets[rows + 1] - self.offsets[rows]
        offsets = np.concatenate([[0], n_days.cumsum()]).astype(np.int64)
        places = np.repeat(begins - offsets[:-1], n_days) + np.arange(offsets[-1])
        columns = (self.day, self.orders, self.spend_minor, self.margin_minor)
        return Activity(offsets, *(column[places] for column in columns))

    def total(self, values: NDArray[np.integer], where: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Int64 (A,): sums over the days of each account. values: int (N,). where: bool (N,), the days that count."""
        until = np.zeros(len(values) + 1, dtype=np.int64)
        np.cumsum(np.where(where, values, 0), out=until[1:])
        return until[self.offsets[1:]] - until[self.offsets[:-1]]

    def any(self, where: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Bool (A,): which accounts have any of some days. where: bool (N,)."""
        return self.total(where.view(np.int8), where) > 0
