"""What decisions rest on: gathered once, from memory, then never changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW, Content
from service.offers.request import OfferRequest
from service.readmodel.live_state import NO_PRODUCTS, LiveState
from service.readmodel.product_index import ProductIndex
from service.readmodel.relationships import RelationshipIndex

MAX_INT32: Final = 2**31 - 1


class AccountProducts:
    """Products of n accounts, such as those that each owns, as pairs in ascending order.

    account: int64 (N,), the place of an account among those that are decided for. product: int32 (N,), a product row.
    keys:    int (N,), one number for each pair, ascending; see ``Facts.keys``.
    """

    __slots__ = ("account", "keys", "product")

    def __init__(self, account: NDArray[np.int64], product: NDArray[np.int32], keys: NDArray[Any]) -> None:
        self.account = account
        self.product = product
        self.keys = keys

    @classmethod
    def of(cls, products: Sequence[NDArray[np.int32]], n_products: int) -> "AccountProducts":
        """Lay out the products of each account, which are ascending."""
        if len(products) == 1:
            return cls(np.zeros(len(products[0]), dtype=np.int64), products[0], products[0])
        lengths = np.fromiter(map(len, products), dtype=np.int64, count=len(products))
        account = np.arange(len(products)).repeat(lengths)
        product = np.concatenate(products) if products else NO_PRODUCTS
        return cls(account, product, account * n_products + product)

    def has(self, keys: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which of some pairs are among these. keys: int (m,)."""
        if not len(self.keys):
            return np.zeros(len(keys), dtype=np.bool_)
        return np.asarray(self.keys.take(self.keys.searchsorted(keys), mode="clip") == keys)

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of n accounts and of what is asked for them, in the artifact's rows. Unknown identifiers are gone.

    products, relationships: the catalogue as it was when the facts were gathered: immutable.
    account_rows:     int64 (n,), the artifact's row of each account; NO_ROW for one that it does not know.
    is_known:         whether the artifact or the live state knows each account.
    is_objecting:     bool (n,), whether each account objects to marketing.
    owned:            the products that each account owns.
    recent:           what accounts that the artifact has no candidates for bought last.
    had:              what each account owns or has in the basket.
    basket, excluded: int32, distinct product rows, ascending: the same for all accounts.
    is_up_sell_first: whether every upgrade that may be offered comes before everything else.
    """

    content: Content
    products: ProductIndex
    relationships: RelationshipIndex
    account_rows: NDArray[np.int64]
    is_known: Sequence[bool]
    is_objecting: NDArray[np.bool_]
    owned: AccountProducts
    recent: AccountProducts
    had: AccountProducts
    basket: NDArray[np.int32]
    excluded: NDArray[np.int32]
    limit: int
    is_up_sell_first: bool = True

    @property
    def n_accounts(self) -> int:
        """How many accounts are decided for."""
        return len(self.account_rows)

    @property
    def n_products(self) -> int:
        """How many products the artifact has."""
        return len(self.products.is_active)

    def keys(self, accounts: NDArray[np.int64], products: NDArray[np.int32]) -> NDArray[Any]:
        """Return one number for each pair of an account's place and a product row."""
        return products if self.n_accounts == 1 else accounts * self.n_products + products

    def only(self, accounts: NDArray[np.int64]) -> "Facts":
        """Return the facts of some of the accounts. accounts: int64, ascending places."""
        number = np.full(self.n_accounts, NO_ROW, dtype=np.int64)
        number[accounts] = np.arange(len(accounts))

        def kept(pairs: AccountProducts) -> AccountProducts:
            is_kept = number[pairs.account] != NO_ROW
            account, product = number[pairs.account[is_kept]], pairs.product[is_kept]
            return AccountProducts(account, product, account * self.n_products + product)

        return replace(
            self,
            account_rows=self.account_rows[accounts],
            is_known=[self.is_known[place] for place in accounts.tolist()],
            is_objecting=self.is_objecting[accounts],
            owned=kept(self.owned),
            recent=kept(self.recent),
            had=kept(self.had),
        )


def gather(state: LiveState, request: OfferRequest, *, is_up_sell_first: bool = True) -> Facts:
    """Look up everything that a request for one account, or for none, names."""
    return gather_many(state, [request.account_id], request, is_up_sell_first=is_up_sell_first)


def gather_many(
    state: LiveState, account_ids: Sequence[str | None], request: OfferRequest, *, is_up_sell_first: bool = True
) -> Facts:
    """Look up everything that a request names, for each of some accounts in place of the request's own.

    What happened since the artifact stands in place of what the artifact says.
    """
    content, products = state.content, state.products
    row_of, live_accounts, objecting = content.account_ids.row_of, state.accounts, state.objecting
    rows: list[int] = []
    is_known: list[bool] = []
    owned: list[NDArray[np.int32]] = []
    recent: list[NDArray[np.int32]] = []
    for account_id in account_ids:
        row = None if account_id is None else row_of(account_id)
        live = None if account_id is None else live_accounts.get(account_id)
        rows.append(NO_ROW if row is None else row)
        is_known.append(row is not None or live is not None)
        recent.append(NO_PRODUCTS if live is None else live.recent)
        if live is not None:
            owned.append(live.owned)
        else:
            owned.append(NO_PRODUCTS if row is None else content.owned_by(row))
    n_products = len(products.is_active)
    basket = known_rows(products, request.basket)
    owned_products = AccountProducts.of(owned, n_products)
    return Facts(
        content=content,
        products=products,
        relationships=state.relationships,
        account_rows=np.array(rows, dtype=np.int64),
        is_known=is_known,
        is_objecting=np.array([account_id in objecting for account_id in account_ids], dtype=np.bool_),
        owned=owned_products,
        recent=AccountProducts.of([np.sort(some) for some in recent], n_products),
        had=AccountProducts.of([np.union1d(some, basket) for some in owned], n_products)
        if len(basket)
        else owned_products,
        basket=basket,
        excluded=known_rows(products, request.exclude),
        limit=request.limit,
        is_up_sell_first=is_up_sell_first,
    )


def known_rows(products: ProductIndex, product_ids: Iterable[str]) -> NDArray[np.int32]:
    """Return the distinct rows of those products that the artifact knows, ascending."""
    if not product_ids:
        return NO_PRODUCTS
    rows = {row for row in map(products.row_of, product_ids) if row is not None}
    return np.array(sorted(rows), dtype=np.int32)
