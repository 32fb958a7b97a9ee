"""Products in groups, such as categories or families."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.arrays import offsets_of_sorted


def groups_of(names: Sequence[str]) -> tuple[NDArray[np.int32], int]:
    """Return int32 (n_products,), each product's group, -1 where the name is empty, and the number of groups."""
    distinct, group = np.unique(np.array(list(names), dtype=object), return_inverse=True)
    if len(distinct) and distinct[0] == "":
        return (group - 1).astype(np.int32), len(distinct) - 1
    return group.astype(np.int32), len(distinct)


def members(group: NDArray[np.int32], n_groups: int, kept: NDArray[np.bool_]) -> Iterator[NDArray[np.int32]]:
    """Yield the product rows of each group that has two or more, of those that are kept."""
    order = np.argsort(np.where(kept, group, -1), kind="stable").astype(np.int32)
    bounds = offsets_of_sorted(np.where(kept, group, -1)[order], n_groups)
    for begin, end in pairwise(bounds.tolist()):
        if end - begin > 1:
            yield order[begin:end]
