"""The nightly lists are what the service answers, as a file."""

import csv
import gzip
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.artifact import NO_NUMBER, NO_ROW, Content
from models.artifact.products import Products
from service.base.arbitration_options import DEFAULT_OPTIONS
from service.offers.decide import decide_many
from service.offers.gathering import gather
from service.offers.request import OfferRequest
from service.offers.scores import known_accounts, score_accounts
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.live_state import LiveState
from service.readmodel.objections import Objections
from service.readmodel.ownership import Ownership
from service.server import score_writers
from service.server.score_file import write_scores
from service.training.errors import OptionInvalid
from tests.models.contents import make_content
from tests.service.offers.test_relationships import COFFEE, Case, cases, state_of

Lists = dict[str, list[tuple[str, float]]]


def lists_of(state: LiveState, limit: int, *, includes_owned: bool = False) -> Lists:
    """Return each account's products and scores in order."""
    account_ids, products = known_accounts(state), state.content.products.ids.texts
    lists: Lists = {}
    for begin, scored in score_accounts(state, account_ids, limit, includes_owned=includes_owned):
        for account, product, score in zip(scored.account, scored.product, scored.score, strict=True):
            lists.setdefault(account_ids[begin + account], []).append((products[product], float(score)))
    return lists


def rows_of(lists: Mapping[str, list[tuple[str, float]]], content: Content) -> list[list[int]]:
    """Return the product rows of each account's list, in the order of the artifact's accounts."""
    row_of = content.products.ids.row_of
    return [[row_of(product) or 0 for product, _ in lists.get(a, [])] for a in content.account_ids.texts]


def written(state: LiveState, target: Path, limit: int) -> list[dict[str, Any]]:
    """Write the file and read it back."""
    write_scores(state, target, limit, DEFAULT_OPTIONS, includes_owned=False, progress=lambda _: None)
    rows: list[dict[str, Any]] = pq.read_table(target).to_pylist()
    return rows


@given(cases(), st.integers(1, 12))
def test_lists_are_the_offers_that_the_service_answers(case: Case, limit: int) -> None:
    state = state_of(case.world, case.curated)
    state.part(Ownership).replace("new", case.basket)
    state.part(Objections).replace(["bob"], {"bob"})
    requests = [OfferRequest(account_id, limit) for account_id in known_accounts(state)]

    lists = lists_of(state, limit)

    decisions = decide_many(gather(state, requests))
    assert "new" in known_accounts(state)
    assert "bob" not in lists
    for request, decision in zip(requests, decisions, strict=True):
        offered = [(offer["product_id"], offer["score"]) for offer in decision.offers]
        assert lists.get(request.account_id or "", []) == offered


def test_short_lists_are_filled_with_popular_products_that_are_not_owned() -> None:
    content = make_content(owned=[[0, 1]], candidates=[[3, NO_ROW]], scores=[[0.9, 0]])

    assert rows_of(lists_of(LiveState(content, 0), 3), content) == [[3, 2, 4]]


def test_inactive_products_fill_no_list() -> None:
    content = make_content(owned=[[]], candidates=[[NO_ROW]], scores=[[0]], inactive=[0, 3])

    assert rows_of(lists_of(LiveState(content, 0), 5), content) == [[1, 2, 4]]


def test_a_catalogue_smaller_than_the_limit_gives_what_there_is() -> None:
    content = make_content(owned=[[0]], candidates=[[1]], scores=[[0.5]])

    assert rows_of(lists_of(LiveState(content, 0), 1000), content) == [[1, 2, 3, 4]]


def test_owned_products_are_ranked_among_the_others_when_asked_for() -> None:
    content = make_content(
        owned=[[0, 4], []], candidates=[[2, 1], [NO_ROW] * 2], scores=[[0.5, 0.2], [0, 0]], owned_scores=[0.3, 0.9]
    )

    lists = lists_of(LiveState(content, 0), 3, includes_owned=True)

    first = content.account_ids.texts[0]
    assert rows_of(lists, content) == [[4, 2, 0], [0, 1, 2]]
    assert [score for _, score in lists[first]] == pytest.approx([0.9, 0.5, 0.3])


def test_owned_products_are_ranked_whatever_else_is_owned() -> None:
    world = replace(
        COFFEE, owned={"ann": ["beans", "syrup", "grinder", "grinder-pro"]},
        relationships=[("beans", "substitute", "syrup", 9), ("mug", "accessory", "beans", 9)],
    )  # fmt: skip
    state = state_of(world, {})

    lists = lists_of(state, 50, includes_owned=True)

    assert {product for product, _ in lists["ann"]} >= {*world.owned["ann"]}


def test_what_was_returned_since_the_training_is_not_ranked_as_owned() -> None:
    content = make_content(owned=[[0, 4]], candidates=[[2, 1]], scores=[[0.5, 0.2]], owned_scores=[0.3, 0.9])
    state = LiveState(content, 0)
    state.part(Ownership).replace(content.account_ids.texts[0], [content.products.ids.texts[0]])

    assert rows_of(lists_of(state, 3, includes_owned=True), content) == [[2, 0, 1]]


