"""Figures of pairs of an account and a group of products, as sparse matrices."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.arrays import least_of_each
from models.artifact.groups import NO_GROUP


def least_of_pairs(
    account: NDArray[np.int32], group: NDArray[np.int32], values: NDArray[np.float32], shape: tuple[int, int]
) -> csr_matrix:
    """Return float32 (A, G): the least value of each pair that has an entry.

    account, group, values: (n,); entries in no group are left out.
    """
    is_in = group != NO_GROUP
    keys, values = account[is_in].astype(np.int64) * shape[1] + group[is_in], values[is_in]
    least = least_of_each(keys, values)
    row, column = np.divmod(keys[least], max(shape[1], 1))
    return csr_matrix((values[least], (row, column)), shape=shape)
