"""Metrics of ranked lists, against what accounts bought afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.arrays import numbers_of_ranges
from models.data.interactions import Interactions, owned_matrix
from models.data.split import DAY_SECONDS
from models.ranking.scorer import Scorer
from models.ranking.top import in_batches, top_products


@dataclass(frozen=True)
class RankingMetrics:
    """Per-account metrics of lists cut at ``k``, each float64 (n,), and the share of products that were listed.

    rows:     int32 (n,), the accounts.
    recall:   hits over the number of relevant products. Not capped at k: with more than k relevant it stays below 1.
    ndcg:     binary gain, discounted by log2(rank + 1), over the gain of a perfect list of k.
    hit_rate: 1 where at least one relevant product is listed.
    coverage: distinct products listed for anyone, over products that may be listed.
    """

    k: int
    rows: NDArray[np.int32]
    recall: NDArray[np.float64]
    ndcg: NDArray[np.float64]
    hit_rate: NDArray[np.float64]
    coverage: float


def discounts(k: int) -> NDArray[np.float64]:
    """Return float64 (k,): 1 / log2(rank + 1) for ranks from 1."""
    return 1 / np.log2(np.arange(2, k + 2))


def ideal_gain(n_relevant: NDArray[np.int32], k: int) -> NDArray[np.float64]:
    """Return the discounted gain of perfect lists of k for accounts with so many relevant products, at least one."""
    gains: NDArray[np.float64] = np.cumsum(discounts(k))[np.minimum(n_relevant, k) - 1]
    return gains


def relevant_products(window: Interactions, learned: Interactions, owned: csr_matrix | None) -> csr_matrix:
    """Return bool (n_accounts, n_products): what each account bought in a window.

    Only products that somebody bought in the learned window can be ranked, so only they are relevant.
    owned: products to leave out, for the target "new"; None for the target "all".
    """
    is_bought = window.is_known & (window.quantity > 0)
    lines = np.flatnonzero(is_bought & learned.is_sold[window.product])
    shape = (window.n_accounts, window.n_products)
    coordinates = (window.account[lines], window.product[lines])
    bought = csr_matrix((np.ones(len(lines), dtype=np.float32), coordinates), shape=shape)
    bought.sum_duplicates()
    bought.data[:] = 1
    if owned is not None:
        bought = bought - bought.multiply(owned.astype(np.bool_).astype(np.float32))
    bought.eliminate_zeros()
    relevant: csr_matrix = bought.tocsr().astype(np.bool_)
    relevant.sort_indices()
    return relevant


def recent_products(learned: Interactions, start: int, days: int) -> NDArray[np.bool_] | None:
    """Return bool (n_products,): what was first sold within so many days before a window that begins at ``start``.

    None where the learned history does not reach back further: anything could have been sold before it.
    """
    begin = start - days * DAY_SECONDS
    if learned.time.min(initial=start) >= begin:
        return None
    return (learned.first_sold >= begin) & learned.is_sold


def keep_products(relevant: csr_matrix, is_kept: NDArray[np.bool_]) -> csr_matrix:
    """Return the entries, bool (n_accounts, n_products), of the products that are kept."""
    kept = relevant.copy()
    kept.data &= is_kept[kept.indices]
    kept.eliminate_zeros()
    return kept


def accounts_to_rank(owned: csr_matrix, relevant: csr_matrix, limit: int, seed: int) -> NDArray[np.int32]:
    """Return the accounts with a history and something to find, sorted; a seeded sample of them beyond the limit."""
    rows = np.flatnonzero((np.diff(owned.indptr) > 0) & (np.diff(relevant.indptr) > 0)).astype(np.int32)
    if len(rows) > limit:
        rows = np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))
    return rows


def measure_ranking(
    scorer: Scorer, rows: NDArray[np.int32], relevant: csr_matrix, excluded: csr_matrix | None, k: int
) -> RankingMetrics:
    """Rank all products for each account and compare the first k with what is relevant.

    rows:     int32 (n,), accounts with at least one relevant product.
    excluded: products never listed, for the target "new" what is owned; None for the target "all".
    """
    (products,) = rank_products(scorer, rows, (excluded,), relevant.shape[1], k)
    return compare_lists(products, rows, relevant)


def rank_products(
    scorer: Scorer, rows: NDArray[np.int32], exclusions: Sequence[csr_matrix | None], n_products: int, k: int
) -> list[NDArray[np.int32]]:
    """Return the first k products of each account, int32 (n, k), for each of some exclusions.

    exclusions: what is never listed, each a superset of the one before; None excludes nothing.
    Scores once. Works in batches: accounts times products are never in memory at once.
    """

    def rank(batch: NDArray[np.int32]) -> list[NDArray[np.int32]]:
        scores = scorer.score(batch)
        return [top_products(_without(scores, excluded, batch), k)[0] for excluded in exclusions]

    batches = list(in_batches(rank, rows, n_products))
    nothing = np.empty((0, k), dtype=np.int32)
    return [np.concatenate([nothing, *(lists[n] for lists in batches)]) for n in range(len(exclusions))]


def compare_lists(products: NDArray[np.int32], rows: NDArray[np.int32], relevant: csr_matrix) -> RankingMetrics:
    """Compare ranked lists, int32 (n, k), of the accounts in ``rows`` with what is relevant to them."""
    k = products.shape[1]
    hits = _is_relevant(products, relevant[rows])
    n_relevant = np.diff(relevant[rows].indptr)
    return RankingMetrics(
        k=k,
        rows=rows,
        recall=hits.sum(axis=1) / n_relevant,
        ndcg=hits @ discounts(k) / ideal_gain(n_relevant, k),
        hit_rate=np.max(hits, axis=1, initial=0).astype(np.float64),
        coverage=len(np.unique(products[products >= 0])) / relevant.shape[1],
    )


def measure_window(
    scorer: Scorer, learned: Interactions, window: Interactions, k: int, limit: int, seed: int, target: str = "new"
) -> RankingMetrics:
    """Measure on the purchases of a window that followed the learned one.

    target: "new" for products the account did not own; "all" also counts what it bought again.
    """
    owned = owned_matrix(learned)
    excluded = {"new": owned, "all": None}[target]
    relevant = relevant_products(window, learned, excluded)
    return measure_ranking(scorer, accounts_to_rank(owned, relevant, limit, seed), relevant, excluded, k)


def _without(scores: NDArray[np.float32], excluded: csr_matrix | None, rows: NDArray[np.int32]) -> NDArray[np.float32]:
    if excluded is not None:
        batch = excluded[rows]
        scores[numbers_of_ranges(batch.indptr), batch.indices] = -np.inf
    return scores


def _is_relevant(products: NDArray[np.int32], relevant: csr_matrix) -> NDArray[np.bool_]:
    n_products = relevant.shape[1]
    line = np.arange(len(products), dtype=np.int64)[:, None]
    wanted = numbers_of_ranges(relevant.indptr) * n_products + relevant.indices
    return np.isin(line * n_products + products, wanted) & (products >= 0)
