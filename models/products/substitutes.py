"""Substitutes: products of a category that the same accounts buy, but hardly ever together."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import pdtr

from models.arrays import find_sorted, first_of_each
from models.artifact import Products
from models.artifact.relationships import BASKETS, SUBSTITUTE
from models.data.interactions import Interactions
from models.products.groups import groups_of, members
from models.products.measures import Counts, attraction_p, discovered
from models.products.pairs import Pairs
from models.products.parameters import RelationshipParameters
from models.products.rows import Rows, concatenate, make_rows


def find_substitutes(
    interactions: Interactions, products: Products, pairs: Pairs, parameters: RelationshipParameters
) -> Rows:
    """Find pairs that significantly many accounts share, and that share significantly few of those accounts' baskets.

    Chance would put both into a basket as often as each account's orders of the one, times those of the other, over
    all of its orders, summed over accounts; the baskets that do hold both are compared with that by Poisson's law.
    """
    orders = _orders_per_account(interactions)
    n_orders = np.maximum(_totals(interactions), 1)
    category, n_categories = groups_of(products.categories)
    has = orders.copy()
    has.data[:] = 1
    n_holders = np.asarray(has.sum(axis=1)).ravel()
    shares = orders.multiply(1 / n_orders[None, :]).tocsr()
    parts: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]] = []
    n_tests = 0
    for rows in members(category, n_categories, n_holders >= parameters.min_together):
        n_tests += len(rows) * (len(rows) - 1) // 2
        both = (has[rows] @ has[rows].T).tocoo()
        kept = (both.row < both.col) & (both.data >= parameters.min_together)
        expected = (shares[rows] @ orders[rows].T).tocsr()
        low, high = both.row[kept], both.col[kept]
        if not len(low):
            continue  # the library gives another kind of object for no entries
        parts.append((rows[low], rows[high], both.data[kept], np.asarray(expected[low, high]).ravel()))
    if not parts:
        return concatenate([_rows(np.empty(0, np.int32), np.empty(0, np.int32), _no_counts(), np.empty(0))])
    first, second, shared, expected = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    accounts = Counts(shared, n_holders[first], n_holders[second], float(orders.shape[1]))
    together = _together(pairs, np.minimum(first, second), np.maximum(first, second))
    rate = parameters.false_discovery_rate
    is_shared = discovered(attraction_p(accounts), n_tests, rate)
    is_apart = discovered(pdtr(together, expected), n_tests, rate)
    missed = 1 - together / np.maximum(expected, 1e-9)
    kept = np.flatnonzero(is_shared & is_apart & (missed >= 1 - parameters.max_substitute_share))
    counts, missed, first, second = accounts[kept], missed[kept], first[kept], second[kept]
    return concatenate([_rows(first, second, counts, missed), _rows(second, first, counts.swapped(), missed)])


def _rows(first: NDArray[np.int32], second: NDArray[np.int32], counts: Counts, missed: NDArray[np.float64]) -> Rows:
    return make_rows(first, second, counts, relation=SUBSTITUTE, evidence=BASKETS, strength=missed)


def _no_counts() -> Counts:
    return Counts(np.empty(0), np.empty(0), np.empty(0), 0.0)


def _orders_per_account(interactions: Interactions) -> csr_matrix:
    """Return float64 (n_products, n_accounts): in how many orders each account bought each product."""
    lines = np.flatnonzero(interactions.is_known & (interactions.quantity > 0))
    lines = lines[first_of_each(interactions.order[lines], interactions.product[lines])]
    entries = (np.ones(len(lines)), (interactions.product[lines], interactions.account[lines]))
    orders = csr_matrix(entries, shape=(interactions.n_products, interactions.n_accounts))
    orders.sum_duplicates()
    return orders


def _totals(interactions: Interactions) -> NDArray[np.float64]:
    """Return float64 (n_accounts,): each account's orders."""
    lines = np.flatnonzero(interactions.is_known & (interactions.quantity > 0))
    _, first = np.unique(interactions.order[lines], return_index=True)
    return np.bincount(interactions.account[lines[first]], minlength=interactions.n_accounts).astype(np.float64)


def _together(pairs: Pairs, first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.float64]:
    """Look up the baskets that hold both. Pairs seen once are not stored, and count as 0."""
    n_products = len(pairs.held)
    keys = pairs.first.astype(np.int64) * n_products + pairs.second
    order = np.argsort(keys, kind="stable")
    wanted = first.astype(np.int64) * n_products + second
    places = find_sorted(keys[order], wanted)
    together = np.append(pairs.together[order], 0)  # -1, of what is absent, is the last
    return together[places].astype(np.float64)
