"""Up-sells: more valuable versions of a product, by tier or by price, and how many accounts moved up."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import bdtrc

from models.artifact import NO_NUMBER, Products
from models.artifact.relationships import DECLARED, MOVES, UP_SELL
from models.products.groups import groups_of, members
from models.products.measures import Counts, discovered
from models.products.parameters import RelationshipParameters
from models.products.rows import Rows, make_rows
from models.products.timing import FirstPurchases, moves_between


def find_upgrades(
    purchases: FirstPurchases, products: Products, prices: NDArray[np.float64], parameters: RelationshipParameters
) -> Rows:
    """Find upgrades that the catalogue declares, and those that accounts move up to.

    Within a family, a higher tier is an upgrade unless it costs less. Elsewhere in a category a clearly higher price
    is one, but only where significantly more accounts bought the cheaper first than the dearer, and many of them moved
    up: best-sellers are bought first by most accounts, so that order alone proves little. An upgrade always leads
    upwards, by tier or by price, so that there are no cycles.
    """
    declared = _higher_tiers(products, prices)
    dearer = _dearer(purchases, products, prices, parameters)
    first = np.concatenate([declared[0], dearer[0]])
    second = np.concatenate([declared[1], dearer[1]])
    is_declared = np.arange(len(first)) < len(declared[0])
    moves = moves_between(purchases, first, second)
    n_bought = np.diff(purchases.starts).astype(np.float64)
    p = np.where(
        moves.after > 0, bdtrc(np.maximum(moves.after, 1) - 1, np.maximum(moves.after + moves.before, 1), 0.5), 1.0
    )
    rate = moves.after / np.maximum(n_bought[first], 1)
    is_upward = (moves.after >= parameters.min_together) & (rate >= parameters.min_move_rate) & ~is_declared
    is_upward &= discovered(
        np.where(is_declared, 1.0, p), int((~is_declared).sum()) or 1, parameters.false_discovery_rate
    )
    kept = np.flatnonzero(is_declared | is_upward)
    counts = Counts(
        moves.after[kept].astype(np.float64), n_bought[first[kept]], n_bought[second[kept]], purchases.n_accounts
    )
    is_moved = moves.after[kept] >= parameters.min_together
    return make_rows(
        first[kept],
        second[kept],
        counts,
        relation=UP_SELL,
        evidence=np.where(is_moved, MOVES, DECLARED).astype(np.int8),
        strength=rate[kept],
    )


def _higher_tiers(products: Products, prices: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return pairs of one family, the second of a higher tier and not cheaper."""
    family, n_families = groups_of(products.families)
    first: list[NDArray[np.int32]] = [np.empty(0, dtype=np.int32)]
    second: list[NDArray[np.int32]] = [np.empty(0, dtype=np.int32)]
    for rows in members(family, n_families, products.tiers != NO_NUMBER):
        rows = rows[np.argsort(products.tiers[rows], kind="stable")]
        # Where a price is unknown, it is at least that of the tiers below: else a ladder could come back down.
        tiers, costs = products.tiers[rows], prices[rows]
        costs = np.where(np.isnan(costs), np.fmax.accumulate(costs), costs)
        low, high = np.nonzero((tiers[:, None] < tiers) & ~(costs[:, None] > costs))
        first.append(rows[low])
        second.append(rows[high])
    return np.concatenate(first), np.concatenate(second)


def _dearer(
    purchases: FirstPurchases, products: Products, prices: NDArray[np.float64], parameters: RelationshipParameters
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return pairs of one category that enough accounts bought both of, the second clearly dearer, without tiers."""
    n_products = len(prices)
    category, n_categories = groups_of(products.categories)
    family, _ = groups_of(products.families)
    has_tier = (products.tiers != NO_NUMBER) & (family >= 0)
    is_sold = np.diff(purchases.starts) >= parameters.min_together
    bought = csr_matrix(
        (np.ones(len(purchases.account), dtype=np.int32), purchases.account, purchases.starts),
        shape=(n_products, purchases.n_accounts),
    )
    first: list[NDArray[np.int32]] = [np.empty(0, dtype=np.int32)]
    second: list[NDArray[np.int32]] = [np.empty(0, dtype=np.int32)]
    for rows in members(category, n_categories, is_sold & ~np.isnan(prices)):
        block = bought[rows]
        shared = (block @ block.T).tocoo()
        enough = shared.data >= parameters.min_together
        low, high = rows[shared.row[enough]], rows[shared.col[enough]]
        ratio = prices[high] / prices[low]
        is_dearer = (ratio >= parameters.min_price_ratio) & (ratio <= parameters.max_price_ratio)
        is_told_by_tier = has_tier[low] & has_tier[high] & (family[low] == family[high])
        first.append(low[is_dearer & ~is_told_by_tier])
        second.append(high[is_dearer & ~is_told_by_tier])
    return np.concatenate(first), np.concatenate(second)
