"""The accounts that have each product among their candidates: the lists, inverted."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.arrays import offsets_of
from models.artifact import NO_ROW

Targets = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint8]]


def index_targets(products: NDArray[np.int32], candidates: NDArray[np.float32], n_products: int) -> Targets:
    """Return starts, accounts and places of ``Propensities``: by product, the most likely first, ties by account.

    products, candidates: (A, C). A hundred million pairs are distributed to their products in one pass, and sorted
    product by product: sorting them all at once takes several times as long, and as much memory.
    """
    is_pair = products != NO_ROW
    place = np.broadcast_to(np.arange(products.shape[1], dtype=np.uint8), products.shape)[is_pair]
    offsets = offsets_of(is_pair.sum(axis=1))
    shape = (len(products), n_products)
    by_product = csr_matrix((place, products[is_pair], offsets), shape=shape).tocsc()
    starts, accounts, places = by_product.indptr, by_product.indices, by_product.data
    for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        order = np.argsort(-candidates[accounts[begin:end], places[begin:end]], kind="stable")
        accounts[begin:end], places[begin:end] = accounts[begin:end][order], places[begin:end][order]
    return starts.astype(np.int64), accounts.astype(np.int32), places
