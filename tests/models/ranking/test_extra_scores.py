"""Extra scores among the rankers: how they are scaled, blended, weighed and listed."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.data.extra_scores import ExtraScores
from models.data.interactions import owned_matrix
from models.ranking.blend import BlendScorer, peaks
from models.ranking.choose import choose_blend
from models.ranking.extra_scores import ExtraScorer
from models.ranking.fit import fit_rankers
from models.ranking.settings import BlendWeights, RankingParameters
from models.ranking.shortlist import EXTRA_SCORES, FirstStage
from tests.models.histories import DAY
from tests.models.ranking.samples import AS_OF, random_interactions

HISTORY = random_interactions(seed=5, n_accounts=60, n_products=30, n_lines=900)
CUT = AS_OF - 60 * DAY
LEARNED, VALIDATION = HISTORY.select(HISTORY.time < CUT), HISTORY.select(HISTORY.time >= CUT)
SHAPE = (HISTORY.n_accounts, HISTORY.n_products)
TABLE = np.random.default_rng(1).random(SHAPE).astype(np.float32)
ALONE = fit_rankers(LEARNED, CUT, RankingParameters(embedding_size=4, iterations=3), lambda _: None)
FITTED = replace(ALONE, extra_scores=ExtraScorer(csr_matrix(TABLE)))
ROWS = np.arange(SHAPE[0], dtype=np.int32)
WEIGHTS = BlendWeights(0.3, 0.4, 0.1, 0.2).with_extra_scores(0.25)


def scaled(scores: list[float]) -> list[float]:
    places = np.arange(len(scores), dtype=np.int32)
    given = ExtraScores.from_pairs(np.zeros_like(places), places, np.array(scores), (1, len(scores) + 1), "", {})
    return [float(value) for value in given.scores.toarray()[0]]


def test_positive_scores_become_shares_of_the_highest_and_what_is_not_given_counts_as_zero() -> None:
    assert scaled([2.0, 8.0, 0.0]) == [0.25, 1.0, 0.0, 0.0]


def test_where_scores_are_below_zero_what_is_not_given_counts_as_the_lowest() -> None:
    assert scaled([-4.0, -2.0, -3.0]) == [0.0, 1.0, 0.5, 0.0]


@pytest.mark.parametrize("scores", [[], [0.0, 0.0], [-1e30, 1e30], [1e-300, 3e-300]])
def test_any_scores_are_scaled_to_finite_ones(scores: list[float]) -> None:
    assert all(0 <= value <= 1 for value in scaled(scores))


def test_the_blend_adds_the_weighted_score_over_its_peak() -> None:
    blended = BlendScorer(FITTED, WEIGHTS).score(ROWS)

    without = BlendScorer(ALONE, BlendWeights(0.3, 0.4, 0.1, 0.2)).score(ROWS)
    assert blended == pytest.approx(0.75 * without + 0.25 * TABLE / peaks(TABLE)[:, None], abs=1e-5)


def test_scores_for_all_rankers_hold_the_extra_score_last_and_agree_with_the_blend() -> None:
    scorer = BlendScorer(FITTED, WEIGHTS)

    blend, *rankers = scorer.score_each(ROWS)

    assert blend == pytest.approx(scorer.score(ROWS), abs=1e-5)
    assert rankers[-1] == pytest.approx(TABLE / peaks(TABLE)[:, None])


def test_reasons_are_those_of_the_other_rankers() -> None:
    products = np.tile(np.arange(5, dtype=np.int32), (len(ROWS), 1))

    reasons = BlendScorer(FITTED, WEIGHTS).explain(ROWS, products)

    assert (reasons == BlendScorer(ALONE, BlendWeights(0.3, 0.4, 0.1, 0.2)).explain(ROWS, products)).all()


def test_what_extra_scores_put_first_is_a_candidate_and_what_they_score_zero_is_none_of_theirs() -> None:
    owned = owned_matrix(LEARNED)
    favourite = np.array([np.setdiff1d(np.arange(SHAPE[1]), owned[row].indices)[-1] for row in ROWS])
    table = csr_matrix((np.ones(len(ROWS), dtype=np.float32), (ROWS, favourite)), shape=SHAPE)
    fitted = replace(ALONE, extra_scores=ExtraScorer(table))
    stage = FirstStage(BlendScorer(fitted, WEIGHTS), owned, np.ones(SHAPE[1], dtype=np.bool_))

    listed = stage.shortlist(ROWS)

    places = listed.products == favourite[:, None]
    assert places.any(axis=1).all()
    assert listed.has_extra_scores
    assert (listed.rankers[..., EXTRA_SCORES - 1] == places).all()
    assert listed.owned.shape[1] == 6


def test_scores_of_what_was_bought_get_nearly_all_weight_and_the_gain_is_told() -> None:
    bought = np.zeros(SHAPE, dtype=np.float32)
    is_known = VALIDATION.account >= 0
    bought[VALIDATION.account[is_known], VALIDATION.product[is_known]] = 1

    chosen = choose_blend(replace(ALONE, extra_scores=ExtraScorer(csr_matrix(bought))), LEARNED, VALIDATION)

    assert chosen.gains is not None
    assert chosen.weights.extra_scores >= 0.5
    assert chosen.without_extra == choose_blend(ALONE, LEARNED, VALIDATION).weights
    assert chosen.gains[0] > chosen.gains[1]


def test_scores_that_are_all_alike_get_no_weight() -> None:
    alike = ExtraScorer(csr_matrix(np.ones(SHAPE, dtype=np.float32)))

    chosen = choose_blend(replace(ALONE, extra_scores=alike), LEARNED, VALIDATION)

    assert chosen.weights == chosen.without_extra
    assert chosen.weights.extra_scores == 0


def test_weights_may_be_rounded() -> None:
    weights = BlendWeights(0.4909, 0.2232, 0.0146, 0.2713)

    for share in (0.1, 0.3333, 0.9, 0.8999):
        assert sum(weights.with_extra_scores(share).as_shares()) == pytest.approx(1, abs=1e-5)
