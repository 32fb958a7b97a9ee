"""Group products by line or category, and find which accounts own something of each."""

from collections.abc import Iterable

import numpy as np
from scipy.sparse import csr_matrix

from models.arrays import numbers_of_ranges
from models.artifact import Groups, TextColumn
from models.artifact.groups import ACCOUNTS_PER_BATCH, NO_GROUP


def groups_of(names: Iterable[str], owned: csr_matrix) -> Groups:
    """Group products by name; "" is no group.

    names: one per product. owned: (n_accounts, n_products), stored where an account owns a product.
    """
    texts = np.array(list(names), dtype=object)
    distinct = sorted({name for name in texts if name})
    code_of = {name: code for code, name in enumerate(distinct)}
    of_product = np.array([code_of.get(name, NO_GROUP) for name in texts], dtype=np.int32)
    n_accounts = owned.shape[0]
    packed = [
        _pack(owned[begin : begin + ACCOUNTS_PER_BATCH], of_product, len(distinct))
        for begin in range(0, max(n_accounts, 1), ACCOUNTS_PER_BATCH)
    ]
    return Groups(TextColumn.from_texts(distinct), of_product, np.concatenate(packed))


def _pack(
    owned: csr_matrix, of_product: np.ndarray[tuple[int], np.dtype[np.int32]], n: int
) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    flags = np.zeros((owned.shape[0], n), dtype=np.bool_)
    group = of_product[owned.indices]
    account = numbers_of_ranges(owned.indptr)
    flags[account[group >= 0], group[group >= 0]] = True
    return np.packbits(flags, axis=1)
