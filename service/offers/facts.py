"""What a decision rests on: gathered once, from memory, then never changed."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.readmodel.ownership import NO_PRODUCTS, Ownership
from service.readmodel.product_index import ProductIndex, ProductRow

NOTHING_EXCLUDED: frozenset[ProductRow] = frozenset()


class OfferRequest(NamedTuple):
    """One request for offers."""

    account_id: str | None
    limit: int
    basket: Sequence[str] = ()
    exclude: Sequence[str] = ()
    is_dry_run: bool = False
    placement: str | None = None


class Facts(NamedTuple):
    """One request, in the artifact's terms. Identifiers that the artifact does not know are left out.

    account_row:      the artifact's row of the account, if it knows it.
    is_account_known: whether the artifact or the live state knows the account.
    is_objecting:     whether the account objects to marketing.
    owned:            product rows, ascending.
    recent:           what an account that the artifact knows nothing of bought last, newest first.
    basket:           distinct product rows, ascending, so that the order of a basket does not change the answer.
    is_up_sell_first: whether every upgrade that may be offered comes before everything else.
    """

    shelf: ProductIndex
    account_row: int | None
    is_account_known: bool
    is_objecting: bool
    owned: NDArray[np.int32]
    recent: NDArray[np.int32]
    basket: tuple[ProductRow, ...]
    excluded: frozenset[ProductRow]
    limit: int
    is_up_sell_first: bool = True

    def has_any(self, products: Iterable[int]) -> bool:
        """Tell whether any of some products is owned or in the basket."""
        return any(product in self.basket or self.owns(product) for product in products)

    def owns(self, product: int) -> bool:
        """Tell whether the account owns the product, by binary search."""
        # Over the bare memory: asked for a single number, NumPy takes three times as long.
        owned = self.owned.data
        place = bisect_left(owned, product)
        return place < len(owned) and bool(owned[place] == product)


def gather(shelf: ProductIndex, state: LiveState, asked: OfferRequest, *, is_up_sell_first: bool = True) -> Facts:
    """Look up everything that the request names. What happened since the artifact stands in place of what it says."""
    account_id = asked.account_id
    account_row = live = None
    owned = recent = NO_PRODUCTS
    if account_id is not None:
        account_row = shelf.content.account_ids.row_of(account_id)
        live = state.part(Ownership).by_account.get(account_id)
        if live is not None:
            owned, recent = live.owned, live.recent
        elif account_row is not None:
            owned = shelf.content.owned_by(account_row)
    return Facts(
        shelf=shelf,
        account_row=account_row,
        is_account_known=account_row is not None or live is not None,
        is_objecting=account_id in state.part(Objections).accounts,
        owned=owned,
        recent=recent,
        basket=tuple(sorted(known_rows(shelf, asked.basket))) if asked.basket else (),
        excluded=frozenset(known_rows(shelf, asked.exclude)) if asked.exclude else NOTHING_EXCLUDED,
        limit=asked.limit,
        is_up_sell_first=is_up_sell_first,
    )


def known_rows(shelf: ProductIndex, product_ids: Iterable[str]) -> set[ProductRow]:
    """Return the rows of the products that the artifact knows."""
    return {row for row in map(shelf.row_of, set(product_ids)) if row is not None}
