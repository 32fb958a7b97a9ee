"""Search the hyperparameters of the rankers on the validation window."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.data.interactions import Interactions, owned_matrix
from models.evaluate.ranking import accounts_to_rank, measure_ranking, relevant_products
from models.ranking.affinity import fit_affinity
from models.ranking.als import AlsScorer, fit_als
from models.ranking.popularity import fit_popularity
from models.ranking.scorer import Scorer
from models.ranking.settings import RankingParameters
from models.ranking.weights import scale_rows, strength_matrix

CUT = 20
ACCOUNTS = 1_000
FITTED_ACCOUNTS = 10_000
"""Settings of ALS are compared on the histories of so many accounts; what is chosen is fitted on all."""
MIN_GAIN = 1.01
"""The factor by which a change has to gain on the default: smaller gains are noise on a validation window."""
ACCOUNT_DISCOUNTS = (0.5, 1.0)
PRODUCT_DISCOUNTS = (0.3, 0.7)
POPULARITY_HALF_LIVES = (7.0, 60.0)
ALPHAS = (3.0, 10.0, 30.0)
REGULARIZATIONS = (5.0, 20.0, 60.0)
SMALL_SIZE = 64
ITERATIONS = 4
"""Of ALS in each of two rounds; more seldom change the order of the settings."""
KEPT = 3
"""Settings of ALS in the second round, with the default besides."""


@dataclass(frozen=True)
class Searched:
    """What the validation window rewards, ranker by ranker: together the best of each may be worse than the default.

    default: with few factors. with_best_als: the default but for ALS. best_of_each: of every ranker.
    default_als, als: fitted on what was learned from, with the default and with either of the others; None where no
    account could be measured.
    """

    default: RankingParameters
    with_best_als: RankingParameters
    best_of_each: RankingParameters
    default_als: AlsScorer | None
    als: AlsScorer | None


@dataclass(frozen=True)
class _Tried:
    """ALS with some parameters after some iterations, and its gain."""

    parameters: RankingParameters
    als: AlsScorer
    gain: float


class _Search:
    """Tries parameters on one window. progress: called with a line on each."""

    def __init__(
        self,
        learned: Interactions,
        validation: Interactions,
        as_of: int,
        parameters: RankingParameters,
        progress: Callable[[str], None],
    ) -> None:
        self._learned, self._as_of, self._progress = learned, as_of, progress
        self._owned = owned_matrix(learned)
        self._strength = strength_matrix(learned, as_of, parameters.half_life_days)
        self._relevant = relevant_products(validation, learned, self._owned)
        self.rows: NDArray[np.int32] = accounts_to_rank(self._owned, self._relevant, ACCOUNTS, parameters.seed)
        self._compared = sample_accounts(self._strength, self.rows, FITTED_ACCOUNTS, parameters.seed)

    def gain(self, scorer: Scorer) -> float:
        """Return the mean NDCG@20 on products that are new to the account."""
        return float(measure_ranking(scorer, self.rows, self._relevant, self._owned, CUT).ndcg.mean())

    def improve_affinity(self, parameters: RankingParameters) -> RankingParameters:
        """Try other discounts."""
        ladder = {"account_discount": ACCOUNT_DISCOUNTS, "product_discount": PRODUCT_DISCOUNTS}
        return self._improve("affinity", parameters, lambda tried: fit_affinity(self._strength, tried), ladder)

    def improve_popularity(self, parameters: RankingParameters) -> RankingParameters:
        """Try other half-lives."""
        ladder = {"popularity_half_life_days": POPULARITY_HALF_LIVES}
        fit = partial(fit_popularity, self._learned, self._as_of)
        return self._improve("popularity", parameters, fit, ladder)

    def _improve(
        self,
        ranker: str,
        parameters: RankingParameters,
        fit: Callable[[RankingParameters], Scorer],
        ladder: Mapping[str, Iterable[float]],
    ) -> RankingParameters:
        """Try values of one hyperparameter after the other in place of the current one."""
        best, gain = parameters, self.gain(fit(parameters))
        for name, values in ladder.items():
            bar = gain * MIN_GAIN
            for value in values:
                change: dict[str, Any] = {name: value}
                changed = replace(best, **change)
                tried = self.gain(fit(changed))
                if tried > max(gain, bar):
                    best, gain = changed, tried
        self._report(ranker, parameters, best, gain)
        return best

    def halve(self, parameters: RankingParameters) -> tuple[_Tried, _Tried]:
        """Fit ALS with each setting for a few iterations, go on with the best few; return the default and the best.

        All have few factors; the best is then fitted with as many as ``parameters`` has, too. The default setting stays
        to the end, and gives way to one that gains on it after as many iterations. Both are fitted to the end.
        Source: successive halving, Jamieson and Talwalkar (AISTATS 2016).
        """
        small = replace(parameters, embedding_size=min(SMALL_SIZE, parameters.embedding_size))
        default = self._go_on(small)
        first: list[_Tried] = []
        for alpha, regularization in product(ALPHAS, REGULARIZATIONS):
            setting = replace(small, alpha=alpha, regularization=regularization)
            if setting != small:
                # Only the best are kept: with a million accounts, factors take hundreds of megabytes.
                first = _best([*first, self._go_on(setting)], KEPT)
        default, *others = (self._go_on(tried.parameters, tried.als) for tried in (default, *first))
        best = max(others, key=lambda tried: tried.gain)
        best = best if best.gain > MIN_GAIN * default.gain else default
        if small.embedding_size < parameters.embedding_size:
            large = replace(best.parameters, embedding_size=parameters.embedding_size)
            tried = self._go_on(large, iterations=2 * ITERATIONS)
            best = tried if tried.gain > MIN_GAIN * best.gain else best
        self._report("ALS", parameters, best.parameters, best.gain)
        finished = self._finish(default)
        return finished, finished if best is default else self._finish(best)

    def _finish(self, tried: _Tried) -> _Tried:
        """Fit on all accounts; where they all took part so far, the fit goes on where it is."""
        iterations, warm = tried.parameters.iterations_of_fit(is_warm=False), None
        if self._compared is self._strength:
            iterations, warm = iterations - 2 * ITERATIONS, tried.als
        if iterations <= 0:
            return tried
        return replace(tried, als=fit_als(self._strength, tried.parameters, warm, iterations))

    def _go_on(
        self, parameters: RankingParameters, warm: AlsScorer | None = None, iterations: int = ITERATIONS
    ) -> _Tried:
        als = fit_als(self._compared, parameters, warm, iterations)
        return _Tried(parameters, als, self.gain(als))

    def _report(self, ranker: str, before: RankingParameters, after: RankingParameters, gain: float) -> None:
        self._progress(f"{ranker}: NDCG@20 {gain:.4f} with {describe_difference(before, after)}")


def search(
    learned: Interactions,
    validation: Interactions,
    as_of: int,
    parameters: RankingParameters,
    progress: Callable[[str], None],
) -> Searched:
    """Find the parameters with which each ranker does best on new products in the validation window.

    as_of: local seconds, when the validation window begins.
    What is tried does not depend on time: the same data give the same parameters. It costs less than one more fit
    of ALS, of which the fit for the validation window is a part. The held-out window takes no part.
    """
    tries = _Search(learned, validation, as_of, parameters, progress)
    if not len(tries.rows):
        return Searched(parameters, parameters, parameters, None, None)
    default, best = tries.halve(parameters)
    improved = tries.improve_popularity(tries.improve_affinity(best.parameters))
    return Searched(default.parameters, best.parameters, improved, default.als, best.als)


def sample_accounts(strength: csr_matrix, measured: NDArray[np.int32], limit: int, seed: int) -> csr_matrix:
    """Empty the rows of all but ``limit`` accounts, the measured ones among them.

    strength: float32 (n_accounts, n_products).
    """
    known = np.flatnonzero(np.diff(strength.indptr))
    if len(known) <= limit:
        return strength
    others = np.setdiff1d(known, measured)
    chosen = np.random.default_rng(seed).choice(others, max(limit - len(measured), 0), replace=False)
    is_kept = np.zeros(strength.shape[0], dtype=np.float32)
    is_kept[measured] = is_kept[chosen] = 1
    sampled: csr_matrix = scale_rows(strength, is_kept).copy()
    sampled.eliminate_zeros()
    return sampled


def describe_difference(before: RankingParameters, after: RankingParameters) -> str:
    """Name the hyperparameters that changed, with their new values."""
    earlier: dict[str, Any] = before.to_json()
    changes = [f"{name} {value:g}" for name, value in after.to_json().items() if value != earlier[name]]
    return ", ".join(changes) or "the parameters given"


def _best(tried: list[_Tried], count: int) -> list[_Tried]:
    return sorted(tried, key=lambda each: -each.gain)[:count]
