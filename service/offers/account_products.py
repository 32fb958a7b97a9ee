"""Pairs of accounts and products, such as what each account owns, as parallel arrays."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.readmodel.ownership import NO_PRODUCTS


class AccountProducts(NamedTuple):
    """Products of n accounts, such as those that each owns: pairs in ascending order.

    account: int64 (N,), the place of an account among those that are decided for. product: int32 (N,), a product row.
    keys:    int (N,), one number for each pair, ascending; see ``Facts.keys``.
    """

    account: NDArray[np.int64]
    product: NDArray[np.int32]
    keys: NDArray[Any]

    @classmethod
    def from_rows(cls, products: Sequence[NDArray[np.int32]], n_products: int) -> "AccountProducts":
        """Lay out the products of each account, which are ascending."""
        if len(products) == 1:
            return cls(np.zeros(len(products[0]), dtype=np.int64), products[0], products[0])
        if not any(map(len, products)):
            return NO_PAIRS
        account = np.arange(len(products)).repeat([len(rows) for rows in products])
        product = np.concatenate(products)
        return cls(account, product, account * n_products + product)

    @property
    def is_empty(self) -> bool:
        """Tell whether no account has any product."""
        return not len(self.keys)

    def select(self, is_kept: NDArray[np.bool_]) -> "AccountProducts":
        """Return some of the pairs. is_kept: bool (N,)."""
        return AccountProducts(self.account[is_kept], self.product[is_kept], self.keys[is_kept])

    def has(self, keys: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which of some pairs are among these, which must not be empty. keys: int (m,)."""
        return np.asarray(self.keys.take(self.keys.searchsorted(keys), mode="clip") == keys)


NO_PAIRS: Final = AccountProducts(np.empty(0, dtype=np.int64), NO_PRODUCTS, np.empty(0, dtype=np.int64))


def join(first: AccountProducts, second: AccountProducts) -> AccountProducts:
    """Return the pairs of both; one that is in both comes twice."""
    keys = np.concatenate((first.keys, second.keys))
    order = keys.argsort()
    account = np.concatenate((first.account, second.account))[order]
    return AccountProducts(account, np.concatenate((first.product, second.product))[order], keys[order])
