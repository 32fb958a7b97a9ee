"""What each account has bought of each line or category, and when."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Holdings:
    """N pairs of account and group that something was bought of; A accounts.

    offsets:      int64 (A + 1,): those of account a are ``[offsets[a]:offsets[a + 1]]``, ascending in group.
    group:        int32 (N,). first_day, last_day: int32 (N,), days since 1970 (UTC), of purchases.
    n_lines:      int32 (N,), order lines in which something was bought.
    spend_minor:  int64 (N,), of all orders, returns subtracted. recent_minor: the same of the last 365 days.
    """

    offsets: NDArray[np.int64]
    group: NDArray[np.int32]
    first_day: NDArray[np.int32]
    last_day: NDArray[np.int32]
    n_lines: NDArray[np.int32]
    spend_minor: NDArray[np.int64]
    recent_minor: NDArray[np.int64]

    @classmethod
    def none(cls, n_accounts: int) -> "Holdings":
        """Nothing was ever bought."""
        whole, money = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
        return cls(np.zeros(n_accounts + 1, dtype=np.int64), whole, whole, whole, whole, money, money)

    def of(self, account_row: int) -> slice:
        """Return where an account's entries stand."""
        return slice(int(self.offsets[account_row]), int(self.offsets[account_row + 1]))

    def among(self, rows: NDArray[np.int32]) -> "Holdings":
        """Return those of some accounts, in their order."""
        sizes = (self.offsets[1:] - self.offsets[:-1])[rows]
        ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        at = np.repeat(self.offsets[rows] - ends[:-1], sizes) + np.arange(int(ends[-1]))
        return Holdings(
            offsets=ends,
            group=self.group[at],
            first_day=self.first_day[at],
            last_day=self.last_day[at],
            n_lines=self.n_lines[at],
            spend_minor=self.spend_minor[at],
            recent_minor=self.recent_minor[at],
        )

    def owner(self) -> NDArray[np.int32]:
        """Int32 (N,): the account row of each entry."""
        return np.repeat(np.arange(len(self.offsets) - 1, dtype=np.int32), np.diff(self.offsets))
