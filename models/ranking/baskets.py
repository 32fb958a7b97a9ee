"""Basket neighbours: for each product a short list of weighted products that complete a basket, learned from orders."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models.arrays import first_of_each, numbers_of_ranges, places_in_ranges
from models.data.interactions import Interactions
from models.ranking.links import build_graph, strongest_links
from models.ranking.settings import RankingParameters
from models.ranking.top import NO_PRODUCT, top_products
from models.ranking.weights import decay, scale_rows

MAX_NEIGHBOURS = 32
"""Of each product. More neighbours complete no more baskets of a later period, and scoring costs more."""


@dataclass(frozen=True)
class Neighbours:
    """For each product the ones that its presence in a basket suggests, best first.

    products: int32 (n_products, k), -1 padded.
    scores:   float32 (n_products, k), > 0, 0 where padded.
    A basket's score of a product is the sum over the basket's products of their neighbours' scores.
    """

    products: NDArray[np.int32]
    scores: NDArray[np.float32]

    def complete(self, basket: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (n_products,): the basket's scores, -inf for what is in it."""
        products, scores = self.products[basket].ravel(), self.scores[basket].ravel()
        is_listed = products != NO_PRODUCT
        total = np.bincount(products[is_listed], scores[is_listed], len(self.products)).astype(np.float32)
        total[basket] = -np.inf
        return total


def fit_neighbours(
    train: Interactions, as_of: int, parameters: RankingParameters, k: int = MAX_NEIGHBOURS
) -> Neighbours:
    """Learn from all orders, guests' too, aged at ``as_of`` (local seconds), k neighbours for each product.

    Up to ``dense_products`` products it is a ridge regression of each product on the rest of the basket (EASE: Steck,
    WWW 2019), weighted by age and basket size; beyond that, discounted co-purchases, which stay sparse.
    """
    orders, ages = _order_matrix(train, as_of)
    seen = np.unique(orders.indices)
    fresh = decay(ages, parameters.basket_half_life_days)
    if len(seen) > parameters.dense_products:
        return _sparse_neighbours(scale_rows(orders, fresh), parameters, k)
    sizes = np.diff(orders.indptr).astype(np.float32)
    compact = scale_rows(orders[:, seen], np.sqrt(fresh * sizes**-parameters.basket_discount))
    products, scores = _strongest(regression_weights(compact, parameters.basket_regularization), k)
    neighbours = _empty(train.n_products, k)
    neighbours.products[seen] = np.where(products == NO_PRODUCT, NO_PRODUCT, seen[products])
    neighbours.scores[seen] = scores
    return neighbours


def regression_weights(matrix: csr_matrix, regularization: float) -> NDArray[np.float32]:
    """Return float32 (n, n): in column j the ridge regression of column j on all others, 0 on the diagonal.

    All n regressions come from one inverse P of ``matrix' matrix + regularization * I``: ``-P_ij / P_jj``.
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


def _sparse_neighbours(orders: csr_matrix, parameters: RankingParameters, k: int) -> Neighbours:
    """Take the strongest links between products, with orders as the holders."""
    graph = build_graph(orders, parameters.account_discount, parameters.basket_product_discount, parameters.min_support)
    links = strongest_links(graph, k)
    product = numbers_of_ranges(links.indptr)
    best_first = np.lexsort((links.indices, -links.data, product))
    # The products are the slowest key of the sort, so places found before it still hold after it.
    place = places_in_ranges(np.diff(links.indptr))
    cells = product[place < k], place[place < k]
    neighbours = _empty(links.shape[0], k)
    neighbours.products[cells] = links.indices[best_first][place < k]
    neighbours.scores[cells] = links.data[best_first][place < k]
    return neighbours


def _strongest(weights: NDArray[np.float32], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    return top_products(np.where(weights > 0, weights, -np.inf).astype(np.float32), k)


def _empty(n_products: int, k: int) -> Neighbours:
    return Neighbours(np.full((n_products, k), NO_PRODUCT, np.int32), np.zeros((n_products, k), np.float32))
