"""The compact index against a plain Counter."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.rows.duplicate_index import DuplicateIndex

KEYS = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 5)), max_size=20)


@given(st.lists(KEYS, max_size=8))
def test_the_index_counts_as_a_counter_does(batches: list[list[tuple[str, int]]]) -> None:
    index, counter = DuplicateIndex(np.uint32), Counter[tuple[str, int]]()

    for batch in batches:
        counts = Counter(batch)
        known = index.look_up(list(counts))
        assert known == {key: counter[key] for key in counts if counter[key]}
        index.add(list(counts), list(counts.values()))
        counter += counts

    assert index.look_up(list(counter)) == counter
