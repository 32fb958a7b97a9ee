"""The accounts of an artifact without those that were erased since: the artifact's files still name them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import IdIndex

_BUCKET_BITS = 12
_NO_ROWS: frozenset[int] = frozenset()


def bucket_of(hashed: int) -> int:
    """Return the first bits of an identifier's 64-bit hash, by which an artifact's identifiers are sorted."""
    return hashed >> (64 - _BUCKET_BITS)


@dataclass(eq=False, slots=True)
class HiddenRows:
    """Rows that nobody may see. It has one writer and many readers, and replaces its values whole."""

    rows: frozenset[int] = _NO_ROWS
    mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class VisibleAccounts(IdIndex):
    """An index in which hidden rows have no identifier. Lists of rows drop them by ``visible``."""

    hidden: HiddenRows

    def row_of(self, identifier: str) -> int | None:
        """See ``IdIndex.row_of``."""
        row = IdIndex.row_of(self, identifier)
        return None if row in self.hidden.rows else row

    def is_hidden(self, row: int) -> bool:
        """Tell whether a row is of an erased account."""
        return row in self.hidden.rows

    def are_hidden(self, rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Return bool (n,): which of some rows are of erased accounts."""
        mask = self.hidden.mask
        return np.zeros(len(rows), dtype=np.bool_) if mask is None else mask[rows]

    def visible(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return those of some rows that are not hidden, in their order."""
        mask = self.hidden.mask
        return rows if mask is None else rows[~mask[rows]]

    def hide(self, rows: Iterable[int]) -> None:
        """Hide rows for as long as the artifact is in memory."""
        mask = np.zeros(len(self), dtype=np.bool_) if self.hidden.mask is None else self.hidden.mask.copy()
        hidden = self.hidden.rows.union(rows)
        mask[list(hidden)] = True
        self.hidden.mask, self.hidden.rows = mask, hidden

    def rows_in_bucket(self, bucket: int) -> range:
        """Return the rows whose hashes begin with some bits, hidden ones too."""
        shift = 64 - _BUCKET_BITS
        begin, last = np.uint64(bucket << shift), np.uint64(((bucket + 1) << shift) - 1)
        return range(int(self.hashes.searchsorted(begin)), int(self.hashes.searchsorted(last, side="right")))


def visible_accounts(accounts: IdIndex) -> VisibleAccounts:
    """Return an index whose rows can be hidden, over the same arrays; one that is such an index already, as it is."""
    if isinstance(accounts, VisibleAccounts):
        return accounts
    return VisibleAccounts(accounts.texts, accounts.hashes, HiddenRows())
