"""When each account bought, day by day: what every figure over a period is summed from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Activity:
    """N days on which accounts bought or gave back, by account row and day; A accounts.

    offsets:      int64 (A + 1,): those of account a are ``[offsets[a]:offsets[a + 1]]``, ascending in day.
    day:          int32 (N,), days since 1970 (UTC).
    orders:       int32 (N,), orders in which something was bought; 0 on a day of mere returns.
    spend_minor:  int64 (N,), returns subtracted.
    margin_minor: int64 (N,), of products whose margin is known, returns subtracted.
    """

    offsets: NDArray[np.int64]
    day: NDArray[np.int32]
    orders: NDArray[np.int32]
    spend_minor: NDArray[np.int64]
    margin_minor: NDArray[np.int64]

    @classmethod
    def none(cls, n_accounts: int) -> "Activity":
        """Accounts that never bought."""
        days, money = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
        return cls(np.zeros(n_accounts + 1, dtype=np.int64), days, days, money, money)

    def owner(self) -> NDArray[np.int32]:
        """Int32 (N,): the account row of each day."""
        return np.repeat(np.arange(len(self.offsets) - 1, dtype=np.int32), np.diff(self.offsets))
