"""Order lines in any accepted type become the same columns; bad rows are named."""

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from models.data.columns import to_lines
from models.data.errors import HistoryInvalid

GOOD: dict[str, list[Any]] = {
    "account_id": ["a", "b"],
    "order_id": ["1", "2"],
    "product_id": ["x", "y"],
    "ordered_at": ["2024-02-29T12:00:00Z", "2024-03-01T00:00:00Z"],
    "quantity": [1, 2],
    "amount_minor": [100, 250],
}


def lines(**columns: Any) -> pa.Table:
    return to_lines(pa.table(GOOD | columns), "orders.csv", {})


@pytest.mark.parametrize(
    "given",
    [
        ["2024-02-29", "2024-03-01"],
        ["2024-02-29 00:00:00", "2024-03-01T00:00:00"],
        ["2024-02-29T01:00:00+01:00", "2024-03-01T00:00:00Z"],
        [date(2024, 2, 29), date(2024, 3, 1)],
        [datetime(2024, 2, 29), datetime(2024, 3, 1)],  # noqa: DTZ001
        [datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)],
        [1709164800, 1709251200],
        ["1709164800", "1709251200"],
    ],
)
def test_every_accepted_form_of_time_means_the_same_second(given: list[Any]) -> None:
    assert lines(ordered_at=given)["ordered_at"].to_pylist() == [1709164800, 1709251200]


def test_numbers_are_accepted_as_identifiers_in_their_decimal_form() -> None:
    assert lines(account_id=[17850.0, None], product_id=[85123, 7])["account_id"].to_pylist() == ["17850", None]


def test_blank_accounts_are_guests() -> None:
    assert lines(account_id=["  ", "b "])["account_id"].to_pylist() == [None, "b"]


def test_quantity_and_amount_may_be_absent() -> None:
    table = pa.table({name: GOOD[name] for name in ("account_id", "order_id", "product_id", "ordered_at")})

    found = to_lines(table, "orders.csv", {})

    assert found["quantity"].to_pylist() == [1, 1]
    assert found["amount_minor"].to_pylist() == [0, 0]


def test_their_column_names_are_mapped_to_ours() -> None:
    table = pa.table(GOOD).rename_columns(["customer", *list(GOOD)[1:]])

    assert to_lines(table, "orders.csv", {"customer": "account_id"})["account_id"].to_pylist() == ["a", "b"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"product_id": ["x", None]}, "product_id: is missing in row 2"),
        ({"order_id": ["", "2"]}, "order_id: is missing in row 1"),
        ({"ordered_at": ["2024-02-29", "yesterday"]}, "ordered_at: row 2: .*yesterday"),
        ({"quantity": ["1", "many"]}, "quantity: row 2: .*many"),
        ({"quantity": [1.0, float("nan")]}, "quantity: is not a finite number in row 2"),
        ({"amount_minor": [1.5, 2.0]}, "amount_minor: row 1: "),
    ],
)
def test_a_bad_row_is_named_with_its_field(columns: dict[str, list[Any]], message: str) -> None:
    with pytest.raises(HistoryInvalid, match=f"orders.csv: {message}"):
        lines(**columns)


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    with pytest.raises(HistoryInvalid, match=r"no column product_id; the columns are .*code.*--map"):
        to_lines(pa.table(GOOD).rename_columns(["account_id", "order_id", "code", *list(GOOD)[3:]]), "orders.csv", {})


def test_an_empty_history_is_refused() -> None:
    with pytest.raises(HistoryInvalid, match="nothing to learn from"):
        to_lines(pa.table(GOOD).slice(0, 0), "orders.csv", {})
