"""The quick search for the best against a full sort."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.ranking import top
from models.ranking.top import NO_PRODUCT, in_batches, top_products


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 8), st.integers(1, 400)),
    count=st.integers(1, 30),
    levels=st.integers(1, 50),
    missing=st.floats(0, 1),
)
def test_best_products_are_those_of_a_full_sort_with_ties_by_row(
    seed: int, shape: tuple[int, int], count: int, levels: int, missing: float
) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, shape).astype(np.float32)
    scores[rng.random(shape) < missing] = -np.inf

    products, values = top_products(scores, count)

    for row, line in enumerate(scores):
        order = [column for column in np.lexsort((np.arange(len(line)), -line)) if line[column] > -np.inf][:count]
        padding = count - len(order)
        assert products[row].tolist() == order + [NO_PRODUCT] * padding
        assert values[row].tolist() == line[order].tolist() + [0] * padding


@pytest.mark.parametrize("n_rows", [0, 1, 7])
def test_batches_come_back_in_order(n_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "SCORES_PER_BATCH", 30)

    def double(rows: NDArray[np.int32]) -> list[int]:
        return [2 * int(row) for row in rows]

    batches = list(in_batches(double, np.arange(n_rows, dtype=np.int32), n_products=10))

    assert [value for batch in batches for value in batch] == [2 * row for row in range(n_rows)]
    assert all(len(batch) <= 3 for batch in batches)
