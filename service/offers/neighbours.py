"""Scores what goes with some products, and remembers which of them each score comes from."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW, Content
from service.readmodel.product_index import ProductRow

FIRST = 12
MAX_CONTRIBUTORS = 2
MAX_INT32 = 2**31
_PLACES = np.arange(4096, dtype=np.int32)


class NeighbourScores:
    """Every neighbour of some products; its score is the sum of its scores as a neighbour of each of them.

    rows:     product rows, distinct and ascending, so that the order in which they were named changes nothing.
    products: int32 (n,), the neighbours, ascending.
    scores:   float64 (n,).
    """

    def __init__(self, content: Content, rows: Sequence[ProductRow]) -> None:
        self._rows = rows
        neighbours = content.neighbour_products.take(rows, axis=0)
        self._width = neighbours.shape[1]
        sorted_products, places = sort_with_places(neighbours.ravel(), len(content.neighbour_products))
        weights = content.neighbour_scores.take(rows, axis=0).ravel().take(places)
        is_first = np.empty(len(sorted_products), dtype=np.bool_)
        is_first[:1] = True
        np.not_equal(sorted_products[1:], sorted_products[:-1], out=is_first[1:])
        begins = is_first.nonzero()[0]
        self.products = sorted_products.take(begins)
        self.scores = np.add.reduceat(weights, begins, dtype=np.float64) if len(weights) else np.empty(0)
        # Single numbers are read from the bare memory: NumPy takes three times as long to hand one over.
        self._places, self._weights, self._begins = places.data, weights.data, begins.data

    def best(self) -> Iterator[tuple[ProductRow, float, int]]:
        """Every neighbour with its score and its place in ``products``, best first, ties by row.

        The first few are nearly always enough, and are found one by one: only if they are not, the rest is sorted.
        """
        left = self.scores.copy()
        products, scores = self.products.data, self.scores.data
        for _ in range(min(FIRST, len(left))):
            place = int(left.argmax())
            left[place] = -np.inf
            product = products[place]
            if product != NO_ROW:
                yield ProductRow(product), scores[place], place
        if len(left) > FIRST:
            yield from self._sorted((left > -np.inf).nonzero()[0])

    def _sorted(self, places: NDArray[np.int64]) -> Iterator[tuple[ProductRow, float, int]]:
        scores = self.scores.take(places)
        order = (-scores).argsort(kind="stable")
        places = places.take(order)
        listed = zip(self.products.take(places).tolist(), scores.take(order).tolist(), places.tolist(), strict=True)
        return (one for one in listed if one[0] != NO_ROW)

    def contributors(self, place: int) -> list[ProductRow]:
        """Return up to two of the rows that added most to a neighbour's score, greatest first, ties by row."""
        begins, places = self._begins, self._places
        begin = begins[place]
        end = begins[place + 1] if place + 1 < len(begins) else len(places)
        if end - begin == 1:
            return [self._rows[places[begin] // self._width]]
        greatest = sorted(range(begin, end), key=lambda at: -self._weights[at])[:MAX_CONTRIBUTORS]
        return [self._rows[places[at] // self._width] for at in greatest]


def sort_with_places(rows: NDArray[np.int32], n_rows: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sort rows and return them with the place that each had; equal rows keep their order.

    rows: -1 <= rows < n_rows. Row and place go into one integer, since a plain sort is vectorised and a stable
    argsort is not; where both fit into 32 bits, it is twice as fast again.
    """
    bits = max(1, (len(rows) - 1).bit_length())
    kind: Any = np.int32 if (n_rows + 1) << bits < MAX_INT32 else np.int64
    keys: NDArray[Any] = rows.astype(kind, copy=False) << bits
    keys += _PLACES[: len(rows)] if len(rows) <= len(_PLACES) else np.arange(len(rows), dtype=kind)
    keys.sort()
    return keys >> bits, keys & ((1 << bits) - 1)
