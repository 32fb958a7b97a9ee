"""Similar accounts are found by the cosine of what both own, and a score splits exactly over what an account owns."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.ranking import similar_accounts
from models.ranking.similar_accounts import SimilarAccountsScorer

N_ACCOUNTS, N_PRODUCTS = 30, 20


def random_strengths(seed: int) -> csr_matrix:
    random = np.random.default_rng(seed)
    is_owned = random.random((N_ACCOUNTS, N_PRODUCTS)) < 0.25
    is_owned[4] = False
    return csr_matrix(np.where(is_owned, random.uniform(0.1, 2, is_owned.shape), 0).astype(np.float32))


def brute_cosines(strength: csr_matrix) -> NDArray[np.float64]:
    owned = (strength.toarray() > 0).astype(np.float64)
    norm = np.sqrt(np.maximum(owned.sum(axis=1), 1))
    cosines: NDArray[np.float64] = owned @ owned.T / np.outer(norm, norm)
    np.fill_diagonal(cosines, 0)
    return cosines


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_the_sums_of_the_cosines_of_the_most_similar_owners(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similar_accounts, "SIMILAR", 5)
    strength, rows = random_strengths(seed), np.arange(N_ACCOUNTS, dtype=np.int32)
    cosines = brute_cosines(strength)

    scores = SimilarAccountsScorer(strength).score(rows)

    # Of equal cosines the lower row is kept.
    ranked = np.argsort(-cosines, axis=1, kind="stable")[:, :5]
    kept = np.zeros_like(cosines)
    np.put_along_axis(kept, ranked, np.take_along_axis(cosines.astype(np.float32), ranked, axis=1), axis=1)
    assert scores == pytest.approx(kept @ (strength.toarray() > 0), abs=1e-5)
    assert scores.dtype == np.float32
    assert not scores[4].any(), "an account without products has nobody alike"


def test_contributions_of_what_is_owned_add_up_to_the_score() -> None:
    strength, rows = random_strengths(7), np.arange(N_ACCOUNTS, dtype=np.int32)
    scorer = SimilarAccountsScorer(strength)
    everything = np.tile(np.arange(N_PRODUCTS, dtype=np.int32), (N_ACCOUNTS, 1))

    share = scorer.contributions(rows, everything)

    assert share.shape == (N_ACCOUNTS, N_PRODUCTS, np.diff(strength.indptr).max())
    assert share.sum(axis=2) == pytest.approx(scorer.score(rows), abs=1e-5)


def test_contributions_are_the_same_in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    strength, rows = random_strengths(7), np.arange(N_ACCOUNTS, dtype=np.int32)
    candidates = np.random.default_rng(1).integers(-1, N_PRODUCTS, (N_ACCOUNTS, 4)).astype(np.int32)
    at_once = SimilarAccountsScorer(strength).contributions(rows, candidates)

    monkeypatch.setattr(similar_accounts, "SCORES_PER_BATCH", 3 * N_PRODUCTS)
    in_batches = SimilarAccountsScorer(strength).contributions(rows, candidates)

    assert in_batches == pytest.approx(at_once, abs=1e-6)


def test_everybody_is_compared_with_the_strongest_accounts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similar_accounts, "MAX_COMPARED", 6)
    strength = random_strengths(1)
    strongest = np.argsort(-np.asarray(strength.sum(axis=1)).ravel())[:6]

    similar = SimilarAccountsScorer(strength).similar(np.arange(N_ACCOUNTS, dtype=np.int32))

    assert set(similar.indices) <= set(strongest.tolist())
    assert similar.nnz > 0
    cosines = brute_cosines(strength)[:, np.sort(strongest)]
    assert np.diff(similar.indptr).tolist() == (cosines > 0).sum(axis=1).tolist()


def test_the_same_strengths_give_the_same_bytes() -> None:
    rows = np.arange(N_ACCOUNTS, dtype=np.int32)
    first, second = (SimilarAccountsScorer(random_strengths(2)).similar(rows) for _ in range(2))

    assert first.data.tobytes() == second.data.tobytes()
    assert first.indices.tobytes() == second.indices.tobytes()


def test_what_was_asked_before_changes_no_answer() -> None:
    asked, fresh = SimilarAccountsScorer(random_strengths(3)), SimilarAccountsScorer(random_strengths(3))
    asked.similar(np.array([3, 9], dtype=np.int32))
    rows = np.array([9, 2, 3, 9], dtype=np.int32)

    assert (asked.similar(rows) != fresh.similar(rows)).nnz == 0
    assert (fresh.similar(rows)[[0]] != fresh.similar(rows)[[3]]).nnz == 0
