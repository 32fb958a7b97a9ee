"""The first stage lists what any ranker puts near the top, as dense scores of everything would."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.data.interactions import owned_matrix
from models.ranking import shortlist
from models.ranking.blend import BlendScorer
from models.ranking.fit import fit_rankers
from models.ranking.settings import BlendWeights, RankingParameters
from models.ranking.shortlist import FirstStage
from models.ranking.top import NO_PRODUCT
from tests.models.ranking.samples import AS_OF, random_interactions

N_ACCOUNTS, N_PRODUCTS = 40, 60
PARAMETERS = RankingParameters(embedding_size=5, regularization=1, iterations=20, alpha=3)
INTERACTIONS = random_interactions(seed=5, n_accounts=N_ACCOUNTS, n_products=N_PRODUCTS)
FITTED = fit_rankers(INTERACTIONS, AS_OF, PARAMETERS, lambda message: None)
OWNED = owned_matrix(INTERACTIONS)
RANDOM = np.random.default_rng(0)
UNLISTED = csr_matrix((RANDOM.random((N_ACCOUNTS, N_PRODUCTS)) < 0.1).astype(np.float32))
IS_OFFERABLE = RANDOM.random(N_PRODUCTS) < 0.8
ROWS = RANDOM.permutation(N_ACCOUNTS)[:33].astype(np.int32)
WEIGHTS = BlendWeights(0.3, 0.3, 0.2, 0.2)
WITHOUT_SIMILAR = BlendWeights(0.3, 0.6, 0.1, 0.0)
LENGTHS = (6, 5, 4)


@pytest.fixture(autouse=True)
def _short_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(("OF_BLEND", "OF_SIMILAR_ACCOUNTS", "OF_POPULARITY"), LENGTHS, strict=True):
        monkeypatch.setattr(shortlist, name, value)
    monkeypatch.setattr(shortlist, "LEAST_OF_BLEND", 1)
    # Several batches, whose lists are not equally long.
    monkeypatch.setattr("models.ranking.top.SCORES_PER_BATCH", 4 * N_PRODUCTS)


def first_stage(weights: BlendWeights = WEIGHTS, unlisted: csr_matrix | None = UNLISTED) -> FirstStage:
    return FirstStage(BlendScorer(FITTED, weights), OWNED, IS_OFFERABLE, unlisted)


def dense_scores(row: int, weights: BlendWeights) -> NDArray[np.float64]:
    """The blend's and the four rankers' scores of all products, (5, P)."""
    parts = [ranker.score(np.array([row], dtype=np.int32))[0].astype(np.float64) for ranker in FITTED.scorers]
    parts = [part / part.max() if part.max() > 0 else part for part in parts]
    blend = sum((w * part for w, part in zip(weights.as_shares()[:4], parts, strict=True)), np.zeros(N_PRODUCTS))
    return np.stack([blend, *parts])


def expected_parts(
    row: int, weights: BlendWeights, lengths: tuple[int, int, int], unlisted: csr_matrix | None
) -> list[set[int]]:
    """What the blend, similar accounts and popularity give an account."""
    of_blend, of_similar, of_popularity = lengths
    scores = dense_scores(row, weights)
    offerable = [product for product in range(N_PRODUCTS) if IS_OFFERABLE[product]]
    taken = {product for product in offerable if OWNED[row, product] > 0}
    if unlisted is not None:
        taken |= {product for product in offerable if unlisted[row, product] > 0}
    free = [product for product in offerable if product not in taken]

    def best(values: NDArray[np.float64], among: list[int], count: int) -> set[int]:
        return set(sorted(among, key=lambda product: (-values[product], product))[:count])

    popularity = FITTED.popularity.popularity.astype(np.float64)
    return [
        best(scores[0], free, of_blend),
        best(scores[4], free, of_similar),
        best(popularity, offerable, of_popularity) - taken,
    ]


def listed_by_row(
    weights: BlendWeights = WEIGHTS, unlisted: csr_matrix | None = UNLISTED
) -> dict[int, NDArray[np.int32]]:
    listed = first_stage(weights, unlisted).shortlist(ROWS)
    return {int(row): line[line != NO_PRODUCT] for row, line in zip(listed.rows, listed.products, strict=True)}


@pytest.mark.parametrize("weights", [WEIGHTS, WITHOUT_SIMILAR])
@pytest.mark.parametrize("unlisted", [None, UNLISTED])
def test_products_are_the_union_of_the_three_lists_each_once(
    weights: BlendWeights, unlisted: csr_matrix | None
) -> None:
    listed = listed_by_row(weights, unlisted)

    adds = np.zeros(3, dtype=np.int64)
    assert sorted(listed) == sorted(ROWS.tolist())
    for row, products in listed.items():
        parts = expected_parts(row, weights, LENGTHS, unlisted)
        assert sorted(products.tolist()) == sorted(set().union(*parts)), row
        for place, part in enumerate(parts):
            others = set().union(*(other for number, other in enumerate(parts) if number != place))
            adds[place] += bool(part - others)
    assert (adds > 0).all(), "each of the three lists adds something"


def test_nothing_is_listed_that_is_owned_unlisted_or_not_offerable() -> None:
    for row, products in listed_by_row().items():
        for product in products:
            assert OWNED[row, product] == UNLISTED[row, product] == 0
            assert IS_OFFERABLE[product]


def test_lists_are_shorter_in_proportion_where_there_are_many_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortlist, "MANY_ACCOUNTS", N_ACCOUNTS // 2)
    monkeypatch.setattr(shortlist, "LEAST_OF_BLEND", 5)
    for row, products in listed_by_row().items():
        assert sorted(products.tolist()) == sorted(set().union(*expected_parts(row, WEIGHTS, (5, 2, 2), UNLISTED)))


def test_the_best_of_the_blend_come_first() -> None:
    listed = first_stage().shortlist(ROWS)

    for scores, is_pair in zip(listed.scores, listed.is_pair, strict=True):
        assert (np.diff(scores[is_pair]) <= 0).all()
        assert is_pair[: is_pair.sum()].all(), "padding is at the end"
    for row, products in listed_by_row().items():
        blend = dense_scores(row, WEIGHTS)[0]
        assert (np.diff(blend[products]) <= 1e-6).all()


@pytest.mark.parametrize("weights", [WEIGHTS, WITHOUT_SIMILAR])
def test_scores_are_those_of_each_ranker_over_its_peak_and_their_weighted_sum(weights: BlendWeights) -> None:
    listed = first_stage(weights).shortlist(ROWS)

    for place, row in enumerate(ROWS.tolist()):
        scores = dense_scores(row, weights)
        products = listed.products[place][listed.is_pair[place]]
        n = len(products)
        assert listed.scores[place, :n] == pytest.approx(scores[0, products], abs=1e-5)
        for ranker in range(4):
            assert listed.rankers[place, :n, ranker] == pytest.approx(scores[1 + ranker, products], abs=1e-5)


def test_padding_is_no_product_and_scores_nothing() -> None:
    listed = first_stage().shortlist(ROWS)
    is_padding = listed.products == NO_PRODUCT

    assert is_padding.any()
    assert not is_padding.all(axis=0).any(), "no wider than the longest list"
    assert (listed.scores[is_padding] == 0).all()
    assert (listed.rankers[is_padding] == 0).all()
    assert np.array_equal(listed.is_pair, ~is_padding)


def test_scores_of_what_is_owned_are_in_the_order_of_the_accounts_and_their_entries() -> None:
    listed = first_stage().shortlist(ROWS)

    expected = [
        dense_scores(row, WEIGHTS)[:, product]
        for row in ROWS.tolist()
        for product in OWNED.indices[OWNED.indptr[row] : OWNED.indptr[row + 1]]
    ]
    assert listed.owned.shape == (len(expected), 5)
    assert listed.owned == pytest.approx(np.array(expected), abs=1e-5)


@pytest.mark.parametrize("weights", [WEIGHTS, WITHOUT_SIMILAR])
def test_reasons_by_the_peaks_that_were_kept_are_those_of_a_fresh_blend(weights: BlendWeights) -> None:
    stage = first_stage(weights)
    stage.shortlist(ROWS)
    products = np.tile(np.arange(N_PRODUCTS, dtype=np.int32), (len(ROWS), 1))

    reasons = stage.blend.explain(ROWS, products)

    assert np.array_equal(reasons, BlendScorer(FITTED, weights).explain(ROWS, products))
    assert (reasons >= 0).any()


def test_a_part_has_the_candidates_of_its_accounts() -> None:
    listed = first_stage().shortlist(ROWS)
    part = listed.part(slice(3, 8))

    assert np.array_equal(part.rows, ROWS[3:8])
    assert np.array_equal(part.products, listed.products[3:8])
    assert np.array_equal(part.scores, listed.scores[3:8])
    assert np.array_equal(part.rankers, listed.rankers[3:8])
    assert part.owned.shape == (0, 5)


def test_no_accounts_have_an_empty_shortlist() -> None:
    listed = first_stage().shortlist(np.empty(0, dtype=np.int32))

    assert listed.products.shape == listed.scores.shape == listed.is_pair.shape == (0, 0)
    assert listed.rankers.shape == (0, 0, 4)
    assert listed.owned.shape == (0, 5)
