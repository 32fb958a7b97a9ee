"""Idioms on arrays, each against plain Python."""

from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.arrays import (
    concatenate_ranges,
    distinct_keys,
    find_sorted,
    first_of_each,
    least_of_each,
    median_of_groups,
    numbers_of_ranges,
    offsets_of,
    offsets_of_sorted,
    places_in_ranges,
    places_in_runs,
    run_starts,
    slices_of_equal_work,
)

SMALL = st.lists(st.integers(0, 4), max_size=20)
PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=20)
RANGES = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), max_size=8)


@given(PAIRS)
def test_a_run_starts_where_any_column_changes(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs, dtype=np.int32).reshape(-1, 2).T

    starts = run_starts(first, second)

    assert starts.tolist() == [n == 0 or pairs[n] != pairs[n - 1] for n in range(len(pairs))]


@given(SMALL)
def test_places_in_runs_count_from_each_start(values: list[int]) -> None:
    places = places_in_runs(run_starts(np.array(values)))

    expected: list[int] = []
    for n, value in enumerate(values):
        expected.append(expected[-1] + 1 if n and value == values[n - 1] else 0)
    assert places.tolist() == expected


@given(st.lists(st.integers(-5, 5) | st.integers(-(2**62), 2**62)))
def test_distinct_keys_are_those_of_a_set_in_order(keys: list[int]) -> None:
    assert distinct_keys(np.array(keys, dtype=np.int64)).tolist() == sorted(set(keys))


@given(PAIRS)
def test_the_first_of_each_tuple_is_found_in_the_order_of_the_tuples(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs, dtype=np.int32).reshape(-1, 2).T

    positions = first_of_each(first, second)

    assert positions.tolist() == [pairs.index(pair) for pair in sorted(set(pairs))]


@given(PAIRS)
def test_the_least_value_of_each_key_is_found(pairs: list[tuple[int, int]]) -> None:
    keys, values = np.array(pairs, dtype=np.int64).reshape(-1, 2).T

    positions = least_of_each(keys, values)

    least = {key: min(value for other, value in pairs if other == key) for key, _ in pairs}
    assert [(int(keys[n]), int(values[n])) for n in positions] == sorted(least.items())


@given(SMALL)
def test_offsets_and_numbers_describe_ranges_laid_end_to_end(lengths: list[int]) -> None:
    offsets = offsets_of(np.array(lengths, dtype=np.int64))

    assert offsets.tolist() == [sum(lengths[:n]) for n in range(len(lengths) + 1)]
    assert numbers_of_ranges(offsets).tolist() == [n for n, length in enumerate(lengths) for _ in range(length)]
    assert numbers_of_ranges(offsets, np.int32).dtype == np.int32


@given(st.lists(st.integers(-1, 4), max_size=20))
def test_offsets_of_sorted_keys_bound_the_entries_of_each(keys: list[int]) -> None:
    keys = sorted(keys)

    offsets = offsets_of_sorted(np.array(keys, dtype=np.int32), 5)

    assert offsets.dtype == np.int64
    for key in range(5):
        assert keys[offsets[key] : offsets[key + 1]] == [key] * keys.count(key)


@given(RANGES)
def test_ranges_are_concatenated(ranges: list[tuple[int, int]]) -> None:
    begins, lengths = np.array(ranges, dtype=np.int64).reshape(-1, 2).T

    numbers, positions = concatenate_ranges(begins, lengths)

    expected = [(n, begin + k) for n, (begin, length) in enumerate(ranges) for k in range(length)]
    assert list(zip(numbers.tolist(), positions.tolist(), strict=True)) == expected
    assert places_in_ranges(lengths).tolist() == [k for _, length in ranges for k in range(length)]


@given(SMALL, SMALL)
def test_keys_are_found_or_minus_one(keys: list[int], wanted: list[int]) -> None:
    keys = sorted(keys)

    positions = find_sorted(np.array(keys, dtype=np.int64), np.array(wanted, dtype=np.int64))

    assert positions.tolist() == [keys.index(key) if key in keys else -1 for key in wanted]


def test_keys_are_found_in_the_shape_of_what_is_wanted() -> None:
    assert find_sorted(np.array([2, 5]), np.array([[5, 9], [2, 0]])).tolist() == [[1, -1], [0, -1]]
    assert find_sorted(np.empty(0), np.array([[5, 9]])).tolist() == [[-1, -1]]


@given(PAIRS)
def test_medians_of_groups(pairs: list[tuple[int, int]]) -> None:
    groups, values = np.array(pairs, dtype=np.int64).reshape(-1, 2).T

    medians = median_of_groups(values, groups, 5)

    for group in range(5):
        own = [value for other, value in pairs if other == group]
        assert medians[group] == pytest.approx(median(own) if own else np.nan, nan_ok=True)


@given(st.lists(st.integers(0, 30), max_size=20), st.integers(1, 50))
def test_slices_cover_all_work_in_pieces_of_the_limit(work: list[int], limit: int) -> None:
    slices = list(slices_of_equal_work(np.cumsum(work, dtype=np.int64), limit))

    assert [n for part in slices for n in range(part.start, part.stop)] == list(range(len(work)))
    for part in slices:
        assert sum(work[part][1:]) < limit
