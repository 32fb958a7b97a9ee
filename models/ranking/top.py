"""The best products of each account, and work spread over batches of accounts."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from models.arrays import offsets_of_sorted, places_in_ranges

NO_PRODUCT = -1
BLOCKS_PER_RESULT = 4
SCORES_PER_BATCH = 2_500_000
"""Small enough for a processor's cache: four times as many take half as long again."""
MAX_WORKERS = 4

Result = TypeVar("Result")


def top_products(scores: NDArray[np.float32], count: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return each row's best products and their scores, (len(scores), count), best first.

    Ties go to the lower product row. Products scored -inf are left out: NO_PRODUCT and 0 stand at the end.
    Several times faster than a partial sort of long rows: at least ``count`` blocks have a maximum that reaches the
    ``count``-th largest of the maxima, so whatever is below that can't be among the best.
    """
    row, product, value = _contenders(scores, count)
    best_first = np.lexsort((product, -value, row))
    sizes = np.bincount(row, minlength=len(scores))
    place = places_in_ranges(sizes)
    chosen = best_first[place < count]
    products = np.full((len(scores), count), NO_PRODUCT, dtype=np.int32)
    values = np.zeros((len(scores), count), dtype=np.float32)
    # The rows are the slowest key of the sort, so places found before it still hold after it.
    cells = row[chosen], place[place < count]
    products[cells], values[cells] = product[chosen], value[chosen]
    return products, values


def _contenders(
    scores: NDArray[np.float32], count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return rows, products and scores of what may be among the best, at least those; rows ascend, products within."""
    n_products = scores.shape[1]
    block = n_products // (BLOCKS_PER_RESULT * count)
    maxima = np.maximum.reduceat(scores, np.arange(0, n_products, block), axis=1) if block > 1 else scores
    place = max(maxima.shape[1] - count, 0)
    bar = np.partition(maxima, place, axis=1)[:, place]
    bar = np.maximum(bar, np.finfo(np.float32).min)  # what is scored -inf is never among them
    # One dimension: there the library finds what is set several times faster than in two.
    row, product = np.divmod(np.flatnonzero(scores >= bar[:, None]), n_products)
    value = scores[row, product]
    # A row with few positive scores ties at 0 all over; only the first of those can be needed.
    tied = np.cumsum(value == bar[row])
    before = np.concatenate([[0], tied])[offsets_of_sorted(row, len(scores))[:-1]]
    needed = (value > bar[row]) | (tied - before[row] <= count)
    return row[needed], product[needed], value[needed]


def kth_largest(values: NDArray[Any], offsets: NDArray[np.integer], k: int) -> NDArray[Any]:
    """Return (n,): the k-th largest value of each range, 0 where a range holds no more than k.

    values: (m,), one range after the other. offsets: (n + 1,), where they begin, and where the last ends.
    """
    least = np.zeros(len(offsets) - 1, dtype=values.dtype)
    for place in np.flatnonzero(np.diff(offsets) > k):
        least[place] = np.partition(values[offsets[place] : offsets[place + 1]], -k)[-k]
    return least


def in_batches(
    work: Callable[[NDArray[np.int32]], Result], rows: NDArray[np.int32], n_products: int
) -> Iterator[Result]:
    """Yield ``work(batch)`` for each batch of rows, in order, with a few batches at work at once.

    A batch is as large as its dense scores allow. BLAS has one thread meanwhile, which keeps sums in one order.
    """
    step = max(SCORES_PER_BATCH // max(n_products, 1), 1)
    batches = [rows[begin : begin + step] for begin in range(0, len(rows), step)]
    workers = min(os.cpu_count() or 1, MAX_WORKERS)
    with threadpool_limits(1), ThreadPoolExecutor(workers) as pool:
        pending: deque[Future[Result]] = deque()
        for batch in batches:
            pending.append(pool.submit(work, batch))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
