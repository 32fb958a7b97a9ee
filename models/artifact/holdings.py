"""What each account has bought of each line or category, and when."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from models.arrays import concatenate_ranges, numbers_of_ranges, offsets_of
from models.artifact.dimensions import ACCOUNTS, ENTRIES
from models.artifact.sections import Section, Shape


@dataclass(frozen=True)
class Holdings(Section):
    """What accounts bought of groups, one entry per account and group.

    offsets:      the entries of account a are ``[offsets[a]:offsets[a + 1]]``, ascending in group.
    first_day, last_day: of purchases, days since 1970 in the manifest's time zone.
    n_lines:      order lines in which something was bought.
    spend_minor:  of all orders, returns subtracted. recent_minor: the same of the last 365 days.
    """

    offsets: Annotated[NDArray[np.int64], Shape(ACCOUNTS + 1)]
    group: Annotated[NDArray[np.int32], Shape(ENTRIES)]
    first_day: Annotated[NDArray[np.int32], Shape(ENTRIES)]
    last_day: Annotated[NDArray[np.int32], Shape(ENTRIES)]
    n_lines: Annotated[NDArray[np.int32], Shape(ENTRIES)]
    spend_minor: Annotated[NDArray[np.int64], Shape(ENTRIES)]
    recent_minor: Annotated[NDArray[np.int64], Shape(ENTRIES)]

    def entries_of(self, account_row: int) -> slice:
        """Return where an account's entries stand."""
        return slice(int(self.offsets[account_row]), int(self.offsets[account_row + 1]))

    def among(self, rows: NDArray[np.int32]) -> "Holdings":
        """Return those of some accounts, in their order."""
        lengths = self.offsets[rows + 1] - self.offsets[rows]
        _, places = concatenate_ranges(self.offsets[rows], lengths)
        return Holdings(
            offsets=offsets_of(lengths),
            group=self.group[places],
            first_day=self.first_day[places],
            last_day=self.last_day[places],
            n_lines=self.n_lines[places],
            spend_minor=self.spend_minor[places],
            recent_minor=self.recent_minor[places],
        )

    def owner(self) -> NDArray[np.int32]:
        """Int32 (N,): the account row of each entry."""
        return numbers_of_ranges(self.offsets, np.int32)
