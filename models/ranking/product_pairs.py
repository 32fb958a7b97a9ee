"""Pairs of products that orders hold together, and what the orders say of each pair."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models.arrays import (
    distinct_keys,
    find_sorted,
    first_of_each,
    numbers_of_ranges,
    offsets_of_sorted,
    slices_of_equal_work,
)
from models.data.interactions import Interactions
from models.ranking.settings import PairExponents, RankingParameters
from models.ranking.top import kth_largest, top_products
from models.ranking.weights import decay, scale_rows

POOL: Final = 64
"""Pairs of each source and each way of finding them; the neighbours are the best of these."""
MIN_TOGETHER: Final = 2
"""Orders that hold a pair for which no regression weight speaks: most pairs that are seen once are chance."""
MIN_FIGURE: Final = 1e-3
"""A smaller figure of a pair or product counts as this one, so that it has a logarithm."""
STEPS_PER_CHUNK: Final = 20_000_000


@dataclass(frozen=True)
class ProductPairs:
    """Ordered pairs of a source, which is in the basket, and a target; those of a source together, targets ascending.

    offsets:  int64 (n_products + 1,), where each source's pairs begin.
    target:   int32 (n_pairs,).
    features: float32 (n_pairs, 4), logarithms in the order of ``PairExponents``: the weight of the orders with both
              products, with the source and with the target, and the target's regression weight on the source.
    """

    offsets: NDArray[np.int64]
    target: NDArray[np.int32]
    features: NDArray[np.float32]

    def strengths(self, exponents: PairExponents) -> NDArray[np.float32]:
        """Return float32 (n_pairs,), > 0, the largest 1: the product of the figures' powers, but for a factor."""
        logarithms = self.features @ np.array(exponents.as_tuple(), dtype=np.float32)
        strengths: NDArray[np.float32] = np.exp(np.maximum(logarithms - logarithms.max(initial=-np.inf), -60))
        return strengths


@dataclass(frozen=True)
class _Regression:
    """weights: float32 (m, m), of the target (column) on the source (row). products: int (m,), ascending."""

    products: NDArray[np.intp]
    weights: NDArray[np.float32]


def collect_pairs(train: Interactions, as_of: int, parameters: RankingParameters) -> ProductPairs:
    """Collect pairs from all orders, guests' too, aged at ``as_of`` (local seconds).

    Of each source, the 64 targets that it is bought with most, for their sales, and the 64 with the greatest regression
    weights. An order's weight halves with age and falls with its size.
    """
    orders, ages = _order_matrix(train, as_of)
    fresh, sizes = decay(ages, parameters.basket_half_life_days), np.diff(orders.indptr).astype(np.float32)
    weights = (fresh * sizes**-parameters.basket_pair_discount).astype(np.float32)
    regressed = np.sqrt(fresh * sizes**-parameters.basket_discount).astype(np.float32)
    regression = _regress(scale_rows(orders, regressed), np.bincount(orders.indices, minlength=1), parameters)
    keys, columns = zip(*_pairs_in_chunks(orders, weights, regression), strict=True)
    key = np.concatenate(keys)
    source, target = np.divmod(key, train.n_products)
    figures = np.maximum(np.concatenate(columns), MIN_FIGURE)
    offsets = offsets_of_sorted(source, train.n_products)
    return ProductPairs(offsets, target.astype(np.int32), np.log(figures).astype(np.float32))


def regression_weights(matrix: csr_matrix, regularization: float) -> NDArray[np.float32]:
    """Return float32 (n, n): in column j the ridge regression of column j on all others, 0 on the diagonal.

    All n regressions come from one inverse P of ``matrix' matrix + regularization * I``: ``-P_ij / P_jj``
    (EASE: Steck, WWW 2019).
    """
    gram = (matrix.T @ matrix).toarray().astype(np.float32)
    gram[np.diag_indices_from(gram)] += regularization
    with threadpool_limits(1):
        factor, failed = lapack.spotrf(gram, lower=1, overwrite_a=1)
        half, failed_too = lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed or failed_too:
        raise np.linalg.LinAlgError("the orders' Gram matrix is not positive definite")
    inverse = np.tril(half) + np.tril(half, -1).T
    weights: NDArray[np.float32] = -inverse / np.diag(inverse)
    weights[np.diag_indices_from(weights)] = 0
    return weights


