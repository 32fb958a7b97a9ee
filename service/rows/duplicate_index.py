"""What an import has seen of a file so far, in a few bytes a line."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class DuplicateIndex:
    """Counts by key, kept as sorted arrays of 64-bit hashes: 12 or 16 bytes a key, where a dict takes over 200.

    The arrays double in size, so that n keys are sorted log n times. Two keys of one hash would be taken for one: among
    100 million keys the chance of any such pair is below one in a thousand.
    """

    def __init__(self, dtype: type[np.uint32] | type[np.uint64]) -> None:
        self._dtype = dtype
        self._runs: list[tuple[NDArray[np.uint64], NDArray[Any]]] = []

    def add(self, keys: Sequence[Hashable], values: Sequence[int]) -> None:
        """Add to the values of some distinct keys."""
        if not keys:
            return
        hashes = hashes_of(keys)
        order = np.argsort(hashes, kind="stable")
        self._runs.append((hashes[order], np.array(values, dtype=self._dtype)[order]))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            self._runs.append(_merge(self._runs.pop(), self._runs.pop()))

    def look_up(self, keys: Sequence[Hashable]) -> dict[Hashable, int]:
        """The values of those among some keys that were added."""
        if not keys or not self._runs:
            return {}
        hashes = hashes_of(keys)
        total = np.zeros(len(keys), dtype=self._dtype)
        for known, values in self._runs:
            place = np.searchsorted(known, hashes).clip(max=len(known) - 1)
            total += np.where(known[place] == hashes, values[place], 0).astype(self._dtype)
        return {keys[index]: int(total[index]) for index in np.flatnonzero(total).tolist()}


def hashes_of(keys: Sequence[Hashable]) -> NDArray[np.uint64]:
    """Python's own hashes. They differ from process to process, so they must never be stored."""
    return np.fromiter(map(hash, keys), dtype=np.int64, count=len(keys)).view(np.uint64)


def _merge(
    newer: tuple[NDArray[np.uint64], NDArray[Any]],
    older: tuple[NDArray[np.uint64], NDArray[Any]],
) -> tuple[NDArray[np.uint64], NDArray[Any]]:
    hashes = np.concatenate((older[0], newer[0]))
    order = np.argsort(hashes, kind="stable")
    hashes, values = hashes[order], np.concatenate((older[1], newer[1]))[order]
    first = np.flatnonzero(np.r_[True, hashes[1:] != hashes[:-1]])
    return hashes[first], np.add.reduceat(values, first, dtype=values.dtype)
