"""Scores what goes with some products, and remembers which of them each score comes from."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import run_starts
from models.artifact import NO_ROW, Content
from service.offers.account_products import AccountProducts
from service.readmodel.product_index import ProductRow

MAX_CONTRIBUTORS: Final = 2
MAX_INT32: Final = 2**31 - 1
_PLACES: Final = np.arange(4096, dtype=np.int32)


class NeighbourScores:
    """The neighbours of some products of each account; a score is the sum over the account's products.

    account: int64 (n,), product: int32 (n,): the neighbours, ascending within an account. score: float64 (n,).
    """

    def __init__(self, content: Content, seeds: AccountProducts, n_accounts: int) -> None:
        n_products = len(content.neighbour_products)
        self._seeds = seeds.product
        neighbours = content.neighbour_products.take(seeds.product, axis=0)
        self._width = neighbours.shape[1]
        keys = neighbours.ravel()
        if n_accounts > 1:
            of_account = (seeds.account * n_products).repeat(self._width)
            keys = np.where(keys == NO_ROW, NO_ROW, of_account + keys)
        sorted_keys, places = sort_with_places(keys, n_accounts * n_products)
        weights = content.neighbour_scores.take(seeds.product, axis=0).ravel().take(places)
        begins = run_starts(sorted_keys).nonzero()[0]
        # Padding sorts before every neighbour.
        if len(begins) and sorted_keys[0] == NO_ROW:
            begins = begins[1:]
        matching = sorted_keys.take(begins)
        self.account = matching // n_products if n_accounts > 1 else np.zeros(len(matching), dtype=np.int64)
        self.product = (matching - self.account * n_products).astype(np.int32) if n_accounts > 1 else matching
        self.score = np.add.reduceat(weights, begins, dtype=np.float64) if len(begins) else np.empty(0)
        # Single numbers are read from the bare memory: NumPy takes three times as long to hand one over.
        self._places, self._weights, self._begins = places.data, weights.data, begins.data

    def contributors(self, neighbour: int) -> list[ProductRow]:
        """Return up to two of the seeds that added most to a neighbour's score, greatest first, ties by row."""
        begins, places = self._begins, self._places
        begin = begins[neighbour]
        end = begins[neighbour + 1] if neighbour + 1 < len(begins) else len(places)
        if end - begin == 1:
            return [ProductRow(int(self._seeds[places[begin] // self._width]))]
        greatest = sorted(range(begin, end), key=lambda place: -self._weights[place])[:MAX_CONTRIBUTORS]
        return [ProductRow(int(self._seeds[places[place] // self._width])) for place in greatest]


def contributors_to(content: Content, seeds: NDArray[np.int32], product: int) -> list[ProductRow]:
    """Return up to two of the seeds that add most to one neighbour's score, greatest first, ties by row.

    The same as ``NeighbourScores.contributors``, for a single neighbour: a comparison instead of a sort.
    """
    places = (content.neighbour_products.take(seeds, axis=0) == product).ravel().nonzero()[0]
    numbers, slots = np.divmod(places, content.neighbour_products.shape[1])
    weights = content.neighbour_scores[seeds[numbers], slots]
    greatest = (-weights).argsort(kind="stable")[:MAX_CONTRIBUTORS]
    return [ProductRow(row) for row in seeds[numbers[greatest]].tolist()]


def sort_with_places(keys: NDArray[Any], n_keys: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sort keys and return them with the place that each had; equal keys keep their order.

    keys: int, -1 <= keys < n_keys. Key and place go into one integer, since a plain sort is vectorised and a stable
    argsort is not; where both fit into 32 bits, it is twice as fast again.
    """
    bits = max(1, (len(keys) - 1).bit_length())
    kind: Any = np.int32 if (n_keys + 1) << bits <= MAX_INT32 else np.int64
    packed: NDArray[Any] = keys.astype(kind, copy=False) << bits
    packed += _PLACES[: len(keys)] if len(keys) <= len(_PLACES) else np.arange(len(keys), dtype=kind)
    packed.sort()
    return packed >> bits, packed & ((1 << bits) - 1)
