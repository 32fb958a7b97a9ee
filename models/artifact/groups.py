"""Products in groups, their lines or their categories, and which accounts own something of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from models.artifact.dimensions import ACCOUNTS, GROUPS, PRODUCTS, TEXTS
from models.artifact.ids import TextColumn
from models.artifact.sections import Along, Section, Shape

ACCOUNTS_PER_BATCH = 65_536
NO_GROUP = -1
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.int64)
"""Int64 (256, 8): the bits of each byte, as packbits lays them out."""


@dataclass(frozen=True)
class Groups(Section):
    """Groups of products, and what accounts own of them.

    names:      ascending.
    of_product: each product's group, NO_GROUP where it has none.
    owned:      one bit per group (numpy.packbits): whether the account owns any of it.
    """

    names: Annotated[TextColumn, Along({TEXTS: GROUPS})]
    of_product: Annotated[NDArray[np.int32], Shape(PRODUCTS, empty=NO_GROUP)]
    owned: Annotated[NDArray[np.uint8], Shape(ACCOUNTS, GROUPS.packed)]

    def __len__(self) -> int:
        return len(self.names)

    def is_owned(self, accounts: slice | NDArray[np.integer]) -> NDArray[np.bool_]:
        """Bool (n, G): the groups of which accounts own something."""
        return np.unpackbits(self.owned[accounts], axis=1, count=len(self)).view(np.bool_)

    def batches(self) -> Iterator[tuple[slice, NDArray[np.bool_]]]:
        """Yield slices of all accounts, with ``is_owned`` of each."""
        for begin in range(0, len(self.owned), ACCOUNTS_PER_BATCH):
            accounts = slice(begin, min(begin + ACCOUNTS_PER_BATCH, len(self.owned)))
            yield accounts, self.is_owned(accounts)

    def count_owners(self, codes: NDArray[np.int16], n_segments: int) -> NDArray[np.int64]:
        """Count, for each segment and group, the segment's accounts that own something of the group.

        codes: int16 (A,), each account's segment, below n_segments; negative for one that is in none.
        Returns int64 (n_segments, G).
        """
        counts = np.zeros((n_segments, 8 * self.owned.shape[1]), dtype=np.int64)
        is_in = codes >= 0
        segment = codes[is_in].astype(np.int64) * 256
        # Accounts are counted by whole bytes: much less work than looking at each bit of each account.
        for byte in range(self.owned.shape[1]):
            by_byte = np.bincount(segment + self.owned[is_in, byte], minlength=n_segments * 256)
            counts[:, 8 * byte : 8 * byte + 8] = by_byte.reshape(n_segments, 256) @ _BITS
        return counts[:, : len(self)]
