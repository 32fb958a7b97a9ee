"""Fit the rankers on one window."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix

from models.data.errors import HistoryInvalid
from models.data.interactions import Interactions
from models.ranking.affinity import fit_affinity
from models.ranking.als import AlsScorer, fit_als
from models.ranking.extra_scores import ExtraScorer
from models.ranking.popularity import PopularityScorer, fit_popularity
from models.ranking.scorer import AdditiveScorer, Scorer
from models.ranking.settings import RankingParameters
from models.ranking.similar_accounts import SimilarAccountsScorer
from models.ranking.weights import strength_matrix


@dataclass(frozen=True)
class FittedRankers:
    """The four rankers of one window, with the strengths (n_accounts, n_products) that they learnt from.

    extra_scores: a fifth ranker, where extra scores are given.
    """

    als: AlsScorer
    affinity: AdditiveScorer
    popularity: PopularityScorer
    similar_accounts: SimilarAccountsScorer
    strength: csr_matrix
    parameters: RankingParameters
    extra_scores: ExtraScorer | None = None

    @property
    def scorers(self) -> tuple[Scorer, ...]:
        """In the order of the blend's weights; extra scores last, where they are given."""
        rankers: tuple[Scorer, ...] = (self.als, self.affinity, self.popularity, self.similar_accounts)
        return rankers if self.extra_scores is None else (*rankers, self.extra_scores)

    def without_extra_scores(self) -> "FittedRankers":
        """The same four rankers alone."""
        return replace(self, extra_scores=None)


def fit_rankers(
    train: Interactions,
    as_of: int,
    parameters: RankingParameters,
    progress: Callable[[str], None],
    warm: FittedRankers | None = None,
    extra_scores: ExtraScorer | None = None,
    als: AlsScorer | None = None,
) -> FittedRankers:
    """Fit ALS, affinity and popularity on the lines of ``train``, aged at ``as_of`` (local seconds).

    warm: rankers of an earlier window over the same account and product rows; ALS starts from their factors.
    extra_scores: are no part of the fit, and join the rankers. als: if it is already fitted.
    Raises HistoryInvalid if no known account holds a product, FloatingPointError if a fit diverged.
    """
    strength = strength_matrix(train, as_of, parameters.half_life_days)
    if strength.nnz == 0:
        raise HistoryInvalid("the sales history", ["in one of its windows no known account keeps what it bought"])
    if als is None:
        progress(f"fitting ALS on {strength.nnz:,} pairs of account and product")
        als = fit_als(strength, parameters, warm.als if warm else None)
    if not (np.isfinite(als.account_factors).all() and np.isfinite(als.product_factors).all()):
        raise FloatingPointError("ALS diverged: its factors are not finite")
    progress("fitting affinity and popularity")
    affinity, popularity = fit_affinity(strength, parameters), fit_popularity(train, as_of, parameters)
    similar = SimilarAccountsScorer(strength)
    return FittedRankers(als, affinity, popularity, similar, strength, parameters, extra_scores)


def refit(
    fitted: FittedRankers, train: Interactions, as_of: int, parameters: RankingParameters, als: AlsScorer
) -> FittedRankers:
    """Give rankers another ALS and other hyperparameters with the same half-life; what these leave as it is stays.

    train, as_of: what ``fitted`` learned from.
    """
    of_als = {name: getattr(parameters, name) for name in ("alpha", "regularization", "embedding_size")}
    changed = replace(fitted, als=als, parameters=parameters)
    if replace(fitted.parameters, **of_als) == parameters:
        return changed
    affinity, popularity = fit_affinity(fitted.strength, parameters), fit_popularity(train, as_of, parameters)
    return replace(changed, affinity=affinity, popularity=popularity)
