"""How often products are bought together: every pair of a history's baskets, counted at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from os import cpu_count

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.arrays import (
    find_sorted,
    first_of_each,
    numbers_of_ranges,
    offsets_of,
    offsets_of_sorted,
    run_starts,
    slices_of_equal_work,
)
from models.data.interactions import GUEST, Interactions
from models.products.measures import Counts

STEPS_PER_CHUNK = 5_000_000
MAX_WORKERS = 4


@dataclass(frozen=True)
class Baskets:
    """What was bought in each order, guests' orders too.

    holds: 0/1 int64 (n_baskets, n_products), indices sorted.
    value: int64 (n_baskets,), what was paid for all of it in minor units, at least 0.
    buyer: int64 (n_baskets,), ascending: the account's row; for a guest's basket a number of its own, since nobody
           knows whether two of them are of one customer.
    is_valued: bool (n_baskets,), whether that is known in the reporting currency; None where it always is.
    """

    holds: csr_matrix
    value: NDArray[np.int64]
    buyer: NDArray[np.int64]
    is_valued: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Pairs:
    """Pairs of products that share baskets, each once.

    first:    int32 (n,), the lower product row; second: int32 (n,), the higher.
    together: int64 (n,), baskets with both; value: int64 (n,), the sum of what was paid for them.
    buyers: int64 (n,), the customers behind those baskets.
    held:     int64 (n_products,), baskets with each product; held_value: int64 (n_products,), the sum paid for them.
    n_valued, held_valued: int64 (n,) and (n_products,), how many baskets those sums are of: the value of the others is
              not known.
    """

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    together: NDArray[np.int64]
    value: NDArray[np.int64]
    buyers: NDArray[np.int64]
    held: NDArray[np.int64]
    held_value: NDArray[np.int64]
    n_valued: NDArray[np.int64]
    held_valued: NDArray[np.int64]
    n_baskets: int

    def counts(self) -> Counts:
        """The counts that measures are computed from."""
        a, b = self.held[self.first], self.held[self.second]
        return Counts(self.together.astype(np.float64), a.astype(np.float64), b.astype(np.float64), self.n_baskets)


def baskets_of(interactions: Interactions) -> Baskets:
    """Lay out what was bought; returns are left out."""
    bought = np.flatnonzero(interactions.quantity > 0)
    lines = bought[first_of_each(interactions.order[bought], interactions.product[bought])]
    orders, first, basket = np.unique(interactions.order[lines], return_index=True, return_inverse=True)
    account = interactions.account[lines[first]].astype(np.int64)
    buyer = np.where(account == GUEST, interactions.n_accounts + np.arange(len(orders)), account)
    by_buyer = np.argsort(buyer, kind="stable")
    basket = np.argsort(by_buyer)[basket]
    shape = (len(orders), interactions.n_products)
    holds = csr_matrix((np.ones(len(lines), dtype=np.int64), (basket, interactions.product[lines])), shape=shape)
    holds.sort_indices()
    paid = np.bincount(
        np.searchsorted(orders, interactions.order[bought]), interactions.amount_minor[bought], len(orders)
    )
    unknown = orders.searchsorted(interactions.order[bought[interactions.is_unconverted[bought]]])
    is_valued = None
    if len(unknown):
        is_valued = np.ones(len(orders), dtype=np.bool_)
        is_valued[unknown] = False
        is_valued = is_valued[by_buyer]
    return Baskets(holds, np.maximum(paid, 0).astype(np.int64)[by_buyer], buyer[by_buyer], is_valued)


def buyers_of(baskets: Baskets) -> csr_matrix:
    """Return 0/1 int64 (n_buyers, n_products): what each customer bought."""
    starts = np.flatnonzero(run_starts(baskets.buyer)) if len(baskets.buyer) else np.empty(0, dtype=np.int64)
    offsets = np.append(starts, len(baskets.buyer))
    ones = np.ones(len(baskets.buyer), dtype=np.int64)
    shape = (len(starts), len(baskets.buyer))
    bought = (csr_matrix((ones, np.arange(len(ones)), offsets), shape=shape) @ baskets.holds).tocsr()
    bought.data[:] = 1
    return bought


def count_pairs(baskets: Baskets, min_together: int = 2) -> Pairs:
    """Count every pair that is together in at least ``min_together`` baskets, and add up what was paid for those.

    One integer product of sparse matrices does both: an entry is worth 2^k plus the basket's value, where all values
    together stay below 2^k. It is computed in chunks of product rows, of which only what is kept stays in memory.
    """
    holds, value, buyer = baskets.holds, baskets.value, baskets.buyer
    shift = max(1, int(value.sum()).bit_length())
    # What does not fit is rounded to larger units: no real history gets there.
    unit = max(0, shift + int(holds.shape[0]).bit_length() - 62)
    shift -= unit
    worth = (np.int64(1) << shift) + (value >> unit)
    owners = csr_matrix((np.repeat(worth, np.diff(holds.indptr)), holds.indices, holds.indptr), holds.shape).T.tocsr()
    with ThreadPoolExecutor(min(cpu_count() or 1, MAX_WORKERS)) as pool:
        parts = list(
            pool.map(lambda rows: _pairs_of(owners, holds, buyer, rows, min_together << shift), _chunks(owners, holds))
        )
    first, second, packed, buyers = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    together, held = packed >> shift, np.bincount(holds.indices, minlength=holds.shape[1])
    pairs = Pairs(
        first=first,
        second=second,
        together=together,
        value=(packed & ((1 << shift) - 1)) << unit,
        buyers=buyers,
        held=held,
        held_value=np.bincount(holds.indices, np.repeat(value, np.diff(holds.indptr)), holds.shape[1]).astype(np.int64),
        n_valued=together,
        held_valued=held,
        n_baskets=holds.shape[0],
    )
    return pairs if baskets.is_valued is None else _with_values_of(pairs, baskets, baskets.is_valued)


def _with_values_of(pairs: Pairs, baskets: Baskets, is_valued: NDArray[np.bool_]) -> Pairs:
    """The same pairs with the values of those baskets whose value is known."""
    n_products = baskets.holds.shape[1]
    valued = count_pairs(
        Baskets(baskets.holds[is_valued], baskets.value[is_valued], baskets.buyer[is_valued]), min_together=1
    )
    keys, wanted = (each.first.astype(np.int64) * n_products + each.second for each in (valued, pairs))
    order = np.argsort(keys)
    place = find_sorted(keys[order], wanted)
    is_found = place >= 0
    value, n_valued = np.zeros_like(pairs.value), np.zeros_like(pairs.together)
    value[is_found] = valued.value[order[place[is_found]]]
    n_valued[is_found] = valued.together[order[place[is_found]]]
    return replace(pairs, value=value, held_value=valued.held_value, n_valued=n_valued, held_valued=valued.held)


def _pairs_of(
    owners: csr_matrix, holds: csr_matrix, buyer: NDArray[np.int64], rows: slice, min_packed: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """Add up customer by customer, then over customers: what each has counts once among the buyers."""
    chunk = owners[rows]
    product_of, of_chunk = numbers_of_ranges(chunk.indptr), buyer[chunk.indices]
    starts = np.flatnonzero(run_starts(product_of, of_chunk))
    shape = (len(starts), chunk.shape[1])
    by_customer = csr_matrix((chunk.data, chunk.indices, np.append(starts, chunk.nnz)), shape=shape) @ holds
    ones, bounds = np.ones(len(starts), dtype=np.int64), offsets_of_sorted(product_of[starts], chunk.shape[0])
    over_customers = csr_matrix((ones, np.arange(len(starts)), bounds), shape=(chunk.shape[0], len(starts)))
    product = over_customers @ by_customer
    by_customer.data[:] = 1
    # The same entries in the same order: both products have one structure.
    buyers = (over_customers @ by_customer).data
    kept = np.flatnonzero(product.data >= min_packed)
    first = (np.searchsorted(product.indptr, kept, side="right") - 1 + rows.start).astype(np.int32)
    second = product.indices[kept]
    is_upper = second > first
    kept, second = kept[is_upper], second[is_upper].astype(np.int32)
    return first[is_upper], second, product.data[kept], buyers[kept]


def _chunks(owners: csr_matrix, holds: csr_matrix) -> Iterator[slice]:
    """Runs of product rows with about equally many steps to make."""
    sizes = np.diff(holds.indptr)
    steps = offsets_of(sizes[owners.indices])
    return slices_of_equal_work(steps[owners.indptr[1:]], STEPS_PER_CHUNK)
