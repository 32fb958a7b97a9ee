"""What an import has read of a file so far, in a few bytes a line."""

from collections.abc import Collection, Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
_GOLDEN_RATIO = np.uint64(0x9E37_79B9_7F4A_7C15)


class DuplicateIndex:
    """Sums by key, kept as sorted arrays of 64-bit hashes: 12 or 16 bytes a key, where a dict takes over 200.

    The arrays double in size, so that n keys are sorted log n times. Two keys of one hash would be taken for one: among
    100 million keys the chance of any such pair is below one in a thousand.
    """

    def __init__(self, dtype: type[np.uint32] | type[np.uint64]) -> None:
        self._dtype = dtype
        self._runs: list[tuple[Hashes, NDArray[Any]]] = []

    def add(self, hashes: Hashes, values: NDArray[Any]) -> None:
        """Add to the values of distinct keys; shape (n_keys,) each."""
        if not len(hashes):
            return
        order = np.argsort(hashes, kind="stable")
        self._runs.append((hashes[order], values.astype(self._dtype)[order]))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            self._runs.append(_merge(self._runs.pop(), self._runs.pop()))

    def look_up(self, hashes: Hashes) -> NDArray[Any]:
        """The value of each key, 0 if it was never added; shape (n_keys,)."""
        total = np.zeros(len(hashes), dtype=self._dtype)
        for known, values in self._runs:
            place = np.searchsorted(known, hashes).clip(max=len(known) - 1)
            total += np.where(known[place] == hashes, values[place], 0).astype(self._dtype)
        return total


def hash_keys(keys: Collection[Hashable]) -> Hashes:
    """Python's own hashes. They differ from process to process, so they must never be stored."""
    return np.fromiter(map(hash, keys), dtype=np.int64, count=len(keys)).view(np.uint64)


def hash_pairs(first: Hashes, second: Hashes) -> Hashes:
    """The hash of each pair of keys, from theirs."""
    pairs: Hashes = first * _GOLDEN_RATIO + second
    return pairs


def count_repeats(hashes: Hashes) -> tuple[NDArray[np.int64], Hashes, NDArray[np.int64]]:
    """Return how often each key stands before its place, shape (n,); the distinct keys; and how often each is there."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])[: len(hashes)]
    counts = np.diff(np.append(starts, len(hashes)))
    repeats = np.empty(len(hashes), dtype=np.int64)
    repeats[order] = np.arange(len(hashes)) - np.repeat(starts, counts)
    return repeats, ordered[starts], counts


def _merge(newer: tuple[Hashes, NDArray[Any]], older: tuple[Hashes, NDArray[Any]]) -> tuple[Hashes, NDArray[Any]]:
    hashes = np.concatenate((older[0], newer[0]))
    order = np.argsort(hashes, kind="stable")
    hashes, values = hashes[order], np.concatenate((older[1], newer[1]))[order]
    first = np.flatnonzero(np.r_[True, hashes[1:] != hashes[:-1]])
    return hashes[first], np.add.reduceat(values, first, dtype=values.dtype)
