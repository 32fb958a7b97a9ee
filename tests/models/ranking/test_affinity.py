"""Affinity against its formula written out."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.ranking import affinity, links
from models.ranking.affinity import fit_affinity
from models.ranking.settings import RankingParameters
from models.ranking.weights import strength_matrix
from tests.models.ranking.samples import AS_OF, random_interactions

PARAMETERS = RankingParameters(account_discount=0.7, product_discount=0.4, min_support=1.5)
STRENGTH = strength_matrix(random_interactions(seed=2), AS_OF, 100)


def written_out(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """B_ij of the docstring, one pair at a time."""
    d_account, d_product = np.maximum(x.sum(1), 1.5), np.maximum(x.sum(0), 1.5)
    B = np.zeros((x.shape[1], x.shape[1]))
    for i in range(len(B)):
        for j in range(len(B)):
            if i != j:
                shared = sum(x[v, i] * d_account[v] ** -0.7 * x[v, j] for v in range(len(x)))
                B[i, j] = d_product[i] ** -0.4 * shared * d_product[j] ** -0.4
    return B


@pytest.mark.parametrize(("max_walked", "dense_from"), [(1_000, 0), (1_000, 2), (0, 0)])
def test_scores_are_the_sum_over_what_the_account_owns(
    max_walked: int, dense_from: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(affinity, "MAX_WALKED", max_walked)
    monkeypatch.setattr(affinity, "DENSE_FROM", dense_from)
    x = np.minimum(STRENGTH.toarray().astype(np.float64), 1)
    rows = np.array([5, 0, 17], dtype=np.int32)

    scores = fit_affinity(STRENGTH, PARAMETERS).score(rows)

    assert scores.dtype == np.float32
    assert scores == pytest.approx(x[rows] @ written_out(x), abs=1e-5)


@pytest.mark.parametrize("max_walked", [1_000, 0])
def test_contributions_add_up_to_the_score(max_walked: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(affinity, "MAX_WALKED", max_walked)
    scorer = fit_affinity(STRENGTH, PARAMETERS)
    candidates = np.arange(STRENGTH.shape[1], dtype=np.int32)

    for row in np.flatnonzero(np.diff(STRENGTH.indptr)).astype(np.int32):
        owned = STRENGTH.indices[STRENGTH.indptr[row] : STRENGTH.indptr[row + 1]]
        (share,) = scorer.contributions(np.array([row]), candidates[None])

        assert share.shape == (len(candidates), len(owned))
        assert share.sum(axis=1) == pytest.approx(scorer.score(np.array([row]))[0], abs=1e-5)


@pytest.mark.parametrize("max_walked", [1_000, 0])
def test_contributions_of_many_accounts_are_those_of_each(max_walked: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(affinity, "MAX_WALKED", max_walked)
    scorer = fit_affinity(STRENGTH, PARAMETERS)
    rows = np.flatnonzero(np.diff(STRENGTH.indptr)).astype(np.int32)
    candidates = np.random.default_rng(0).permuted(np.tile(np.arange(-1, 24), (len(rows), 1)), axis=1)[:, :6]

    together = scorer.contributions(rows, candidates.astype(np.int32))

    for position, row in enumerate(rows):
        (alone,) = scorer.contributions(np.array([row]), candidates[position][None].astype(np.int32))
        is_real = candidates[position] >= 0
        assert together[position, is_real, : alone.shape[1]] == pytest.approx(alone[is_real], abs=1e-6)
        assert not together[position, is_real, alone.shape[1] :].any()


@pytest.mark.parametrize("pairs_per_chunk", [1, 10_000])
def test_the_strongest_links_are_the_largest_of_each_row(pairs_per_chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "PAIRS_PER_CHUNK", pairs_per_chunk)
    B = written_out(np.minimum(STRENGTH.toarray().astype(np.float64), 1))

    strongest = links.strongest_links(links.build_graph(STRENGTH, 0.7, 0.4, 1.5), 4).toarray()

    for row in range(len(B)):
        bar = np.sort(B[row])[-4]
        assert strongest[row] == pytest.approx(np.where(B[row] >= bar - 1e-6, B[row], 0), abs=1e-5)


def test_more_discount_of_products_lowers_the_popular_against_the_rare() -> None:
    buyers = np.asarray((STRENGTH > 0).sum(0)).ravel()
    rows = np.arange(STRENGTH.shape[0], dtype=np.int32)

    def popularity_of_scores(discount: float) -> float:
        scores = fit_affinity(STRENGTH, replace(PARAMETERS, product_discount=discount)).score(rows)
        return float(np.corrcoef(scores.sum(0), buyers)[0, 1])

    assert popularity_of_scores(0.8) < popularity_of_scores(0.1)