def _order_matrix(train: Interactions, as_of: int) -> tuple[csr_matrix, NDArray[np.int64]]:
    """Return 0/1 float32 (n_orders, n_products) of orders with something bought, and their ages in seconds."""
    bought = np.flatnonzero(train.quantity > 0)
    lines = bought[first_of_each(train.order[bought], train.product[bought])]
    _, first, order = np.unique(train.order[lines], return_index=True, return_inverse=True)
    shape = (len(first), train.n_products)
    matrix = csr_matrix((np.ones(len(lines), dtype=np.float32), (order, train.product[lines])), shape=shape)
    matrix.sort_indices()
    return matrix, as_of - train.time[lines[first]]


def _regress(orders: csr_matrix, n_orders: NDArray[np.int64], parameters: RankingParameters) -> _Regression:
    """Regress all products on each other, or where those are too many, the most frequent. n_orders: of each product."""
    products = np.flatnonzero(n_orders)
    if len(products) > parameters.dense_products:
        products = np.sort(np.argsort(-n_orders, kind="stable")[: parameters.regressed_products])
    return _Regression(products, regression_weights(orders[:, products], parameters.basket_regularization))


def _pairs_in_chunks(
    orders: csr_matrix, weights: NDArray[np.float32], regression: _Regression
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield keys of pairs, ascending int64 ``source * n_products + target``, and their figures, float32 (n, 4)."""
    n_products = orders.shape[1]
    holders = orders.T.tocsr()
    # One product of complex numbers adds up the orders' weights, the real part, and counts the orders.
    values = np.repeat(weights, np.diff(orders.indptr)) + np.complex64(1j)
    counted = csr_matrix((values.astype(np.complex64), orders.indices, orders.indptr), shape=orders.shape)
    support = np.maximum(holders @ weights, MIN_FIGURE)
    # Rough exponents, to preselect: near those that are learned.
    source_factor, target_factor = support**-0.8, support**-0.3
    regressed_keys = _strongest_regressed(regression, n_products)
    for rows in slices_of_equal_work(np.cumsum(holders @ np.diff(orders.indptr)), STEPS_PER_CHUNK):
        together = (holders[rows] @ counted).tocsr()
        together.sort_indices()
        source = numbers_of_ranges(together.indptr) + rows.start
        keys = source * n_products + together.indices
        shared = np.flatnonzero((together.data.imag >= MIN_TOGETHER) & (together.indices != source))
        first, second = source[shared], together.indices[shared]
        strength = together.data.real[shared] ** 1.5 * source_factor[first] * target_factor[second]
        chosen = shared[_strongest_of_ranges(strength, offsets_of_sorted(first - rows.start, rows.stop - rows.start))]
        begin, end = regressed_keys.searchsorted((rows.start * n_products, rows.stop * n_products))
        union = distinct_keys(np.concatenate((keys[chosen], regressed_keys[begin:end])))
        place = find_sorted(keys, union)
        first, second = np.divmod(union, n_products)
        both = np.where(place >= 0, together.data.real[np.maximum(place, 0)], 0)
        yield union, np.stack((both, support[first], support[second], _look_up(regression, first, second)), axis=1)


def _strongest_regressed(regression: _Regression, n_products: int) -> NDArray[np.int64]:
    """Return the keys, ascending, of the greatest positive regression weights of each source."""
    positive = np.where(regression.weights > 0, regression.weights, -np.inf).astype(np.float32)
    targets, weights = top_products(positive, min(POOL, max(len(positive), 1)))
    row, place = np.nonzero(weights > 0)
    keys = regression.products[row] * n_products + regression.products[targets[row, place]]
    return np.sort(keys.astype(np.int64))


def _strongest_of_ranges(values: NDArray[np.float32], offsets: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return the positions of each range's 64 greatest values above 0, and of what equals the last of them."""
    bar = kth_largest(values, offsets, POOL)
    return np.flatnonzero((values >= np.repeat(bar, np.diff(offsets))) & (values > 0))


def _look_up(regression: _Regression, source: NDArray[np.int64], target: NDArray[np.int64]) -> NDArray[np.float32]:
    row, column = find_sorted(regression.products, source), find_sorted(regression.products, target)
    is_known = (row >= 0) & (column >= 0)
    weights = np.zeros(len(source), dtype=np.float32)
    weights[is_known] = regression.weights[row[is_known], column[is_known]]
    return weights
