"""Accessories that nobody buys without their main product."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.artifact.relationships import ACCESSORY
from models.products.pairs import Baskets, buyers_of
from models.products.rows import Rows

NORMAL_95 = 1.96


def needs_main(rows: Rows, baskets: Baskets, min_share: float) -> NDArray[np.bool_]:
    """Tell of each relationship whether it is that of an accessory that is no use without a main product.

    An accessory needs one if, of the customers who bought it, at least ``min_share`` bought one of its main products,
    too: by the lower end of Wilson's 95 % interval, so that few customers prove nothing.
    """
    needed = np.zeros(len(rows), dtype=np.bool_)
    of_accessory = np.flatnonzero(rows.relation == ACCESSORY)
    if not len(of_accessory):
        return needed
    accessories, number = np.unique(rows.target[of_accessory], return_inverse=True)
    bought = buyers_of(baskets).T.tocsr()
    ones = np.ones(len(of_accessory), dtype=np.int64)
    mains = csr_matrix((ones, (number, rows.source[of_accessory])), shape=(len(accessories), bought.shape[0]))
    has_main = (mains @ bought).minimum(1)
    both = np.asarray(has_main.multiply(bought[accessories]).sum(axis=1)).ravel()
    share = lower_bound(both.astype(np.float64), np.diff(bought.indptr)[accessories].astype(np.float64))
    needed[of_accessory] = (share >= min_share)[number]
    return needed


def lower_bound(count: NDArray[np.float64], n: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lower end of Wilson's 95 % interval of shares. n: above 0. Source: Wilson (1927)."""
    p, z2 = count / n, NORMAL_95**2
    half = NORMAL_95 * np.sqrt((p * (1 - p) + z2 / (4 * n)) / n)
    return np.asarray((p + z2 / (2 * n) - half) / (1 + z2 / n))
