"""One score from four rankers, and extra scores where they are given, explained by what the account owns."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from models.artifact.content import BY_POPULARITY
from models.ranking.explain import ExplainedAls, alike_groups, histories_of, strongest
from models.ranking.fit import FittedRankers
from models.ranking.scorer import AdditiveScorer
from models.ranking.settings import BlendWeights
from models.ranking.top import in_batches

REASONS = 2


def peaks(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each row's best score, float32 (n,): what its scores are divided by, 1 where nothing is positive."""
    best = scores.max(axis=1)
    return np.where(best > 0, best, np.float32(1)).astype(np.float32)


@dataclass(frozen=True)
class BlendScorer:
    """Scores by ``sum_r weight_r * score_r / peak_r``: each ranker's best product of an account counts as 1.

    The peak of an account is over all products, the owned ones included.
    """

    fitted: FittedRankers
    weights: BlendWeights
    name: str = "blend"
    _peaks: NDArray[np.float32] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        n_accounts = self.fitted.strength.shape[0]
        # A memo of pure values: explanations divide by the same peaks, and scoring twice would cost as much again.
        object.__setattr__(self, "_peaks", np.full((n_accounts, len(self._rankers)), np.nan, dtype=np.float32))

    @cached_property
    def _rankers(self) -> tuple[AdditiveScorer, ...]:
        """Whose scores rest on what an account owns, in the order of ``_weights``."""
        rankers: tuple[AdditiveScorer, ...] = (ExplainedAls(self.fitted.als), self.fitted.affinity)
        return (*rankers, self.fitted.similar_accounts) if self.weights.similar_accounts else rankers

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (len(rows), n_products)."""
        parts = [ranker.score(rows) for ranker in self._rankers]
        scales = self._weigh(np.stack([peaks(part) for part in parts], axis=1), rows)
        for place, part in enumerate(parts):
            part *= scales[:, place, None]
        blended, *others = parts
        for part in (*others, self._popularity):
            blended += part
        if self.weights.extra_scores and self.fitted.extra_scores:
            extra = self.fitted.extra_scores.score(rows)
            extra *= np.float32(self.weights.extra_scores) / peaks(extra)[:, None]
            blended += extra
        return blended

    def score_each(self, rows: NDArray[np.int32]) -> list[NDArray[np.float32]]:
        """Return the blend's score, and after it every ranker's over its peak, those that have no weight too.

        Each float32 (len(rows), n_products), the rankers in the order of the weights.
        """
        scored = [ranker.score(rows) for ranker in self.fitted.scorers]
        best = np.stack([peaks(scores) for scores in scored], axis=1)
        self._peaks[rows] = best[:, [0, 1, 3][: len(self._rankers)]]
        blend, weighted = np.zeros_like(scored[0]), np.empty_like(scored[0])
        for place, weight in enumerate(self.weights.as_shares()[: len(scored)]):
            scored[place] /= best[:, place, None]
            if weight:
                blend += np.multiply(scored[place], np.float32(weight), out=weighted)
        return [blend, *scored]

    @cached_property
    def _popularity(self) -> NDArray[np.float32]:
        """Float32 (P,): what a product's popularity adds to its score."""
        popularity = self.fitted.popularity.popularity
        weighted: NDArray[np.float32] = popularity * (np.float32(self.weights.popularity) / peaks(popularity[None])[0])
        return weighted

    def explain(
        self, rows: NDArray[np.int32], products: NDArray[np.int32], is_reason: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int32]:
        """Name the up to two owned products that contributed most to each candidate's score.

        rows:     (n,) accounts. products: (n, K) candidates, -1 padded.
        is_reason: bool (P,), what may be named; by default, all.
        Returns int32 (n, K, 2), best first, -1 where no owned product contributed positively; BY_POPULARITY first where
        a product's popularity added as much to its score as all that the account owns, or more.
        A contribution is exact for affinity. For ALS it is the decomposition of Hu, Koren, Volinsky (ICDM 2008,
        section 5), which takes the account's factors as the exact solution given the products', where implicit takes
        a few steps of conjugate gradients towards it. Popularity has no owned product behind it, and extra scores take
        no part in reasons: nothing is known of what they rest on.
        """
        reasons = np.full((*products.shape, REASONS), -1, dtype=np.int32)
        scales = self._scales(rows)
        sizes = np.diff(self.fitted.strength.indptr)[rows]
        # Systems this small only lose by a second BLAS thread.
        with threadpool_limits(1):
            for group in alike_groups(sizes, self.fitted.parameters.embedding_size):
                share = self.contributions(rows[group], products[group], scales[group])
                owned = histories_of(self.fitted.strength, rows[group])
                is_popular = self._popularity[np.maximum(products[group], 0)] >= share.sum(axis=2)
                if is_reason is not None:
                    share *= is_reason[owned.products][:, None, :]
                reasons[group] = strongest(share, owned.products, REASONS)
                reasons[group[:, None], np.arange(products.shape[1]), 0] = np.where(
                    is_popular & (products[group] >= 0), BY_POPULARITY, reasons[group, :, 0]
                )
        return reasons

    def contributions(
        self, rows: NDArray[np.int32], candidates: NDArray[np.int32], scales: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return what each owned product adds to each candidate's score, 0 for padded candidates.

        candidates: (m, K), -1 padded. scales: float32 (m, R), weight over peak of each ranker but popularity.
        Returns float32 (m, K, n), n the longest history of the accounts, each in the order of its row of strengths.
        """
        longest = int(np.diff(self.fitted.strength.indptr)[rows].max(initial=0))
        share = np.zeros((*candidates.shape, longest), dtype=np.float32)
        for place, ranker in enumerate(self._rankers):
            share += ranker.contributions(rows, candidates) * scales[:, place, None, None]
        share[candidates < 0] = 0
        return share

    def _scales(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        missing = rows[np.isnan(self._peaks[rows, 0])]
        for _ in in_batches(self.score, missing, self.fitted.strength.shape[1]):
            pass
        scales: NDArray[np.float32] = self._weights / self._peaks[rows]
        return scales

    def _weigh(self, peaks: NDArray[np.float32], rows: NDArray[np.int32]) -> NDArray[np.float32]:
        self._peaks[rows] = peaks
        return self._weights / peaks

    @property
    def _weights(self) -> NDArray[np.float32]:
        weights = (self.weights.als, self.weights.affinity, self.weights.similar_accounts)
        return np.array(weights[: len(self._rankers)], dtype=np.float32)
