"""Basket completion: how often a hidden product of a basket is ranked near the top, given the rest."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.arrays import first_of_each, numbers_of_ranges, offsets_of
from models.data.interactions import Interactions
from models.evaluate.intervals import Estimate, estimate_mean


class BasketScorer(Protocol):
    """Scores what could complete a basket."""

    def complete(self, basket: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (n_products,): -inf for what is in the basket."""


@dataclass(frozen=True)
class HiddenProducts:
    """Baskets with one product taken out: the rest, one array after the other, and what was hidden.

    rest:   int32 (n_rest,). ends: int64 (n_baskets,), where each basket's rest ends. hidden: int32 (n_baskets,).
    """

    rest: NDArray[np.int32]
    ends: NDArray[np.int64]
    hidden: NDArray[np.int32]


def hide_products(window: Interactions, is_known: NDArray[np.bool_], limit: int, seed: int) -> HiddenProducts:
    """Hide one product of each of up to ``limit`` random orders with two or more known ones, guests' orders too.

    is_known: bool (n_products,), products in the data that neighbours were learned from.
    """
    lines = np.flatnonzero((window.quantity > 0) & is_known[window.product])
    lines = lines[first_of_each(window.order[lines], window.product[lines])]
    _, sizes = np.unique(window.order[lines], return_counts=True)
    rng = np.random.default_rng(seed)
    offsets = offsets_of(sizes)
    large = np.flatnonzero(sizes >= 2)
    chosen = np.sort(rng.permutation(large)[:limit])
    picks = offsets[chosen] + (rng.random(len(chosen)) * sizes[chosen]).astype(np.int64)
    is_rest = np.isin(numbers_of_ranges(offsets), chosen)
    is_rest[picks] = False
    products = window.product[lines]
    return HiddenProducts(products[is_rest], np.cumsum(sizes[chosen] - 1), products[picks])


def ranks_of_hidden(scorer: BasketScorer, baskets: HiddenProducts) -> NDArray[np.float64]:
    """Return float64 (n_baskets,): how many products rank above the hidden one, ties counted as half."""
    ranks = np.empty(len(baskets.hidden))
    if not len(ranks):
        return ranks
    for basket, (rest, hidden) in enumerate(
        zip(np.split(baskets.rest, baskets.ends[:-1]), baskets.hidden, strict=True)
    ):
        scores = scorer.complete(rest)
        own = scores[hidden]
        ranks[basket] = np.count_nonzero(scores > own) + (np.count_nonzero(scores == own) - 1) / 2
    return ranks


def completion_at(ranks: NDArray[np.float64], cuts: tuple[int, ...], seed: int) -> dict[int, Estimate]:
    """Return for each cut k the share of baskets whose hidden product is among the first k, with its interval.

    ranks: see ``ranks_of_hidden``.
    """
    return {k: estimate_mean((ranks < k).astype(np.float64), seed) for k in cuts}
