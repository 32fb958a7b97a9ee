"""The blend's score is the weighted sum of its rankers, and its reasons are where that sum comes from."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.data.errors import HistoryInvalid
from models.ranking.affinity import WalkingAffinity
from models.ranking.blend import BlendScorer, peaks
from models.ranking.explain import ExplainedAls
from models.ranking.fit import fit_rankers
from models.ranking.settings import BlendWeights, RankingParameters
from models.ranking.top import top_products
from tests.models.histories import START, make_history
from tests.models.ranking.samples import AS_OF, random_interactions

PARAMETERS = RankingParameters(embedding_size=5, regularization=1, iterations=200, alpha=3)
FITTED = fit_rankers(random_interactions(seed=3), AS_OF, PARAMETERS, lambda message: None)
ROWS = np.arange(40, dtype=np.int32)


def test_each_ranker_counts_by_its_weight_with_its_peak_at_one() -> None:
    scorer = BlendScorer(FITTED, BlendWeights(0.4, 0.3, 0.2, 0.1))

    parts = [ranker.score(ROWS).astype(np.float64) for ranker in FITTED.scorers]

    best = [np.where(part.max(1) > 0, part.max(1), 1)[:, None] for part in parts]
    expected = sum(w * part / top for w, part, top in zip((0.4, 0.3, 0.2, 0.1), parts, best, strict=True))
    assert scorer.score(ROWS) == pytest.approx(expected, abs=1e-5)


def test_peak_of_an_account_that_nothing_speaks_for_is_one() -> None:
    assert peaks(np.array([[0, -1], [2, 4]], dtype=np.float32)).tolist() == [1, 4]


def test_als_contributions_add_up_to_the_exact_solution_whether_an_account_owns_much_or_little() -> None:
    contributions = ExplainedAls(FITTED.als)
    Y = FITTED.als.product_factors.astype(np.float64)
    everything = np.arange(25, dtype=np.int32)
    sizes = set()

    for row in ROWS:
        owned = FITTED.strength.indices[slice(*FITTED.strength.indptr[row : row + 2])]
        c = np.ones(25)
        c[owned] = 1 + 3 * FITTED.strength[[row]].toarray()[0, owned]
        W = np.linalg.inv(Y.T @ np.diag(c) @ Y + np.eye(5))
        brute = (Y @ W @ (Y[owned] * c[owned, None]).T).astype(np.float64)
        (contributed,) = contributions.contributions(np.array([row]), everything[None])
        assert contributed == pytest.approx(brute, abs=1e-4)
        sizes.add(len(owned) < 5)

    assert sizes == {True, False}, "both ways of solving were taken"


def test_contributions_add_up_to_the_score_but_for_popularity() -> None:
    scorer = BlendScorer(FITTED, BlendWeights(0.3, 0.5, 0.0, 0.2))
    scores = scorer.score(ROWS)
    peak_values = [peaks(FITTED.scorers[place].score(ROWS)) for place in (0, 1, 3)]
    scales = (np.array([0.3, 0.5, 0.2]) / np.stack(peak_values, axis=1)).astype(np.float32)

    for row in ROWS[np.diff(FITTED.strength.indptr) > 0]:
        (shares,) = scorer.contributions(np.array([row]), np.arange(25, dtype=np.int32)[None], scales[[row]])
        assert shares.sum(1) == pytest.approx(scores[row], abs=5e-3)


def test_reasons_are_the_two_products_whose_loss_costs_affinity_most() -> None:
    scorer = BlendScorer(FITTED, BlendWeights(0.0, 1.0, 0.0))
    products, _ = top_products(_without_owned(scorer), 3)

    reasons = scorer.explain(ROWS, products)

    for row in ROWS[np.diff(FITTED.strength.indptr) > 0]:
        owned = owned_by(row)
        full = FITTED.affinity.score(np.array([row]))[0]
        losses = {int(i): full - _affinity_without(row, i) for i in owned}
        for candidate, named in zip(products[row], reasons[row], strict=True):
            best = sorted((loss[candidate] for loss in losses.values()), reverse=True)[:2]
            assert [losses[int(i)][candidate] for i in named if i >= 0] == pytest.approx(
                [loss for loss in best if loss > 1e-7], abs=1e-5
            )


def owned_by(row: np.int32) -> NDArray[np.int32]:
    products: NDArray[np.int32] = FITTED.strength.indices[slice(*FITTED.strength.indptr[row : row + 2])]
    return products


def _without_owned(scorer: BlendScorer) -> NDArray[np.float32]:
    scores = scorer.score(ROWS)
    scores[FITTED.strength.toarray()[ROWS] > 0] = -np.inf
    return scores


def _affinity_without(row: np.int32, product: np.int32) -> NDArray[np.float32]:
    walking = FITTED.affinity
    assert isinstance(walking, WalkingAffinity)
    kept = walking.graph.held.copy()
    begin, end = kept.indptr[row : row + 2]
    kept.data[begin:end][kept.indices[begin:end] == product] = 0
    scores: NDArray[np.float32] = replace(walking, graph=replace(walking.graph, held=kept)).score(np.array([row]))[0]
    return scores


def test_reasons_are_owned_and_padding_has_none() -> None:
    scorer = BlendScorer(FITTED, BlendWeights())
    products = np.full((2, 4), -1, dtype=np.int32)
    products[0, :2] = 3, 4

    reasons = scorer.explain(np.array([7, 8], dtype=np.int32), products)

    assert set(reasons[0, :2].ravel()) <= {-1, *owned_by(np.int32(7))}
    assert (reasons[0, 2:] == -1).all()
    assert (reasons[1] == -1).all()


def test_reasons_do_not_depend_on_having_scored_before() -> None:
    products = np.tile(np.arange(6, dtype=np.int32), (len(ROWS), 1))
    scored = BlendScorer(FITTED, BlendWeights())
    scored.score(ROWS)

    fresh = BlendScorer(FITTED, BlendWeights()).explain(ROWS, products)

    assert np.array_equal(fresh, scored.explain(ROWS, products))


def test_a_history_of_guests_alone_is_refused() -> None:
    history = make_history([(None, "1", "p", 0, 1)])

    with pytest.raises(HistoryInvalid):
        fit_rankers(history.interactions, START, PARAMETERS, lambda message: None)


def test_weights_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="together 1"):
        BlendWeights(0.5, 0.5, 0.5)
