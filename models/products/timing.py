"""How long after one product accounts buy another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.arrays import concatenate_ranges, find_sorted, numbers_of_ranges, offsets_of, offsets_of_sorted, run_starts
from models.data.interactions import Interactions
from models.ranking.weights import DAY_SECONDS

PAIRS_AT_ONCE = 20_000
QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class FirstPurchases:
    """When each account first bought each product.

    starts:  int64 (n_products + 1,): product p's entries are [starts[p]:starts[p + 1]].
    account: int32 (n,), ascending within a product. day: int32 (n,), days since the epoch.
    """

    starts: NDArray[np.int64]
    account: NDArray[np.int32]
    day: NDArray[np.int32]
    n_accounts: int


@dataclass(frozen=True)
class Moves:
    """Accounts that bought one product first and another on a later day, pair by pair.

    after:     int64 (n_pairs,), accounts that first bought the second after the first; before: the other way round.
    both:      int64 (n_pairs,), accounts that bought both, on one day too.
    quartiles: float32 (n_pairs, 3), days from the first to the second over ``after``; NaN where there are none.
    """

    after: NDArray[np.int64]
    before: NDArray[np.int64]
    both: NDArray[np.int64]
    quartiles: NDArray[np.float32]


def first_purchases(interactions: Interactions) -> FirstPurchases:
    """Find each account's first purchase of each product; guests and returns are left out."""
    lines = np.flatnonzero(interactions.is_known & (interactions.quantity > 0))
    account, product, time = interactions.account[lines], interactions.product[lines], interactions.time[lines]
    order = np.lexsort((time, account, product))
    account, product, time = account[order], product[order], time[order]
    day = (time // DAY_SECONDS).astype(np.int32)
    is_first = run_starts(product, account)
    starts = offsets_of_sorted(product[is_first], interactions.n_products)
    return FirstPurchases(starts, account[is_first], day[is_first], interactions.n_accounts)


def moves_between(purchases: FirstPurchases, first: NDArray[np.int32], second: NDArray[np.int32]) -> Moves:
    """Follow the accounts from one product to another, for pairs of product rows."""
    parts = [
        _moves(purchases, first[begin : begin + PAIRS_AT_ONCE], second[begin : begin + PAIRS_AT_ONCE])
        for begin in range(0, len(first), PAIRS_AT_ONCE)
    ]
    if not parts:
        return Moves(*(np.zeros(0, dtype=np.int64),) * 3, np.zeros((0, 3), dtype=np.float32))
    return Moves(*(np.concatenate([getattr(part, name) for part in parts]) for name in Moves.__dataclass_fields__))


def _moves(purchases: FirstPurchases, first: NDArray[np.int32], second: NDArray[np.int32]) -> Moves:
    """Look up the accounts of the rarer product of each pair among those of the other."""
    starts = purchases.starts
    is_turned = starts[first + 1] - starts[first] > starts[second + 1] - starts[second]
    rare, common = np.where(is_turned, second, first), np.where(is_turned, first, second)
    sizes = starts[rare + 1] - starts[rare]
    pair, place = concatenate_ranges(starts[rare], sizes)
    other = _find(purchases, common[pair], purchases.account[place])
    is_both = other >= 0
    pair, place, other = pair[is_both], place[is_both], other[is_both]
    days = np.where(is_turned[pair], -1, 1) * (purchases.day[other].astype(np.int64) - purchases.day[place])
    n_pairs = len(first)
    after = np.bincount(pair[days > 0], minlength=n_pairs)
    before = np.bincount(pair[days < 0], minlength=n_pairs)
    return Moves(after, before, np.bincount(pair, minlength=n_pairs), _quartiles(pair[days > 0], days[days > 0], after))


def _find(purchases: FirstPurchases, products: NDArray[np.int32], accounts: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the position of each account's first purchase of a product, -1 where there is none."""
    keys = numbers_of_ranges(purchases.starts) * purchases.n_accounts
    keys += purchases.account
    wanted = products.astype(np.int64) * purchases.n_accounts + accounts
    return find_sorted(keys, wanted)


def _quartiles(pair: NDArray[np.int64], days: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the quartiles of each pair's days, by linear interpolation as ``numpy.quantile`` does."""
    days = days[np.lexsort((days, pair))].astype(np.float64)
    starts = offsets_of(counts)
    quartiles = np.full((len(counts), len(QUARTILES)), np.nan, dtype=np.float32)
    known = np.flatnonzero(counts)
    for column, share in enumerate(QUARTILES):
        place = share * (counts[known] - 1)
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, counts[known] - 1)
        below, above = days[starts[known] + low], days[starts[known] + high]
        quartiles[known, column] = below + (place - low) * (above - below)
    return quartiles
