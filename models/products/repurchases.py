"""Learn after how many days products are bought again, and how likely their owners are to buy them again."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.arrays import numbers_of_ranges, run_starts
from models.artifact import Products, Repurchases
from models.artifact.repurchases import NO_INTERVAL, OF_CATEGORY, OF_PRODUCT
from models.data.interactions import Interactions
from models.data.split import DAY_SECONDS
from models.products.groups import groups_of

MIN_INTERVALS: Final = 20
"""So many intervals make a median: with fewer, it is known to no better than a third of itself."""
SHRINKAGE: Final = 10
"""Owners at the average rate that are added to those of each product."""


def learn_repurchases(
    interactions: Interactions, products: Products, owned: csr_matrix, probabilities: NDArray[np.float32] | None
) -> Repurchases:
    """Learn from the purchases of known accounts.

    owned: (A, P), see ``owned_matrix``. probabilities: float32 (owned.nnz,), P(the account buys it again within the
    horizon); None where they were not learned.
    """
    pair, day = purchase_days(interactions)
    n_products = owned.shape[1]
    is_again = ~run_starts(pair)
    product = (pair[is_again] % n_products).astype(np.int32)
    gap = (day[1:] - day[:-1])[is_again[1:]]
    intervals, bases = _intervals(product, gap, products)
    owned_pairs = numbers_of_ranges(owned.indptr) * np.int64(n_products) + owned.indices
    last = np.searchsorted(pair, owned_pairs, side="right") - 1
    return Repurchases(
        last_days=day[last].astype(np.int32),
        interval_days=intervals,
        interval_bases=bases,
        rates=_rates(owned, probabilities),
    )


def describe_repurchases(repurchases: Repurchases) -> dict[str, Any]:
    """Count products by what their interval rests on, for the report; days: the median over those that have one."""
    known = repurchases.interval_days[repurchases.interval_bases != NO_INTERVAL]
    names = {"of_product": OF_PRODUCT, "of_category": OF_CATEGORY, "without_interval": NO_INTERVAL}
    counts = {name: int((repurchases.interval_bases == basis).sum()) for name, basis in names.items()}
    return counts | {"median_interval_days": float(np.median(known)) if len(known) else None}


def purchase_days(interactions: Interactions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the days on which each account bought each product: its pair and the day, ascending, each day once.

    Returns int64 (n,) twice: account row times the number of products, plus product row; days since 1970.
    """
    is_purchase = interactions.is_known & (interactions.quantity > 0)
    day = interactions.time[is_purchase] // DAY_SECONDS
    first, n_days = (int(day.min()), int(np.ptp(day)) + 1) if len(day) else (0, 1)
    pair = interactions.account[is_purchase].astype(np.int64) * interactions.n_products
    pair += interactions.product[is_purchase]
    pairs, days = np.divmod(np.unique(pair * n_days + (day - first)), n_days)
    return pairs, days + first


def _intervals(
    product: NDArray[np.int32], gap: NDArray[np.int64], products: Products
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return interval and basis of each product. product, gap: (n,), of each interval that was observed."""
    category, n_categories = groups_of(list(products.categories))
    own, n_own = _medians(product, gap, len(category))
    is_in_any = category[product] >= 0
    of_category, n_of_category = _medians(category[product[is_in_any]], gap[is_in_any], max(n_categories, 1))
    bases = np.where(n_own >= MIN_INTERVALS, OF_PRODUCT, NO_INTERVAL)
    by_category = (bases == NO_INTERVAL) & (category >= 0) & (n_of_category[category] >= MIN_INTERVALS)
    bases[by_category] = OF_CATEGORY
    intervals = np.select([bases == OF_PRODUCT, by_category], [own, of_category[category]], np.nan)
    return intervals.astype(np.float32), bases.astype(np.uint8)


def _medians(
    group: NDArray[np.int32], gap: NDArray[np.int64], n_groups: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the median of each group, NaN where it is empty, and the size of each. group, gap: (n,)."""
    size = np.bincount(group, minlength=n_groups)
    begin = np.cumsum(size) - size
    ordered = np.append(gap[np.lexsort((gap, group))], 0)
    low, high = ordered[begin + np.maximum(size - 1, 0) // 2], ordered[begin + size // 2]
    return np.where(size > 0, (low + high) / 2, np.nan), size


def _rates(owned: csr_matrix, probabilities: NDArray[np.float32] | None) -> NDArray[np.float32]:
    if probabilities is None or not len(probabilities):
        return np.full(owned.shape[1], np.nan, dtype=np.float32)
    expected = np.bincount(owned.indices, probabilities, owned.shape[1])
    owners = np.bincount(owned.indices, minlength=owned.shape[1])
    average = float(probabilities.mean())
    return ((expected + SHRINKAGE * average) / (owners + SHRINKAGE)).astype(np.float32)
