"""Exchange rates over HTTP and from files, on both databases."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from service.imports.importer import import_file
from service.rows.errors import MissingColumn
from tests.service.imports.support import read_rejects, results, write_csv


def rate(base: str = "EUR", quote: str = "USD", valid_from: str = "2024-01-31", value: object = 1.25) -> dict[str, Any]:
    return {"base_currency": base, "quote_currency": quote, "valid_from": valid_from, "rate": value}


def listed(api: TestClient, **parameters: str) -> list[tuple[str, float]]:
    """Identifiers and rates of all pages."""
    rates: list[tuple[str, float]] = []
    cursor: str | None = None
    while True:
        page = {"limit": "2", **parameters} | ({"cursor": cursor} if cursor else {})
        answer = api.get("/v1/exchange-rates", params=page)
        assert answer.status_code == 200, answer.text
        rates += [(item["exchange_rate_id"], item["rate"]) for item in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return rates


def test_rates_are_stored_replaced_and_listed_in_order(api: TestClient) -> None:
    rows = [rate(), rate(valid_from="2023-12-31", value="1.1"), rate("USD", "JPY", value=150), rate("CHF", "EUR")]

    first = results(api, "/v1/exchange-rates", rows)
    second = results(api, "/v1/exchange-rates", [rate(value=1.3), rate("CHF", "EUR")])

    assert [result["status"] for result in first] == ["created"] * 4
    assert [(result["status"], result["id"]) for result in second] == [
        ("updated", "EUR-USD-2024-01-31"),
        ("unchanged", "CHF-EUR-2024-01-31"),
    ]
    assert listed(api) == [
        ("CHF-EUR-2024-01-31", 1.25),
        ("EUR-USD-2023-12-31", 1.1),
        ("EUR-USD-2024-01-31", 1.3),
        ("USD-JPY-2024-01-31", 150),
    ]
    assert listed(api, base_currency="EUR") == [("EUR-USD-2023-12-31", 1.1), ("EUR-USD-2024-01-31", 1.3)]
    assert listed(api, quote_currency="JPY") == [("USD-JPY-2024-01-31", 150)]


def test_an_item_has_all_that_was_given(api: TestClient) -> None:
    results(api, "/v1/exchange-rates", [rate("eur", "usd", "2024-01-31T23:00:00Z", "1.0833")])

    (item,) = api.get("/v1/exchange-rates").json()["items"]

    assert item == {
        "exchange_rate_id": "EUR-USD-2024-01-31", "base_currency": "EUR", "quote_currency": "USD",
        "valid_from": "2024-01-31", "rate": 1.0833, "updated_at": "2024-03-01T12:00:00Z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (rate(value=0), "rate"),
        (rate(value=-1.2), "rate"),
        (rate(value="much"), "rate"),
        (rate(value=None), "rate"),
        (rate(value=True), "rate"),
        (rate(value=1e12), "rate"),
        (rate("EURO"), "base_currency"),
        (rate(quote=""), "quote_currency"),
        (rate(valid_from="soon"), "valid_from"),
        (rate("USD", "USD"), ""),
        ({"base_currency": "EUR", "quote_currency": "USD", "rate": 1}, "valid_from"),
        (rate() | {"bank": "ECB"}, "bank"),
    ],
)
def test_a_row_that_is_no_rate_is_rejected_and_the_others_are_stored(
    api: TestClient, row: dict[str, Any], field: str
) -> None:
    bad, good = results(api, "/v1/exchange-rates", [row, rate("GBP", "EUR")])

    assert (bad["status"], [error["field"] for error in bad["errors"]]) == ("rejected", [field])
    assert good["status"] == "created"
    assert listed(api) == [("GBP-EUR-2024-01-31", 1.25)]


def test_a_rate_is_deleted_by_its_identifier(api: TestClient) -> None:
    results(api, "/v1/exchange-rates", [rate(), rate(valid_from="2024-02-29")])

    deleted = api.delete("/v1/exchange-rates/EUR-USD-2024-01-31")

    assert deleted.status_code == 200
    assert deleted.json().keys() == {"sequence"}
    assert listed(api) == [("EUR-USD-2024-02-29", 1.25)]


@pytest.mark.parametrize("rate_id", ["EUR-USD-2024-01-31", "EUR-USD-2024-02-31", "EUR-USD", "x"])
def test_a_rate_that_is_not_stored_is_not_found(api: TestClient, rate_id: str) -> None:
    answer = api.delete(f"/v1/exchange-rates/{rate_id}")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-exchange-rate")


@pytest.mark.parametrize(
    "names", [("base_currency", "quote_currency", "valid_from"), ("base", "quote", "date"), ("from", "to", "date")]
)
def test_a_file_of_rates_is_imported_under_the_usual_names_and_again_without_effect(
    engine: Engine, api: TestClient, tmp_path: Path, names: tuple[str, str, str]
) -> None:
    rows = [("EUR", "USD", "2024-01-01", 1.1), ("EUR", "USD", "2024-01-02", 1.2), ("EUR", "USD", "2024-01-02", 1.3)]
    path = write_csv(tmp_path / "rates.csv", [dict(zip((*names, "rate"), row, strict=True)) for row in rows])

    first, second = import_file(engine, "exchange-rates", [path]), import_file(engine, "exchange-rates", [path])

    assert (first.rows.new, first.repeated, second.rows.new, second.rows.unchanged) == (2, 1, 0, 2)
    assert listed(api) == [("EUR-USD-2024-01-01", 1.1), ("EUR-USD-2024-01-02", 1.3)]


def test_bad_rows_of_a_file_are_refused_with_their_line_and_the_others_go_in(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "rates.csv", [rate(), rate("GBP", value=0), rate("USD", "USD")])

    summary = import_file(sqlite_engine, "exchange-rates", [path])

    rejects = read_rejects(summary.rejects_files[0])
    assert (summary.rows.new, summary.rejected) == (1, 2)
    assert [row["line"] for row in rejects] == ["3", "4"]
    assert "must be between" in rejects[0]["reason"]
    assert "two currencies" in rejects[1]["reason"]


def test_a_file_without_a_column_of_rates_is_refused(sqlite_engine: Engine, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "rates.csv", [{"from": "EUR", "to": "USD", "date": "2024-01-01"}])

    with pytest.raises(MissingColumn, match="rate"):
        import_file(sqlite_engine, "exchange-rates", [path])
