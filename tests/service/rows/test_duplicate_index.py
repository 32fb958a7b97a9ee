"""The compact index against a plain Counter."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.rows.duplicate_index import DuplicateIndex, count_repeats, hash_keys, hash_pairs

KEYS = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 5)), max_size=20)


@given(st.lists(KEYS, max_size=8))
def test_the_index_counts_as_a_counter_does(batches: list[list[tuple[str, int]]]) -> None:
    index, counter = DuplicateIndex(np.uint32), Counter[tuple[str, int]]()

    for batch in batches:
        counts = Counter(batch)
        assert index.look_up(hash_keys(counts)).tolist() == [counter[key] for key in counts]
        index.add(hash_keys(counts), np.array(list(counts.values())))
        counter += counts

    assert index.look_up(hash_keys(counter)).tolist() == list(counter.values())


@given(KEYS)
def test_repeats_are_those_that_a_counter_counts_on_the_way(keys: list[tuple[str, int]]) -> None:
    first, second = hash_keys([key[0] for key in keys]), hash_keys([key[1] for key in keys])
    counter = Counter[tuple[str, int]]()
    expected = []
    for key in keys:
        expected.append(counter[key])
        counter[key] += 1

    repeats, distinct, counts = count_repeats(hash_pairs(first, second))

    assert repeats.tolist() == expected
    assert len(set(distinct.tolist())) == len(counter)
    assert sorted(counts.tolist()) == sorted(counter.values())
