"""How strongly each account holds each product: orders counted, faded by age, net of returns."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.arrays import concatenate_ranges, first_of_each
from models.data.interactions import GUEST, Interactions, owned_matrix

DAY_SECONDS = 86_400
MIN_DECAY = 1 / 1024
"""The minimum weight of an order, so that accounts with old orders alone still have preferences."""


def decay(age_seconds: NDArray[np.int64], half_life_days: float) -> NDArray[np.float32]:
    """Return float32 0.5 ** (age in half-lives), at least MIN_DECAY; an event after the as-of has not aged."""
    age_days = np.maximum(age_seconds, 0) / DAY_SECONDS
    return np.maximum(0.5 ** (age_days / half_life_days), MIN_DECAY).astype(np.float32)


def strength_matrix(interactions: Interactions, as_of: int, half_life_days: float) -> csr_matrix:
    """Return float32 (n_accounts, n_products): decayed numbers of distinct orders of what each account owns.

    Orders are counted, not quantities: on the data at hand the number of units added no information. A product whose
    net quantity is not positive was given back and has no strength.
    """
    lines = np.flatnonzero(interactions.is_known & (interactions.quantity > 0))
    account, product, order = (
        column[lines] for column in (interactions.account, interactions.product, interactions.order)
    )
    chosen = first_of_each(account, product, order)
    fresh = decay(as_of - interactions.time[lines[chosen]], half_life_days)
    shape = (interactions.n_accounts, interactions.n_products)
    strength = csr_matrix((fresh, (account[chosen], product[chosen])), shape=shape)
    strength.sum_duplicates()
    is_owned = owned_matrix(interactions)
    is_owned.data[:] = 1
    owned: csr_matrix = strength.multiply(is_owned).tocsr().astype(np.float32)
    owned.sort_indices()
    return owned


def guest_orders(interactions: Interactions) -> NDArray[np.intp]:
    """Return the first line of each distinct pair of guest order and product that was bought."""
    lines = np.flatnonzero((interactions.account == GUEST) & (interactions.quantity > 0))
    return lines[first_of_each(interactions.order[lines], interactions.product[lines])]


def scale_rows(matrix: csr_matrix, factors: NDArray[np.float32]) -> csr_matrix:
    """Multiply each row by its factor, in float32."""
    data = matrix.data * np.repeat(factors, np.diff(matrix.indptr))
    return csr_matrix((data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def scale_columns(matrix: csr_matrix, factors: NDArray[np.float32]) -> csr_matrix:
    """Multiply each column by its factor, in float32."""
    data = (matrix.data * factors[matrix.indices]).astype(np.float32)
    return csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def rows_of(
    matrix: csr_matrix, rows: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]:
    """Return the columns and values of some rows, one row after the other, and each row's number of them.

    The library's own row selection checks more than it moves when rows are few.
    """
    sizes = matrix.indptr[rows + 1] - matrix.indptr[rows]
    _, places = concatenate_ranges(matrix.indptr[rows], sizes)
    return matrix.indices[places], matrix.data[places], sizes


def look_up(matrix: csr_matrix, rows: NDArray[np.int32], columns: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the entries at rows (n, 1) and columns (n, k), float32 (n, k); 0 where none is stored.

    The matrix's indices are sorted, without duplicates; a column of -1 is stored nowhere.
    """
    if matrix.nnz == 0 or not columns.size:
        return np.zeros(columns.shape, dtype=np.float32)
    row = np.broadcast_to(rows, columns.shape).ravel()
    values = np.asarray(matrix[row, np.maximum(columns, 0).ravel()], dtype=np.float32).reshape(columns.shape)
    return np.where(columns < 0, np.float32(0), values)
