"""What a decision rests on: gathered once, from memory, then never changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.offers.shelf import ProductRow, Shelf

NOTHING_EXCLUDED: frozenset[ProductRow] = frozenset()
NOTHING_OWNED = np.empty(0, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Facts:
    """One request, in the artifact's terms. Identifiers that the artifact does not know are left out.

    owned:  product rows, ascending.
    basket: distinct product rows, ascending, so that the order of a basket does not change the answer.
    """

    shelf: Shelf
    account_row: int | None
    owned: NDArray[np.int32]
    basket: tuple[ProductRow, ...]
    excluded: frozenset[ProductRow]
    limit: int

    def owns(self, product: ProductRow) -> bool:
        """Tell whether the account owns the product, by binary search."""
        # Of its own type: for a plain integer NumPy would first copy the whole array to a wider one.
        place = self.owned.searchsorted(np.int32(product))
        return bool(place < len(self.owned) and self.owned[place] == product)


def gather(
    shelf: Shelf,
    limit: int,
    account_id: str | None = None,
    basket: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> Facts:
    """Look up everything that the request names."""
    content = shelf.content
    account_row = content.account_ids.row_of(account_id) if account_id is not None else None
    return Facts(
        shelf=shelf,
        account_row=account_row,
        owned=content.owned_by(account_row) if account_row is not None else NOTHING_OWNED,
        basket=tuple(sorted(known_rows(shelf, basket))) if basket else (),
        excluded=frozenset(known_rows(shelf, exclude)) if exclude else NOTHING_EXCLUDED,
        limit=limit,
    )


def known_rows(shelf: Shelf, product_ids: Iterable[str]) -> set[ProductRow]:
    """Return the rows of the products that the artifact knows."""
    row_of = shelf.content.products.ids.row_of
    return {ProductRow(row) for row in map(row_of, set(product_ids)) if row is not None}
