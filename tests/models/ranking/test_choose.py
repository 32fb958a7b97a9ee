"""The blend and the hyperparameters are chosen by what the validation window rewards."""

import numpy as np
import pytest

from models.evaluate.ranking import measure_window
from models.ranking.blend import BlendScorer
from models.ranking.choose import NEVER, POPULARITY_SHARES, Pool, best_weights, choose_blend, collect_pool
from models.ranking.fit import fit_rankers
from models.ranking.settings import BlendWeights, RankingParameters
from tests.models.histories import DAY
from tests.models.ranking.samples import AS_OF, random_interactions

PARAMETERS = RankingParameters(embedding_size=4, iterations=3)
HISTORY = random_interactions(seed=5)
CUT = AS_OF - 60 * DAY
LEARNED, VALIDATION = HISTORY.select(HISTORY.time < CUT), HISTORY.select(HISTORY.time >= CUT)


def pool_of(right: int) -> Pool:
    """Forty products, of which one ranker lists the bought one first and the others last."""
    scores = np.tile(np.linspace(1, 0.1, 40, dtype=np.float32), (4, 5, 1))
    scores[:, :, 39], scores[right, :, 39] = 0, 2
    is_hit = np.zeros((5, 40), dtype=np.bool_)
    is_hit[:, 39] = True
    return Pool(scores, is_hit, np.ones(5))


@pytest.mark.parametrize(("right", "name"), [(0, "als"), (1, "affinity"), (2, "popularity"), (3, "similar_accounts")])
def test_the_ranker_that_is_right_gets_the_most_weight(right: int, name: str) -> None:
    weights = best_weights(pool_of(right))

    assert getattr(weights, name) == max(weights.as_shares())


@pytest.mark.parametrize("popularity", POPULARITY_SHARES)
def test_affinity_may_have_no_share_at_all(popularity: float) -> None:
    class WithoutAffinity(Pool):
        def gain(self, weights: BlendWeights) -> float:
            return float(weights.affinity == 0 and weights.popularity == popularity)

    weights = best_weights(WithoutAffinity(**vars(pool_of(0))))

    assert weights.als == pytest.approx(1 - popularity)
    assert weights.popularity == popularity
    assert 0 <= weights.affinity < 1e-9


def test_similar_accounts_that_gain_nothing_get_no_weight() -> None:
    pool = pool_of(0)

    assert best_weights(pool).similar_accounts == 0


def test_the_middle_of_equally_good_weights_is_chosen() -> None:
    pool = Pool(np.ones((4, 2, 30), dtype=np.float32), np.ones((2, 30), dtype=np.bool_), np.ones(2))

    weights = best_weights(pool)

    assert weights.als == pytest.approx(weights.affinity, abs=1e-3)


def test_a_pool_as_large_as_the_catalogue_gives_the_metric_itself() -> None:
    fitted = fit_rankers(LEARNED, CUT, PARAMETERS, lambda message: None)
    weights = BlendWeights(0.3, 0.5, 0.2)

    pool = collect_pool(fitted, LEARNED, VALIDATION)

    measured = measure_window(BlendScorer(fitted, weights), LEARNED, VALIDATION, k=20, limit=100, seed=0)
    assert pool is not None
    assert pool.gain(weights) == pytest.approx(measured.ndcg.mean())
    assert pool.scores.max() <= 1 + 1e-6
    assert (pool.scores == NEVER).any()


def test_the_default_weights_stay_where_nothing_can_be_learnt() -> None:
    fitted = fit_rankers(LEARNED, CUT, PARAMETERS, lambda message: None)
    nothing = VALIDATION.select(np.zeros(VALIDATION.n_lines, dtype=np.bool_))

    assert choose_blend(fitted, LEARNED, nothing).weights == BlendWeights()
