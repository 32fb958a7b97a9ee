"""Deals of several products, over HTTP and from files, on both databases."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from service.deals.live import last_declines, open_deals
from service.deals.whole_deal import total_value
from service.imports.importer import import_file
from service.rows.options import ImportOptions
from service.rows.summary import Counts, ImportSummary
from tests.service.deals.conftest import SUMMER, deal
from tests.service.imports.support import database_state, read_rejects, results, write_csv

HEADER = {"account_id": "A", "stage": "Closed Won", "currency": "EUR", "closed_at": "2024-06-01"}


def rows_of(deal_id: str, *products: tuple[str, str, str], **header: str) -> list[dict[str, str]]:
    """Rows of a file, one for each product: its identifier, quantity and value."""
    names = ("product_id", "quantity", "value")
    return [{"deal_id": deal_id, **HEADER, **header, **dict(zip(names, each, strict=True))} for each in products]


def imported(engine: Engine, rows: list[dict[str, Any]], **options: Any) -> ImportSummary:
    return import_file(engine, "deals", [write_csv(Path("deals.csv"), rows)], ImportOptions(**options))


def lines(engine: Engine, table: str = "deal_lines") -> list[tuple[Any, ...]]:
    return database_state(engine)[table]


def test_rows_of_a_file_are_the_products_of_a_deal_wherever_they_stand(engine: Engine) -> None:
    first = rows_of("1", ("p", "1", "10"), ("q", "2", "7.50"), ("p", "3", "30"))
    second = rows_of("2", ("p", "1", "5"), stage="Prospecting", closed_at="")

    summary = imported(engine, [first[0], second[0], first[1], first[2]], batch_rows=1)

    expected = [("p", 0, 1.0, 1000), ("p", 1, 3.0, 3000), ("q", 0, 2.0, 750)]
    assert summary.rows == Counts(new=2)
    assert lines(engine) == [("1", *line) for line in expected] + [("2", "p", 0, 1.0, 500)]
    assert lines(engine, "order_lines") == [("deal:1", *line) for line in expected]
    with engine.connect() as connection:
        (pipeline,) = open_deals(connection)["A"]
    assert (pipeline.deal_id, pipeline.value_minor) == ("2", 500)


def test_a_later_file_replaces_the_products_of_its_deals_only(engine: Engine) -> None:
    imported(engine, [*rows_of("1", ("p", "1", "1"), ("q", "1", "2")), *rows_of("2", ("p", "1", "3"))])

    summary = imported(engine, rows_of("1", ("q", "1", "2")))

    assert summary.rows == Counts(changed=1)
    assert lines(engine) == [("1", "q", 0, 1.0, 200), ("2", "p", 0, 1.0, 300)]
    assert [line[:2] for line in lines(engine, "order_lines")] == [("deal:1", "q"), ("deal:2", "p")]


def test_rows_that_contradict_each_other_are_refused_and_named(engine: Engine) -> None:
    rows = [*rows_of("1", ("p", "1", "1"), ("q", "1", "2")), *rows_of("2", ("p", "1", "3"))]
    rows[1] |= {"account_id": "B", "closed_at": "2024-06-02"}

    summary = imported(engine, rows)

    rejected = read_rejects(Path("deals.csv.rejects.csv"))
    assert (summary.rows, summary.rejected) == (Counts(new=1), 2)
    assert [(row["line"], row["field"]) for row in rejected] == [("2", "account_id"), ("3", "account_id")]
    assert "contradicts other rows of the deal: 'A' in line 2, 'B' in line 3" in rejected[0]["reason"]
    assert "closed_at contradicts" in rejected[0]["reason"]


def test_a_deal_goes_in_with_all_its_rows_or_not_at_all(engine: Engine) -> None:
    rows = [*rows_of("1", ("p", "1", "1"), ("q", "0", "2"), ("r", "few", "2")), *rows_of("2", ("p", "1", "-1"))]

    summary = imported(engine, rows)

    rejected = read_rejects(Path("deals.csv.rejects.csv"))
    assert (summary.rows, summary.rejected, lines(engine)) == (Counts(), 4, [])
    assert [(row["line"], row["field"]) for row in rejected] == [
        ("2", "deal_id"), ("3", "deal_id"), ("4", "quantity"), ("5", "value"),
    ]  # fmt: skip
    assert "because of line 4" in rejected[0]["reason"]


def test_a_header_that_only_the_first_row_fills_is_that_of_the_deal(engine: Engine) -> None:
    rows = rows_of("1", ("p", "1", "1"), ("q", "1", "2"))
    rows[1] |= dict.fromkeys(HEADER, "")

    imported(engine, rows)

    assert [row[:6] for row in database_state(engine)["deals"]] == [("1", "A", "Closed Won", "won", None, "EUR")]
    assert len(lines(engine, "order_lines")) == 2


def test_a_file_of_deals_and_a_file_of_their_products_go_in_one_after_the_other(engine: Engine) -> None:
    headers = [{"deal_id": key, **HEADER, "value": "99"} for key in ("1", "2")]
    products = [
        {"deal_id": key, "product_id": product, "quantity": "2", "value": "4"} for key in ("1", "3") for product in "pq"
    ]
    imported(engine, headers)
    before = (lines(engine), database_state(engine)["orders"])

    summary = imported(engine, products)
    again = imported(engine, headers)

    rejected = read_rejects(Path("deals.csv.rejects.csv"))
    assert before == ([], [])
    assert (summary.rows, summary.rejected, again.rows) == (Counts(changed=1), 2, Counts(unchanged=2))
    assert rejected[0]["reason"] == "is missing, and no such deal is stored yet: import the deal itself first"
    assert lines(engine, "order_lines") == [("deal:1", "p", 0, 2.0, 400), ("deal:1", "q", 0, 2.0, 400)]


def test_a_deal_without_a_product_is_kept_and_is_no_order(engine: Engine) -> None:
    rows = [*rows_of("1", ("", "", "50")), *rows_of("2", ("", "", ""), ("p", "1", "3"))]

    summary = imported(engine, rows)

    state = database_state(engine)
    assert summary.rows == Counts(new=2)
    assert [(row[0], row[4]) for row in state["deals"]] == [("1", 5000), ("2", None)]
    assert [row[0] for row in state["orders"]] == ["deal:2"]


def test_the_value_of_the_deal_is_that_of_its_only_product_without_one(engine: Engine) -> None:
    one = [{**row, "deal_value": "80"} for row in rows_of("1", ("p", "4", ""))]
    two = [{**row, "deal_value": "80"} for row in rows_of("2", ("p", "1", ""), ("q", "1", ""))]

    imported(engine, one + two)

    assert [line[-1] for line in lines(engine, "order_lines")] == [8000, None, None]


def test_a_request_gives_products_as_lines(api: TestClient, engine: Engine) -> None:
    given = [{"product_id": "q", "quantity": 2, "value": "5.50"}, {"product_id": "p", "value_minor": 100}]
    posted = {"deal_id": "d", **HEADER, "lines": given}

    results(api, "/v1/deals", [posted])
    again = results(api, "/v1/deals", [posted])
    (stored,) = api.get("/v1/deals").json()["items"]

    expected = [("p", 1.0, 100), ("q", 2.0, 550)]
    assert [(line["product_id"], line["quantity"], line["value_minor"]) for line in stored["lines"]] == expected
    assert (stored["value_minor"], again[0]["status"]) == (650, "unchanged")
    assert [(line[1], line[3], line[4]) for line in lines(engine, "order_lines")] == expected
    assert api.get("/v1/accounts/A").json()["owned_count"] == 2


def test_a_request_without_products_keeps_them_and_an_empty_list_removes_them(api: TestClient, engine: Engine) -> None:
    results(api, "/v1/deals", [{"deal_id": "d", **HEADER, "lines": [{"product_id": "p"}, {"product_id": "q"}]}])

    results(api, "/v1/deals", [{"deal_id": "d", "account_id": "B"}])
    kept = len(lines(engine))
    results(api, "/v1/deals", [{"deal_id": "d", "lines": []}])

    (order,) = database_state(engine)["orders"]
    assert (kept, lines(engine), order[1], order[-1]) == (2, [], "B", True)


@pytest.mark.parametrize(
    ("field", "row"),
    [
        ("lines.1.value", deal(product_id=None, lines=[{"product_id": "p"}, {"product_id": "q", "value": -1}])),
        ("lines.0.quantity", deal(product_id=None, lines=[{"product_id": "p", "quantity": -1}])),
        ("lines.0.amount", deal(product_id=None, lines=[{"product_id": "p", "amount": 1}])),
        ("product_id", deal(lines=[{"product_id": "q"}])),
        ("stage", {"deal_id": "new", "product_id": "p"}),
    ],
)
def test_a_bad_line_rejects_its_deal(sqlite_api: TestClient, field: str, row: dict[str, Any]) -> None:
    outcomes = results(sqlite_api, "/v1/deals", [row])

    assert [error["field"] for error in outcomes[0]["errors"]] == [field]
    assert sqlite_api.get("/v1/deals").json()["items"] == []


def test_a_request_that_spreads_a_deal_over_rows_is_refused_and_not_stored_in_part(sqlite_api: TestClient) -> None:
    rows = [deal("1", product_id="p"), deal("2"), deal("1", product_id="q")]

    outcomes = results(sqlite_api, "/v1/deals", rows)

    assert [outcome["status"] for outcome in outcomes] == ["rejected", "created", "rejected"]
    assert "rows 0, 2 of this deal; send it as one row" in outcomes[0]["errors"][0]["reason"]


def test_an_open_deal_keeps_its_close_date_as_the_expected_one(sqlite_api: TestClient) -> None:
    results(sqlite_api, "/v1/deals", [deal(stage="Negotiation/Review", closed_at=SUMMER)])

    (stored,) = sqlite_api.get("/v1/deals").json()["items"]
    assert (stored["status"], stored["closed_at"], stored["expected_close"]) == ("open", None, "2024-06-01")


def test_a_deal_that_was_lost_before_its_planned_date_was_lost_when_that_was_stored(engine: Engine) -> None:
    rows = [deal("1", "Lost", closed_at="2099-01-01"), deal("2", "Lost", account_id="B", closed_at="2024-01-01")]
    imported(engine, rows)

    with engine.connect() as connection:
        declines = last_declines(connection)

    assert declines["A"].year < 2099
    assert declines["B"].date().isoformat() == "2024-01-01"


@pytest.mark.parametrize(
    ("of_deal", "of_lines", "total"),
    [(None, [], None), (9, [], 9), (9, [1, 2], 3), (9, [1, None], 9), (None, [1, None], 1), (None, [None], None)],
)
def test_the_lines_values_count_before_the_deals(of_deal: int | None, of_lines: list[Any], total: int | None) -> None:
    assert total_value(of_deal, of_lines) == total
