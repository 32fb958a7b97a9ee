"""Co-purchases: how strongly two products are linked by the accounts (or orders) that hold both."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from models.arrays import numbers_of_ranges, slices_of_equal_work
from models.ranking.top import kth_largest
from models.ranking.weights import scale_columns, scale_rows

PAIRS_PER_CHUNK = 20_000_000
MAX_WORKERS = 4


@dataclass(frozen=True)
class Graph:
    """A normalised graph of holders (accounts or orders) and products.

    ``B_ij = d_i^-p * sum_v(x_vi d_v^-a x_vj) * d_j^-p`` for i != j, and B_jj = 0, is the link from i to j: x is held
    strength capped at 1, d are sums of it over a row or a column, a and p the discounts. This is the linear filter of
    Shen et al. (CIKM 2021, GF-CF), recency weighted.

    held:     (n_holders, n_products), x_vi.
    owners:   (n_products, n_holders), d_i^-p x_vi d_v^-a.
    reached:  (n_holders, n_products), x_vj d_j^-p.
    diagonal: float32 (n_products,), what a product would give itself.
    """

    held: csr_matrix
    owners: csr_matrix
    reached: csr_matrix
    diagonal: NDArray[np.float32]


def build_graph(strength: csr_matrix, holder_discount: float, product_discount: float, min_support: float) -> Graph:
    """Normalise strengths, float32 (n_holders, n_products)."""
    held = csr_matrix((np.minimum(strength.data, 1), strength.indices, strength.indptr), strength.shape)
    holder = _discount(held.sum(axis=1), holder_discount, min_support)
    product = _discount(held.sum(axis=0), product_discount, min_support)
    reached = scale_columns(held, product)
    shared = scale_rows(reached, holder)
    diagonal = np.bincount(held.indices, shared.data * reached.data, held.shape[1]).astype(np.float32)
    return Graph(held, shared.T.tocsr(), reached, diagonal)


def strongest_links(graph: Graph, k: int) -> csr_matrix:
    """Return float32 (n_products, n_products): of each row of B the k largest entries, and what equals the last.

    The rows are computed in chunks, so that no more than a few million links are in memory before the cut.
    """
    with ThreadPoolExecutor(min(cpu_count() or 1, MAX_WORKERS)) as pool:
        chunks = list(pool.map(lambda rows: _cut_chunk(graph, rows, k), _chunks(graph)))
    links: csr_matrix = vstack(chunks, format="csr")
    links.sort_indices()
    return links


def _chunks(graph: Graph) -> Iterator[slice]:
    """Runs of product rows with about equally many pairs to add up."""
    degrees = np.diff(graph.held.indptr)
    pattern = csr_matrix((np.ones(graph.owners.nnz), graph.owners.indices, graph.owners.indptr), graph.owners.shape)
    return slices_of_equal_work(np.cumsum(pattern @ degrees), PAIRS_PER_CHUNK)


def _cut_chunk(graph: Graph, rows: slice, k: int) -> csr_matrix:
    chunk = (graph.owners[rows] @ graph.reached).tocsr()
    row = numbers_of_ranges(chunk.indptr)
    chunk.data[chunk.indices == row + rows.start] = 0
    chunk.data[chunk.data < kth_largest(chunk.data, chunk.indptr, k)[row]] = 0
    chunk.eliminate_zeros()
    return chunk


def _discount(sums: NDArray[np.float32], power: float, least: float) -> NDArray[np.float32]:
    totals = np.maximum(np.asarray(sums, dtype=np.float64).ravel(), least)
    return (totals**-power).astype(np.float32)
