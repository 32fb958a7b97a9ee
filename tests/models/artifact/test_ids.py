"""Finding identifiers without building dictionaries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.artifact import IdIndex, TextColumn, in_hash_order

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.sets(TEXTS), TEXTS)
def test_an_index_finds_what_a_dictionary_finds(identifiers: set[str], other: str) -> None:
    ordered = in_hash_order(identifiers)
    expected = {identifier: row for row, identifier in enumerate(ordered)}

    index = IdIndex.from_ids(ordered)

    assert {identifier: index.row_of(identifier) for identifier in identifiers} == expected
    assert index.row_of(other) == expected.get(other)


@given(st.lists(TEXTS))
def test_a_column_gives_back_the_texts_that_it_was_made_of(texts: list[str]) -> None:
    column = TextColumn.from_texts(texts)

    assert list(column) == texts
    assert [column[row] for row in range(len(column))] == texts
    assert column[:] == texts


def test_two_identifiers_of_one_hash_are_told_apart() -> None:
    index = IdIndex(TextColumn.from_texts(["first", "second"]), np.zeros(2, dtype=np.uint64))
    clash = IdIndex(index.texts, np.array([_hash("second"), _hash("second")], dtype=np.uint64))

    row = clash.row_of("second")

    assert row == 1


def test_identifiers_out_of_order_are_refused() -> None:
    ordered = in_hash_order(["a", "b", "c"])

    with pytest.raises(ValueError, match="hash order"):
        IdIndex.from_ids(ordered[::-1])


def _hash(identifier: str) -> int:
    return int(IdIndex.from_ids([identifier]).hashes[0])
