"""On real data: published reference points are met, and the defaults beat them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.data.interactions import Interactions, owned_matrix
from models.evaluate.baskets import completion_at, hide_products, ranks_of_hidden
from models.evaluate.gate import decide_publication
from models.evaluate.ranking import RankingMetrics, measure_window
from models.products.completion import fit_pairs
from models.ranking.baskets import fit_neighbours
from models.ranking.blend import BlendScorer
from models.ranking.choose import choose_blend
from models.ranking.fit import fit_rankers
from models.ranking.pair_exponents import learn_exponents
from models.ranking.product_pairs import collect_pairs, regression_weights
from models.ranking.scorer import Scorer
from models.ranking.settings import RankingParameters
from tests.models.ranking.samples import between, epoch, online_retail

pytestmark = [pytest.mark.data, pytest.mark.slow]

BEGIN, VALIDATED, HELD_OUT, END = "2010-01-01", "2011-03-11", "2011-06-10", "2011-09-10"
PARAMETERS = RankingParameters()


@dataclass(frozen=True)
class DenseScorer:
    """Scores by what is owned times a dense matrix between products."""

    owned: NDArray[np.float32]
    weights: NDArray[np.float32]
    name: str = "dense"

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = self.owned[rows] @ self.weights
        return scores


@pytest.fixture(scope="module")
def history(data_folder: Path) -> Interactions:
    return online_retail(data_folder, has_guests=False)


@pytest.fixture(scope="module")
def learned(history: Interactions) -> Interactions:
    return between(history, BEGIN, HELD_OUT)


def measure(scorer: Scorer, learned: Interactions, history: Interactions) -> RankingMetrics:
    return measure_window(scorer, learned, between(history, HELD_OUT, END), k=20, limit=10_000, seed=0)


def test_the_window_has_the_accounts_and_products_of_the_reference(
    history: Interactions, learned: Interactions
) -> None:
    measured = measure(
        DenseScorer(np.zeros((5_000, 1), np.float32), np.ones((1, history.n_products), np.float32)), learned, history
    )

    assert len(measured.rows) == 1_283
    assert len(np.unique(learned.product)) == 3_165


def test_popularity_and_ease_measure_what_the_reference_did(history: Interactions, learned: Interactions) -> None:
    owned = owned_matrix(learned)
    owned.data[:] = 1
    buyers = np.asarray(owned.sum(axis=0), dtype=np.float32)
    popularity = DenseScorer(np.ones((history.n_accounts, 1), np.float32), buyers)
    ease = DenseScorer(owned.toarray(), regression_weights(owned, regularization=200))

    measured = [measure(scorer, learned, history) for scorer in (popularity, ease)]

    # The reference broke popularity's many ties in some other order, so its third digit may differ.
    assert measured[0].recall.mean() == pytest.approx(0.0493, abs=6e-4)
    assert measured[0].ndcg.mean() == pytest.approx(0.0617, abs=6e-4)
    assert measured[1].recall.mean() == pytest.approx(0.1314, abs=1e-4)
    assert measured[1].ndcg.mean() == pytest.approx(0.1488, abs=1e-4)


def test_the_blend_chosen_on_the_window_before_beats_the_best_reference_and_passes_the_gate(
    history: Interactions, learned: Interactions
) -> None:
    earlier, validation = between(history, BEGIN, VALIDATED), between(history, VALIDATED, HELD_OUT)
    first = fit_rankers(earlier, epoch(VALIDATED), PARAMETERS, lambda message: None)
    weights = choose_blend(first, earlier, validation).weights

    fitted = fit_rankers(learned, epoch(HELD_OUT), PARAMETERS, lambda message: None, warm=first)

    blend = measure(BlendScorer(fitted, weights), learned, history)
    popularity = measure(fitted.popularity, learned, history)
    assert blend.recall.mean() >= 0.133
    assert blend.ndcg.mean() >= 0.152
    assert decide_publication(blend.ndcg, popularity.ndcg, None, seed=0).is_published


def test_neighbours_complete_baskets_better_than_the_best_reference(data_folder: Path) -> None:
    history = online_retail(data_folder, has_guests=True)
    learned = between(history, BEGIN, HELD_OUT)
    is_known = np.bincount(learned.product, minlength=history.n_products) > 0
    baskets = hide_products(between(history, HELD_OUT, END), is_known, limit=4_000, seed=0)

    earlier, validation = between(history, BEGIN, VALIDATED), between(history, VALIDATED, HELD_OUT)
    exponents = learn_exponents(collect_pairs(earlier, epoch(VALIDATED), PARAMETERS), earlier, validation, seed=0)
    neighbours = fit_neighbours(learned, epoch(HELD_OUT), PARAMETERS, exponents)

    completion = completion_at(ranks_of_hidden(neighbours, baskets), cuts=(1, 3, 10), seed=0)
    assert completion[1].mean >= 0.1
    assert completion[3].mean >= 0.198
    assert completion[10].mean >= 0.332
    published = {"cosine": (0.134, 0.213), "llr": (0.161, 0.265)}
    for name, scorer in fit_pairs(learned).items():
        floor = completion_at(ranks_of_hidden(scorer, baskets), cuts=(3, 10), seed=0)
        for estimate, expected in zip(floor.values(), published[name], strict=True):
            assert estimate.low <= expected <= estimate.high
        assert floor[3].mean < completion[3].mean
