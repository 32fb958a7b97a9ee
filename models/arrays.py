"""Idioms on numpy arrays: runs of equal values, ranges laid end to end, groups, lookups in sorted keys.

Needs numpy alone: the artifact, and so the service, import it.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray


def run_starts(*columns: NDArray[Any]) -> NDArray[np.bool_]:
    """Return bool (n,): where a run of equal entries begins. columns: (n,) each; entries are equal if all columns are.

    In sorted columns these are the first entries of each distinct value.
    """
    is_start = np.ones(len(columns[0]), dtype=np.bool_)
    is_start[1:] = columns[0][1:] != columns[0][:-1]
    for column in columns[1:]:
        is_start[1:] |= column[1:] != column[:-1]
    return is_start


def places_in_runs(is_start: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return int64 (n,): each entry's place within its run, from 0. is_start: bool (n,), the first entry's is True."""
    places = np.arange(len(is_start))
    return places - np.maximum.accumulate(np.where(is_start, places, 0))


def distinct_keys(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each key once, ascending.

    Not by ``numpy.unique``: without positions or counts it hashes integers since version 2.3, which takes more than a
    hundred times as long as a sort where millions are distinct.
    """
    ordered = np.sort(keys)
    return ordered[run_starts(ordered)]


def first_of_each(*columns: NDArray[Any]) -> NDArray[np.intp]:
    """Return the positions of the first entry of each distinct tuple, sorted by the tuples. columns: (n,) each."""
    order = np.lexsort(columns[::-1])
    return order[run_starts(*(column[order] for column in columns))]


def least_of_each(keys: NDArray[np.integer], values: NDArray[Any]) -> NDArray[np.intp]:
    """Return the positions of each distinct key's least value, sorted by the keys. keys, values: (n,)."""
    order = np.lexsort((values, keys))
    return order[run_starts(keys[order])]


def offsets_of(lengths: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return int64 (n + 1,): where ranges that are laid end to end begin, and where the last ends."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def offsets_of_sorted(keys: NDArray[np.integer], n: int) -> NDArray[np.int64]:
    """Return int64 (n + 1,): the entries of key k are ``[offsets[k]:offsets[k + 1]]``. keys: ascending, below n.

    Negative keys come before the first range.
    """
    return np.searchsorted(keys, np.arange(n + 1)).astype(np.int64)


def numbers_of_ranges(offsets: NDArray[np.integer], dtype: type[np.integer] = np.int64) -> NDArray[Any]:
    """Return (offsets[-1],): for each entry the number of the range that it is in. offsets: (n + 1,), as ``indptr``."""
    return np.repeat(np.arange(len(offsets) - 1, dtype=dtype), np.diff(offsets))


def concatenate_ranges(
    begins: NDArray[np.integer], lengths: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lay ranges end to end. Return int64 (sum of lengths,) each: the number of the range, and the position in it all.

    ``[2, 9]`` and ``[3, 1]`` give the numbers ``[0, 0, 0, 1]`` and the positions ``[2, 3, 4, 9]``.
    """
    ends = lengths.cumsum(dtype=np.int64)
    numbers = np.arange(len(lengths)).repeat(lengths)
    return numbers, (begins + lengths - ends).repeat(lengths) + np.arange(len(numbers))


def places_in_ranges(lengths: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return int64 (sum of lengths,): each entry's place within its range, from 0."""
    return concatenate_ranges(np.zeros(len(lengths), dtype=np.int64), lengths)[1]


def find_sorted(keys: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.int64]:
    """Return int64, shaped as ``wanted``: the position of each among the keys, -1 where it is absent.

    keys: (n,), ascending; of equal ones the first is found.
    """
    if not len(keys):
        return np.full(np.shape(wanted), -1, dtype=np.int64)
    places = np.searchsorted(keys, wanted)
    return np.where(keys.take(places, mode="clip") == wanted, places, -1).astype(np.int64)


def median_of_groups(values: NDArray[Any], groups: NDArray[np.integer], n_groups: int) -> NDArray[np.float64]:
    """Return float64 (n_groups,): the median of each group's values, NaN for a group without any.

    values: (n,). groups: (n,), at least 0 and below n_groups.
    """
    ordered = values[np.lexsort((values, groups))]
    counts = np.bincount(groups, minlength=n_groups)
    starts = np.cumsum(counts) - counts
    known = np.flatnonzero(counts)
    low, high = starts[known] + (counts[known] - 1) // 2, starts[known] + counts[known] // 2
    medians = np.full(n_groups, np.nan)
    medians[known] = (ordered[low] + ordered[high]) / 2
    return medians


def slices_of_equal_work(work: NDArray[Any], limit: int) -> Iterator[slice]:
    """Cut entries into consecutive slices, a new one each time that the work so far passes a multiple of ``limit``.

    work: (n,), cumulative, so that slices have at most about ``limit`` each.
    """
    chunk = work // limit
    bounds = [0, *(np.flatnonzero(np.diff(chunk)) + 1).tolist(), len(chunk)]
    return (slice(begin, end) for begin, end in pairwise(bounds))
