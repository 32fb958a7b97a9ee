"""The nightly lists are the served lists, filled up from the popular products."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from models.artifact import NO_NUMBER, NO_ROW, Artifact, Content, Manifest, Verdict, open_artifact, write_artifact
from models.score import top_lists, write_scores
from tests.models.contents import make_content


def written(content: Content, folder: Path) -> Artifact:
    def describe(files: object) -> Manifest:
        return Manifest("2024-01-01T00:00:00Z", "", {}, {}, {}, Verdict(True, ""), {}, files)  # type: ignore[arg-type]

    return open_artifact(write_artifact(folder, content, describe))


def test_lists_are_the_candidates_in_their_order() -> None:
    content = make_content(owned=[[0], [1]], candidates=[[2, 3], [4, 0]], scores=[[0.9, 0.4], [0.8, 0.7]])

    lists = top_lists(content, 0, 2, 2, include_owned=False)

    assert lists.products.tolist() == [[2, 3], [4, 0]]
    assert not lists.is_popular.any()


def test_short_lists_are_filled_with_popular_products_that_are_not_owned() -> None:
    content = make_content(owned=[[0, 1]], candidates=[[3, NO_ROW]], scores=[[0.9, 0]])

    lists = top_lists(content, 0, 1, 3, include_owned=False)

    assert lists.products.tolist() == [[3, 2, 4]]
    assert lists.is_popular.tolist() == [[False, True, True]]


def test_inactive_products_fill_no_list() -> None:
    content = make_content(owned=[[]], candidates=[[NO_ROW]], scores=[[0]], inactive=[0, 3])

    lists = top_lists(content, 0, 1, 5, include_owned=False)

    assert lists.products.tolist() == [[1, 2, 4, NO_ROW, NO_ROW]]


def test_owned_products_are_ranked_among_the_others_when_asked_for() -> None:
    content = make_content(
        owned=[[0, 4], []], candidates=[[2, 1], [NO_ROW] * 2], scores=[[0.5, 0.2], [0, 0]], owned_scores=[0.3, 0.9]
    )

    lists = top_lists(content, 0, 2, 3, include_owned=True)

    assert lists.products.tolist() == [[4, 2, 0], [0, 1, 2]]
    assert lists.scores[0].tolist() == [np.float32(0.9), np.float32(0.5), np.float32(0.3)]


def test_the_file_holds_every_account_with_ranks_from_one(tmp_path: Path) -> None:
    content = make_content(owned=[[0], []], candidates=[[2, 3], [NO_ROW] * 2], scores=[[0.9, 0.4], [0, 0]])
    done: list[int] = []

    rows = write_scores(
        written(content, tmp_path), tmp_path / "scores.parquet", 2, include_owned=False, progress=done.append
    )

    table = pq.read_table(tmp_path / "scores.parquet").to_pylist()
    first, second = content.account_ids.texts
    products = list(content.products.ids.texts)
    assert rows == len(table) == 4
    assert [(row["account_id"], row["rank"], row["product_id"], row["source"]) for row in table] == [
        (first, 1, products[2], "personalized"),
        (first, 2, products[3], "personalized"),
        (second, 1, products[0], "popular"),
        (second, 2, products[1], "popular"),
    ]
    assert done == [2]


def test_a_catalogue_smaller_than_the_limit_gives_what_there_is() -> None:
    content = make_content(owned=[[0]], candidates=[[1]], scores=[[0.5]])
    content = replace(content, popular_products=np.array([0, 1, 2, 3, 4], dtype=np.int32))

    lists = top_lists(content, 0, 1, 20, include_owned=False)

    assert (lists.products != NO_ROW).sum() == 4


def test_accounts_that_are_left_out_have_no_list(tmp_path: Path) -> None:
    content = make_content(owned=[[0], [1]], candidates=[[2, 3], [4, 0]], scores=[[0.9, 0.4], [0.8, 0.7]])
    first, second = content.account_ids.texts

    write_scores(
        written(content, tmp_path),
        tmp_path / "scores.parquet",
        2,
        include_owned=False,
        progress=lambda _: None,
        left_out={first, "nobody"},
    )

    assert set(pq.read_table(tmp_path / "scores.parquet")["account_id"].to_pylist()) == {second}


def test_propensity_and_worth_stand_beside_the_score(tmp_path: Path) -> None:
    content = make_content(owned=[[0], []], candidates=[[2, 3], [NO_ROW] * 2], scores=[[0.9, 0.4], [0, 0]])
    propensities = replace(
        content.propensities,
        candidates=np.array([[0.5, 0.25], [np.nan, np.nan]], dtype=np.float32),
        rates=np.full(5, 0.1, dtype=np.float32),
        factors=np.ones(12, dtype=np.float32),
    )
    products = replace(content.products, prices_minor=np.array([100, 200, 300, NO_NUMBER, 500]))
    content = replace(content, propensities=propensities, products=products)

    write_scores(
        written(content, tmp_path), tmp_path / "scores.parquet", 2, include_owned=False, progress=lambda _: None
    )

    table = pq.read_table(tmp_path / "scores.parquet").to_pylist()
    assert [row["propensity"] for row in table] == pytest.approx([0.5, 0.25, 0.1, 0.1])
    assert [row["expected_revenue_minor"] for row in table] == [150, None, 10, 20]
    assert {row["expected_margin_minor"] for row in table} == {None}


def test_what_is_owned_has_no_propensity() -> None:
    content = make_content(owned=[[0, 4]], candidates=[[2, 1]], scores=[[0.5, 0.2]], owned_scores=[0.3, 0.9])
    likely = replace(content.propensities, candidates=np.array([[0.5, 0.25]], dtype=np.float32))

    lists = top_lists(replace(content, propensities=likely), 0, 1, 3, include_owned=True)

    assert lists.products.tolist() == [[4, 2, 0]]
    assert np.array_equal(lists.propensities, np.array([[np.nan, 0.5, np.nan]], dtype=np.float32), equal_nan=True)
