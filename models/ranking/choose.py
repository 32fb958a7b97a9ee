"""Choose the blend's weights on a window that the rankers have not seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.arrays import numbers_of_ranges
from models.data.interactions import Interactions, owned_matrix
from models.evaluate.ranking import accounts_to_rank, discounts, ideal_gain, relevant_products
from models.ranking.blend import peaks
from models.ranking.fit import FittedRankers
from models.ranking.scorer import Scorer
from models.ranking.settings import BlendWeights
from models.ranking.top import in_batches, top_products

CUT = 20
POOL = 100
ACCOUNTS = 2_500
POPULARITY_SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
ALS_SHARES = tuple(step / 10 for step in range(11))
SIMILAR_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
EXTRA_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
MIN_GAIN = 1.01
"""The factor that similar accounts, and extra scores, have to gain: a smaller gain is not worth what they cost."""
NEVER = np.float32(-1e6)
"""Ranks below everything and, unlike minus infinity, may be multiplied by a weight of 0."""
PLATEAU = 0.995
"""Weights whose gain is within half a percent of the best count as equally good; their middle is chosen."""


@dataclass(frozen=True)
class Pool:
    """The products that any ranker has near the top, for a sample of accounts.

    scores:   float32 (R, n, size), each of four or five rankers score over its peak; NEVER for a repetition or nothing.
    is_hit:   bool (n, size), the product was bought.
    ideal:    float64 (n,), the gain of a perfect list.
    """

    scores: NDArray[np.float32]
    is_hit: NDArray[np.bool_]
    ideal: NDArray[np.float64]

    def gain(self, weights: BlendWeights) -> float:
        """Return the mean NDCG@20 of the blend, over products in the pool."""
        shares = np.array(weights.as_shares()[: len(self.scores)], dtype=np.float32)
        has_share = shares > 0
        blended = np.tensordot(shares[has_share], self.scores[has_share], axes=1)
        count = min(CUT, blended.shape[1])
        top = np.argpartition(blended, -count, axis=1)[:, -count:]
        order = np.argsort(-np.take_along_axis(blended, top, axis=1), axis=1, kind="stable")
        hits = np.take_along_axis(self.is_hit, np.take_along_axis(top, order, axis=1), axis=1)
        return float(np.mean(hits @ discounts(count) / self.ideal))


@dataclass(frozen=True)
class ChosenBlend:
    """Weights, and what they gain on the validation window.

    without_extra: the weights that would be chosen without extra scores.
    gains: NDCG@20 with the chosen weights and without extra scores; None where no account could be learned from.
    """

    weights: BlendWeights
    without_extra: BlendWeights
    gains: tuple[float, float] | None = None

    @property
    def gain(self) -> float:
        """NDCG@20 on the validation window, 0 where no account could be learned from."""
        return self.gains[0] if self.gains else 0.0


def choose_blend(fitted: FittedRankers, learned: Interactions, validation: Interactions) -> ChosenBlend:
    """Choose the weights with the best NDCG@20 on products that are new to the account.

    learned, validation: the window that ``fitted`` saw, and the one after it.
    A coarse grid, searched over at most 2,500 accounts and over the products that some ranker has among its first
    100. The chosen point is the middle of all that are as good as the best, which a chance optimum is not. With no
    account to learn from the default weights stay.
    """
    pool = collect_pool(fitted, learned, validation)
    if pool is None:
        return ChosenBlend(BlendWeights(), BlendWeights())
    without = best_weights(pool)
    weights = without
    if fitted.extra_scores is not None:
        weights = _add_ranker(pool, without, BlendWeights.with_extra_scores, EXTRA_SHARES)
    return ChosenBlend(weights, without, (pool.gain(weights), pool.gain(without)))


def best_weights(pool: Pool) -> BlendWeights:
    """Weigh three rankers by a grid, then similar accounts beside them."""
    return _add_ranker(pool, _middle_of_plateau(pool), BlendWeights.with_similar_accounts, SIMILAR_SHARES)


def _add_ranker(
    pool: Pool, without: BlendWeights, add: Callable[[BlendWeights, float], BlendWeights], shares: Sequence[float]
) -> BlendWeights:
    """Give one more ranker the share that gains most, if it gains anything. add: gives it a share."""
    gains = np.array([pool.gain(add(without, share)) for share in shares])
    if gains.max() <= MIN_GAIN * pool.gain(without):
        return without
    near_best = np.array(shares)[gains >= PLATEAU * gains.max()]
    return add(without, round(float(near_best.mean()), 4))


def _middle_of_plateau(pool: Pool) -> BlendWeights:
    """Return the middle of the grid of weights that are as good as the best, for ALS, affinity and popularity."""
    grid = [
        BlendWeights(share * (1 - popularity), (1 - share) * (1 - popularity), popularity)
        for popularity in POPULARITY_SHARES
        for share in ALS_SHARES
    ]
    grid.append(BlendWeights(0.0, 0.0, 1.0))
    gains = np.array([pool.gain(weights) for weights in grid])
    near_best = [weights for weights, gain in zip(grid, gains, strict=True) if gain >= PLATEAU * gains.max()]
    als = round(sum(weights.als for weights in near_best) / len(near_best), 4)
    popularity = round(sum(weights.popularity for weights in near_best) / len(near_best), 4)
    # Where affinity has no share, what rounding leaves of it may be less than nothing: 1 - 0.9 - 0.1 is.
    return BlendWeights(min(als, 1 - popularity), max(1 - als - popularity, 0.0), popularity)


def collect_pool(fitted: FittedRankers, learned: Interactions, validation: Interactions) -> Pool | None:
    """Score a sample of accounts; None if no account bought anything new in the window."""
    owned = owned_matrix(learned)
    relevant = relevant_products(validation, learned, owned)
    rows = accounts_to_rank(owned, relevant, ACCOUNTS, fitted.parameters.seed)
    if len(rows) == 0:
        return None
    scorers = fitted.scorers
    batches = list(in_batches(lambda batch: _pool_batch(scorers, owned, relevant, batch), rows, owned.shape[1]))
    scores, is_hit, ideal = zip(*batches, strict=True)
    return Pool(np.concatenate(scores, axis=1), np.concatenate(is_hit), np.concatenate(ideal))


def _pool_batch(
    scorers: Sequence[Scorer], owned: csr_matrix, relevant: csr_matrix, rows: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]:
    seen, bought = owned[rows], relevant[rows]
    owner = numbers_of_ranges(seen.indptr)
    scored, tops = [], []
    for scorer in scorers:
        scores = scorer.score(rows)
        scores /= peaks(scores)[:, None]
        scores[owner, seen.indices] = -np.inf
        scored.append(scores)
        tops.append(top_products(scores, POOL)[0])
    products = np.sort(np.concatenate(tops, axis=1), axis=1)
    is_new = (products >= 0) & (np.diff(products, axis=1, prepend=-1) > 0)
    line = np.arange(len(rows))[:, None]
    pooled = np.stack([scores[line, products] for scores in scored])
    pooled[:, ~is_new] = NEVER
    is_bought = np.zeros(scored[0].shape, dtype=np.bool_)
    is_bought[numbers_of_ranges(bought.indptr), bought.indices] = True
    return pooled, is_bought[line, products] & is_new, ideal_gain(np.diff(bought.indptr), CUT)
