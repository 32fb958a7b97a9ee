"""Sequences: products that accounts first buy soon after another product, in a later order."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.arrays import concatenate_ranges, numbers_of_ranges, slices_of_equal_work
from models.artifact.relationships import CROSS_SELL, SEQUENCE
from models.products.measures import Counts, added_confidence, attraction_p, discovered
from models.products.parameters import RelationshipParameters
from models.products.rows import Rows, make_rows
from models.products.timing import FirstPurchases

PAIRS_AT_ONCE = 5_000_000


def find_sequences(purchases: FirstPurchases, parameters: RelationshipParameters) -> Rows:
    """Find what significantly many accounts first bought within some days after they first bought something else.

    The accounts that did so in time are compared with what chance would give at any time, so that the test is
    conservative. Purchases of one day count in baskets.
    """
    n_products = len(purchases.starts) - 1
    keys, followed = count_followers(purchases, parameters.sequence_days, parameters.min_together)
    first, second = np.divmod(keys, n_products)
    n_bought = np.diff(purchases.starts).astype(np.float64)
    counts = Counts(followed.astype(np.float64), n_bought[first], n_bought[second], float(purchases.n_accounts))
    stands = discovered(attraction_p(counts), n_products * (n_products - 1), parameters.false_discovery_rate)
    counts, first, second = counts[stands], first[stands], second[stands]
    return make_rows(
        first, second, counts, relation=CROSS_SELL, evidence=SEQUENCE, strength=np.maximum(added_confidence(counts), 0)
    )


def count_followers(
    purchases: FirstPurchases, days: int, min_together: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count, for each directed pair, the accounts that first bought the second 1 to ``days`` days after the first.

    Returns int64 (n,) keys, first * n_products + second, ascending, and int64 (n,) numbers of accounts, of those that
    ``min_together`` accounts show.
    """
    parts = [np.unique(part, return_counts=True) for part in _followers(purchases, days, min_together)]
    kept = [(keys[counts >= min_together], counts[counts >= min_together]) for keys, counts in parts]
    keys, counts = zip(*kept, strict=True) if kept else ((), ())
    nothing = np.empty(0, dtype=np.int64)
    return np.concatenate([nothing, *keys]), np.concatenate([nothing, *counts])


def _followers(purchases: FirstPurchases, days: int, min_together: int) -> Iterator[NDArray[np.int64]]:
    """Yield the keys of all pairs of first purchases that are near enough, all of some products at a time."""
    n_products = len(purchases.starts) - 1
    n_bought = np.diff(purchases.starts)
    common = np.flatnonzero(np.repeat(n_bought, n_bought) >= min_together)
    product = numbers_of_ranges(purchases.starts)[common]
    account, day = purchases.account[common].astype(np.int64), purchases.day[common].astype(np.int64)
    # One axis for all accounts, on which those of different accounts are too far apart.
    day = day - day.min(initial=0)
    position = account * (int(day.max(initial=0)) + days + 2) + day
    order = np.argsort(position, kind="stable")
    ordered, follower = position[order], product[order]
    begin = np.searchsorted(ordered, position, side="right")
    sizes = np.searchsorted(ordered, position + days, side="right") - begin
    ends = np.cumsum(sizes)
    # Purchases stand product by product: a product's are not torn apart, so that its pairs are counted once.
    work = ends[np.searchsorted(product, product, side="right") - 1] if len(ends) else ends
    for rows in slices_of_equal_work(work, PAIRS_AT_ONCE):
        numbers, places = concatenate_ranges(begin[rows], sizes[rows])
        yield product[rows][numbers] * n_products + follower[places]
