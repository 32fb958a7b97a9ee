"""Count the customers who bear out that pairs of products go together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.arrays import concatenate_ranges, distinct_keys, find_sorted, offsets_of_sorted, slices_of_equal_work
from models.artifact.evidence import Evidence
from models.products.pairs import Baskets, Pairs, buyers_of

MIN_CUSTOMERS = 3
"""Fewer customers, or orders, are an accident: a reason states no such number."""
LOOKUPS_AT_ONCE = 5_000_000


@dataclass(frozen=True)
class PairKeys:
    """Pairs of products by the lower row times the number of products, plus the higher."""

    keys: NDArray[np.int64]
    n_products: int

    @classmethod
    def from_pairs(cls, first: NDArray[np.int32], second: NDArray[np.int32], n_products: int) -> "PairKeys":
        """Number pairs, each once. Pairs with padding, or of a product with itself, are left out."""
        kept = (first >= 0) & (second >= 0) & (first != second)
        low, high = np.minimum(first, second)[kept].astype(np.int64), np.maximum(first, second)[kept]
        return cls(distinct_keys(low * n_products + high), n_products)

    @property
    def rows(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The lower and the higher row of each pair."""
        low, high = np.divmod(self.keys, self.n_products)
        return low.astype(np.int32), high.astype(np.int32)


def count_evidence(
    first: NDArray[np.int32], second: NDArray[np.int32], baskets: Baskets, pairs: Pairs, owned: csr_matrix
) -> Evidence:
    """Count what bears out pairs of products. first, second: int32 (n,), -1 padded. owned: (n_accounts, P)."""
    named = PairKeys.from_pairs(first, second, owned.shape[1])
    orders, buyers = orders_with_both(named, pairs)
    owners = owners_of_both(named, owned)
    is_borne_out = (orders > 0) | (owners > 0)
    low, high = (rows[is_borne_out] for rows in named.rows)
    return Evidence(
        starts=offsets_of_sorted(low, named.n_products),
        other=high,
        orders=orders[is_borne_out].astype(np.int32),
        buyers=buyers[is_borne_out].astype(np.int32),
        owners=owners[is_borne_out].astype(np.int32),
        n_buyers=np.bincount(buyers_of(baskets).indices, minlength=named.n_products).astype(np.int32),
    )


def orders_with_both(named: PairKeys, pairs: Pairs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return int64 (n,) each: the orders with both products and their buyers, 0 below the gate or by chance."""
    counted = pairs.first.astype(np.int64) * named.n_products + pairs.second
    order = np.argsort(counted, kind="stable")
    places = find_sorted(counted[order], named.keys)
    together, buyers = (np.append(column[order], 0)[places] for column in (pairs.together, pairs.buyers))
    low, high = named.rows
    is_more_than_chance = together * float(pairs.n_baskets) > pairs.held[low].astype(np.float64) * pairs.held[high]
    stands = (together >= MIN_CUSTOMERS) & (buyers >= MIN_CUSTOMERS) & is_more_than_chance
    return np.where(stands, together, 0), np.where(stands, buyers, 0)


def owners_of_both(named: PairKeys, owned: csr_matrix) -> NDArray[np.int64]:
    """Return int64 (n,): the accounts that have both products, 0 below the gate or by chance."""
    holders = owned.T.tocsr()
    holders.sort_indices()
    n_accounts = owned.shape[0]
    n_held = np.diff(holders.indptr)
    held = np.repeat(np.arange(len(n_held)) * np.int64(n_accounts), n_held) + holders.indices
    low, high = named.rows
    is_turned = n_held[low] > n_held[high]
    rare, common = np.where(is_turned, high, low), np.where(is_turned, low, high)
    both = np.zeros(len(low), dtype=np.int64)
    # What the rarer product's holders can't reach is not looked up.
    enough = np.flatnonzero(n_held[rare] >= MIN_CUSTOMERS)
    work = np.cumsum(n_held[rare[enough]])
    for part in slices_of_equal_work(work, LOOKUPS_AT_ONCE) if len(enough) else ():
        chosen = enough[part]
        numbers, places = concatenate_ranges(holders.indptr[rare[chosen]], n_held[rare[chosen]])
        wanted = common[chosen][numbers] * np.int64(n_accounts) + holders.indices[places]
        both[chosen] = np.bincount(numbers[find_sorted(held, wanted) >= 0], minlength=len(chosen))
    n_buying = int((np.diff(owned.indptr) > 0).sum())
    is_more_than_chance = both * float(n_buying) > n_held[low].astype(np.float64) * n_held[high]
    return np.where((both >= MIN_CUSTOMERS) & is_more_than_chance, both, 0)
