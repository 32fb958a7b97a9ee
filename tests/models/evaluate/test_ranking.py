"""Ranking metrics against a loop over accounts."""

from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.data.interactions import owned_matrix
from models.evaluate.ranking import (
    accounts_to_rank,
    keep_products,
    measure_ranking,
    measure_window,
    recent_products,
    relevant_products,
)
from tests.models.histories import make_history


class TableScorer:
    """Scores by a table."""

    name = "table"

    def __init__(self, table: NDArray[np.float32]) -> None:
        self.table = table

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        return self.table[rows]


def looped(line: NDArray[np.float32], relevant: set[int], excluded: set[int], k: int) -> tuple[float, float, float]:
    """Recall, NDCG and hit rate of one account, by their definitions."""
    ranked = [j for j in sorted(range(len(line)), key=lambda j: (-line[j], j)) if j not in excluded][:k]
    hits = [rank for rank, j in enumerate(ranked, 1) if j in relevant]
    gain = sum(1 / log2(rank + 1) for rank in hits)
    ideal = sum(1 / log2(rank + 1) for rank in range(1, min(len(relevant), k) + 1))
    return len(hits) / len(relevant), gain / ideal, float(bool(hits))


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), n_products=st.integers(3, 60), k=st.integers(1, 25), levels=st.integers(2, 40))
def test_metrics_are_those_of_a_loop_over_accounts(seed: int, n_products: int, k: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.integers(0, levels, (6, n_products)).astype(np.float32)
    kind = rng.integers(0, 3, (6, n_products))
    kind[:, 0] = 1
    relevant, excluded = csr_matrix(kind == 1), csr_matrix(kind == 2)

    measured = measure_ranking(TableScorer(table), np.arange(6, dtype=np.int32), relevant, excluded, k)

    for row in range(6):
        sets = [set(np.flatnonzero(kind[row] == value).tolist()) for value in (1, 2)]
        got = (measured.recall[row], measured.ndcg[row], measured.hit_rate[row])
        assert got == pytest.approx(looped(table[row], sets[0], sets[1], k))


def test_new_products_are_those_not_owned_but_sold_before() -> None:
    learned = make_history(
        [("a", "1", "p", 0, 1), ("a", "2", "q", 0, 1), ("a", "3", "q", 1, -1), ("b", "4", "s", 0, 1)]
    )
    lines = [*[("a", str(i), product, 9, 1.0) for i, product in enumerate("pqst")], (None, "9", "s", 9, 1.0)]
    both = make_history(
        [("a", "1", "p", 0, 1), ("a", "2", "q", 0, 1), ("a", "3", "q", 1, -1), ("b", "4", "s", 0, 1), *lines]
    )
    early = both.interactions.time <= learned.interactions.time.max()
    before, window = both.interactions.select(early), both.interactions.select(~early)
    names = both.interactions.product_ids

    new = relevant_products(window, before, owned_matrix(before))
    every = relevant_products(window, before, None)

    assert set(names[new.indices]) == {"q", "s"}, "q was returned, t was never sold before"
    assert set(names[every.indices]) == {"p", "q", "s"}


def test_accounts_without_history_or_without_anything_to_find_are_not_ranked() -> None:
    owned = csr_matrix(np.array([[1, 0], [0, 0], [1, 0]]))
    relevant = csr_matrix(np.array([[0, 1], [0, 1], [0, 0]], dtype=np.bool_))

    assert accounts_to_rank(owned, relevant, limit=10, seed=0).tolist() == [0]


def test_a_sample_of_accounts_is_sorted_and_repeatable() -> None:
    everyone = csr_matrix(np.ones((50, 1), dtype=np.bool_))

    rows = accounts_to_rank(everyone, everyone, limit=7, seed=3)

    assert len(set(rows)) == 7
    assert rows.tolist() == sorted(accounts_to_rank(everyone, everyone, limit=7, seed=3))


def test_coverage_counts_the_distinct_products_listed() -> None:
    table = np.array([[4, 3, 2, 1], [4, 3, 2, 1], [1, 3, 4, 2]], dtype=np.float32)
    nothing, everything = csr_matrix((3, 4), dtype=np.bool_), csr_matrix(np.ones((3, 4), dtype=np.bool_))

    measured = measure_ranking(TableScorer(table), np.arange(3, dtype=np.int32), everything, nothing, k=2)

    assert measured.coverage == 3 / 4


def test_a_window_without_purchases_measures_nobody() -> None:
    history = make_history([("a", "1", "p", 0, 1)]).interactions
    nothing = history.select(np.zeros(1, dtype=np.bool_))

    measured = measure_window(TableScorer(np.ones((1, 1), np.float32)), history, nothing, k=20, limit=9, seed=0)

    assert len(measured.rows) == len(measured.ndcg) == 0
    assert measured.coverage == 0


def test_recent_products_are_those_first_sold_shortly_before_the_window() -> None:
    lines = [
        ("a", "1", "old", 0, 1),
        ("b", "2", "old", 95, 1),
        (None, "3", "recent", 40, 1),
        ("a", "4", "given", 50, -1),
    ]
    history = make_history([*lines, ("b", "5", "later", 100, 1)])
    start = int(history.interactions.time.min()) + 100 * 86_400
    learned = history.interactions.select(history.interactions.time < start)

    is_recent = recent_products(learned, start, days=60)

    assert is_recent is not None
    assert learned.product_ids[is_recent].tolist() == ["recent"]
    assert recent_products(learned, start, days=100) is None


def test_only_kept_products_stay_relevant() -> None:
    relevant = csr_matrix(np.array([[True, True, False], [False, True, True]]))

    kept = keep_products(relevant, np.array([True, False, True]))

    assert kept.toarray().tolist() == [[True, False, False], [False, False, True]]
    assert relevant.nnz == 4