def test_the_file_holds_every_account_with_ranks_from_one(tmp_path: Path) -> None:
    content = make_content(owned=[[0], []], candidates=[[2, 3], [NO_ROW] * 2], scores=[[0.9, 0.4], [0, 0]])

    table = written(LiveState(content, 0), tmp_path / "scores.parquet", 2)

    first, second = content.account_ids.texts
    products = list(content.products.ids.texts)
    assert [(row["account_id"], row["rank"], row["product_id"], row["source"]) for row in table] == [
        (first, 1, products[2], "personalized"),
        (first, 2, products[3], "personalized"),
        (second, 1, products[0], "popular"),
        (second, 2, products[1], "popular"),
    ]


def with_propensities(content: Content, products: Products | None = None) -> LiveState:
    """Let the first account's list have probabilities of its own, and everything else a rate of a tenth."""
    learned = replace(
        content.propensities,
        candidates=np.array([[0.5, 0.25], [np.nan, np.nan]], dtype=np.float32)[: len(content.account_ids)],
        rates=np.full(5, 0.1, dtype=np.float32),
        factors=np.ones(12, dtype=np.float32),
    )
    return LiveState(replace(content, propensities=learned, products=products or content.products), 0)


def test_propensity_and_worth_stand_beside_the_score(tmp_path: Path) -> None:
    content = make_content(owned=[[0], []], candidates=[[2, 3], [NO_ROW] * 2], scores=[[0.9, 0.4], [0, 0]])
    products = replace(content.products, prices_minor=np.array([100, 200, 300, NO_NUMBER, 500]))

    table = written(with_propensities(content, products), tmp_path / "scores.parquet", 2)

    assert [row["propensity"] for row in table] == pytest.approx([0.5, 0.25, 0.1, 0.1])
    assert [row["expected_revenue_minor"] for row in table] == [150, None, 50, 30]
    assert {row["expected_margin_minor"] for row in table} == {None}


def test_what_is_owned_has_its_score_as_propensity_and_what_fills_a_list_the_rate_of_its_product() -> None:
    content = make_content(owned=[[0, 4]], candidates=[[2, 1]], scores=[[0.5, 0.2]], owned_scores=[0.3, 0.9])
    state = with_propensities(content)

    ((_, lists),) = score_accounts(state, known_accounts(state), 5, includes_owned=True)

    # By propensity times a margin of 30 % of the price, which is 100 times the product's number.
    assert lists.product.tolist() == [4, 2, 3, 1, 0]
    assert lists.propensity.tolist() == pytest.approx([0.9, 0.5, 0.1, 0.25, 0.3])


def test_prices_are_those_of_the_catalogue_now(tmp_path: Path) -> None:
    content = make_content(owned=[[0]], candidates=[[2, 3]], scores=[[0.9, 0.4]])
    state = with_propensities(content)
    view = state.part(CatalogueView)
    product_id = content.products.ids.texts[2]
    raised = replace(view.products.info(view.products.row_of(product_id) or 0), price_minor=1_000)  # type: ignore[arg-type]
    state.replace_part(view.with_products({product_id: raised}))

    table = written(state, tmp_path / "scores.parquet", 1)

    assert [row["expected_revenue_minor"] for row in table] == [500]


def test_a_file_that_can_not_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    content = make_content(owned=[[0]], candidates=[[2, 3]], scores=[[0.9, 0.4]])

    def fail(_done: int) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_scores(
            LiveState(content, 0), tmp_path / "s.parquet", 2, DEFAULT_OPTIONS, includes_owned=False, progress=fail
        )

    assert list(tmp_path.iterdir()) == []


def read_any(path: Path) -> list[dict[str, Any]]:
    """Read a file of any format as rows, numbers as numbers."""
    if path.name.endswith(".xlsx"):
        header, *rows = openpyxl.load_workbook(path).active.values  # type: ignore[union-attr]
        return [dict(zip(map(str, header), row, strict=True)) for row in rows]
    data = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    if ".ndjson" in path.name:
        return [orjson.loads(line) for line in data.splitlines()]
    texts = ("account_id", "product_id", "source", "currency")
    return [
        {name: cell if name in texts else float(cell) if cell else None for name, cell in row.items()}
        for row in csv.DictReader(data.decode().splitlines())
    ]


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".ndjson", ".ndjson.gz", ".xlsx", ".CSV"])
def test_every_format_holds_the_rows_of_the_parquet_file(ending: str, tmp_path: Path) -> None:
    content = make_content(owned=[[0], [1]], candidates=[[2, 3], [3, 0]], scores=[[0.9, 0.1], [1 / 3, 1e-6]])
    state = LiveState(content, 0)
    expected = written(state, tmp_path / "scores.parquet", 2)

    target = tmp_path / f"scores{ending}"
    write_scores(state, target, 2, DEFAULT_OPTIONS, includes_owned=False, progress=lambda _: None)

    assert len(expected) == 4
    for row, its in zip(read_any(tmp_path / f"scores{ending}"), expected, strict=True):
        assert row == {name: pytest.approx(value) if isinstance(value, float) else value for name, value in its.items()}


def test_more_rows_than_a_sheet_holds_are_refused_and_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = make_content(owned=[[0], [1]], candidates=[[2, 3], [3, 0]], scores=[[0.9, 0.1], [0.5, 0.4]])
    monkeypatch.setattr(score_writers, "SHEET_ROWS", 4)

    with pytest.raises(OptionInvalid, match=r"holds 4 rows .* --limit, or write \.csv or \.parquet"):
        write_scores(
            LiveState(content, 0),
            tmp_path / "scores.xlsx",
            2,
            DEFAULT_OPTIONS,
            includes_owned=False,
            progress=lambda _: None,
        )

    assert list(tmp_path.iterdir()) == []
