"""Sections: what an array is declared to be is what is written, read and accepted."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.artifact import ArtifactInvalid, Content, Segments, TextColumn, open_artifact
from models.artifact.dimensions import ACCOUNTS, CANDIDATES, PRODUCTS, SEGMENTS, TEXTS
from models.artifact.sections import (
    Along,
    Dimension,
    Section,
    SectionInvalid,
    Shape,
    check_arrays,
    declared_arrays,
)
from tests.artifacts import coffee_world, content_of, write_world

WIDTH = Dimension("width")
ROWS = Dimension("rows", is_local=True)

Change = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class Ragged(Section):
    """Rows of its own."""

    starts: Annotated[NDArray[np.int64], Shape(WIDTH + 1)]
    values: Annotated[NDArray[np.float32], Shape(ROWS, 2, empty=np.nan)]
    weights: Annotated[NDArray[np.int8], Shape(ROWS)]


@dataclass(frozen=True)
class Sample(Section):
    """Two nested sections of one kind, and something that is no array."""

    names: Annotated[TextColumn, Along({TEXTS: WIDTH})]
    bits: Annotated[NDArray[np.uint8], Shape(WIDTH, WIDTH.packed, empty=1)]
    left: Ragged
    right: Ragged
    note: str


def sample(width: int, n_left: int, n_right: int) -> Sample:
    """A sample with as many names, and as many rows on either side."""

    def ragged(n: int) -> Ragged:
        return Ragged(np.zeros(width + 1, dtype=np.int64), np.ones((n, 2), dtype=np.float32), np.ones(n, dtype=np.int8))

    names = TextColumn.from_texts(f"name {number}" for number in range(width))
    bits = np.zeros((width, -(-width // 8)), dtype=np.uint8)
    return Sample(names, bits, ragged(n_left), ragged(n_right), "note")


def test_stems_are_the_paths_of_the_fields() -> None:
    assert [array.stem for array in declared_arrays(Sample)] == [
        "names.data", "names.offsets", "bits",
        "left.starts", "left.values", "left.weights", "right.starts", "right.values", "right.weights",
    ]  # fmt: skip


def test_what_is_taken_apart_can_be_put_together_without_copies() -> None:
    written = sample(9, 3, 5)

    arrays = written.to_arrays()
    read = Sample.from_arrays(arrays, note="note")

    assert list(read.names) == list(written.names)
    for stem, array in read.to_arrays().items():
        assert array is arrays[stem], stem


@pytest.mark.parametrize(("width", "n_left", "n_right"), [(0, 0, 0), (1, 2, 0), (8, 3, 5), (9, 1, 1)])
def test_sections_of_one_kind_may_have_rows_of_their_own(width: int, n_left: int, n_right: int) -> None:
    check_arrays(Sample, sample(width, n_left, n_right).to_arrays())


@pytest.mark.parametrize(
    ("stem", "change", "reason"),
    [
        (
            "bits",
            lambda array: array.astype(np.int8),
            r"int8 \(9, 2\), expected uint8 \(width, width / 8\) with width = 9",
        ),
        ("bits", lambda array: array[:, :1], r"uint8 \(9, 1\), expected uint8 \(width, width / 8\)"),
        ("bits", lambda array: array.ravel(), r"uint8 \(18\), expected"),
        ("left.starts", lambda array: array[:-1], r"int64 \(9\), expected int64 \(width \+ 1\) with width = 9"),
        ("left.values", lambda array: array[:, :1], r"float32 \(3, 1\), expected float32 \(left\.rows, 2\)"),
        ("left.weights", lambda array: array[1:], r"int8 \(2\), expected int8 \(left\.rows\) with left\.rows = 3"),
        ("names.offsets", lambda array: array[:0], r"int64 \(0\), expected int64 \(width \+ 1\)"),
    ],
)
def test_another_dtype_or_shape_is_refused_by_name(stem: str, change: Change, reason: str) -> None:
    arrays = sample(9, 3, 5).to_arrays()
    arrays[stem] = change(arrays[stem])

    with pytest.raises(SectionInvalid, match=reason) as refused:
        check_arrays(Sample, arrays)

    assert refused.value.stem == stem


def test_the_empty_section_is_valid_and_filled_as_declared() -> None:
    empty = Sample.empty({WIDTH: 9}, note="")

    check_arrays(Sample, empty.to_arrays())
    assert list(empty.names) == [""] * 9
    assert (empty.bits == np.ones((9, 2))).all()
    assert empty.left.values.shape == (0, 2)


def test_an_empty_content_of_any_size_is_valid() -> None:
    empty = Content.empty({ACCOUNTS: 3, PRODUCTS: 4, CANDIDATES: 2, SEGMENTS: 5}, report=b"{}")

    check_arrays(Content, empty.to_arrays())
    assert np.isnan(empty.propensities.candidates).all()
    assert empty.line_cells.owners.shape == (5, 0)
    assert empty.owned_by(2).tolist() == []


def test_every_file_of_an_artifact_is_declared_and_every_declared_array_is_written(tmp_path: Path) -> None:
    folder = tmp_path / write_world(tmp_path, coffee_world())

    written = {path.name.removesuffix(".npy") for path in folder.glob("*.npy")}

    assert written == {array.stem for array in declared_arrays(Content)}


def test_an_artifact_with_any_array_of_another_dtype_is_refused_on_opening(tmp_path: Path) -> None:
    folder = tmp_path / write_world(tmp_path, coffee_world())

    for declared in declared_arrays(Content):
        path = folder / f"{declared.stem}.npy"
        written = path.read_bytes()
        np.save(path, np.load(path).astype(np.complex64))
        with pytest.raises(ArtifactInvalid, match=f"expected {declared.dtype}") as refused:
            open_artifact(folder, verify=False)
        assert refused.value.file == path
        path.write_bytes(written)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("candidate_products", "int32 (accounts, candidates) with accounts = 4"),
        ("candidate_reasons", "int32 (accounts, explained candidates, 2) with accounts = 4"),
        ("owned_offsets", "int64 (accounts + 1) with accounts = 4"),
        ("neighbour_products", "int32 (products, neighbours) with products = 10"),
    ],
)
def test_an_artifact_whose_arrays_do_not_agree_is_refused_on_opening(tmp_path: Path, field: str, expected: str) -> None:
    content = content_of(coffee_world())
    malformed = replace(content, **{field: getattr(content, field)[:-1]})
    folder = tmp_path / write_world(tmp_path, coffee_world(), content=malformed)

    with pytest.raises(ArtifactInvalid) as refused:
        open_artifact(folder)

    assert refused.value.file.name == f"{field}.npy"
    assert f"expected {expected}" in refused.value.reason


def test_relationships_must_lead_from_every_product(tmp_path: Path) -> None:
    content = content_of(coffee_world())
    relationships = replace(content.relationships, starts=content.relationships.starts[:-1])
    malformed = replace(content, relationships=relationships)
    folder = tmp_path / write_world(tmp_path, coffee_world(), content=malformed)

    with pytest.raises(ArtifactInvalid, match=r"relationships\.starts\.npy: int64 \(10\), expected int64 \(products"):
        open_artifact(folder)


def test_a_family_of_segments_is_found_by_its_id() -> None:
    report = np.frombuffer(json.dumps({"families": [{"id": "cluster"}, {"id": "all"}]}).encode(), dtype=np.uint8)
    codes = np.array([[3, 0], [-1, 0]], dtype=np.int16)
    segments = replace(Segments.empty({ACCOUNTS: 2}), codes=codes, report=report)

    assert (segments.column_of("cluster"), segments.column_of("all"), segments.column_of("other")) == (0, 1, None)
    assert segments.codes_in("cluster", np.array([1, 0])).tolist() == [-1, 3]
    assert segments.codes_in("other", np.array([1, 0])).tolist() == [-1, -1]
