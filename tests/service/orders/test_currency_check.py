"""An import of orders warns of currencies that can't be converted."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from service.imports.importer import import_file
from service.imports.report import summary_lines
from tests.service.imports.support import write_csv


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def import_orders(engine: Engine, *currencies: str, name: str = "first") -> list[str]:
    """Import one order of March 2024 in each currency; return the warnings."""
    rows = [
        {
            "order_id": f"{name}{number}",
            "account_id": "a",
            "product_id": "p",
            "ordered_at": f"2024-03-{1 + number:02d}",
            "amount_minor": 100,
            "currency": currency,
        }
        for number, currency in enumerate(currencies)
    ]
    summary = import_file(engine, "orders", [write_csv(Path(f"{name}.csv"), rows)])
    assert [line for line in summary_lines(summary) if line.startswith("WARNING")] == [
        f"WARNING: {warning}" for warning in summary.warnings
    ]
    return summary.warnings


def import_rates(engine: Engine, *rates: tuple[str, str, str]) -> None:
    rows = [{"from": base, "to": quote, "date": day, "rate": 2} for base, quote, day in rates]
    import_file(engine, "exchange-rates", [write_csv(Path("rates.csv"), rows)])


@pytest.mark.parametrize("currencies", [("EUR", "EUR"), ("", ""), ("JPY",), ("EUR", "")])
def test_one_currency_needs_no_rates(sqlite_engine: Engine, currencies: tuple[str, ...]) -> None:
    assert import_orders(sqlite_engine, *currencies) == []


def test_a_second_currency_without_rates_is_named_with_what_to_do(engine: Engine) -> None:
    (warning,) = import_orders(engine, "EUR", "EUR", "JPY")

    assert warning.startswith("1 order is in JPY, from 2024-03-03 on, and there is no exchange rate between it and EUR")
    assert "nextoffer import exchange-rates FILE" in warning


def test_a_second_file_in_another_currency_is_named_and_one_in_the_main_currency_is_not(sqlite_engine: Engine) -> None:
    import_orders(sqlite_engine, "EUR", "EUR", "EUR")

    (warning,) = import_orders(sqlite_engine, "USD", name="second")

    assert "USD" in warning
    assert import_orders(sqlite_engine, "EUR", name="third") == []


@pytest.mark.parametrize(
    "rates",
    [
        [("EUR", "JPY", "2024-03-01")],
        [("JPY", "EUR", "2020-01-01")],
        [("USD", "EUR", "2024-01-01"), ("USD", "JPY", "2024-03-03")],
    ],
)
def test_direct_inverse_and_common_rates_are_enough(engine: Engine, rates: list[tuple[str, str, str]]) -> None:
    import_rates(engine, *rates)

    assert import_orders(engine, "EUR", "EUR", "JPY") == []


def test_rates_that_begin_too_late_are_not(sqlite_engine: Engine) -> None:
    import_rates(sqlite_engine, ("EUR", "JPY", "2024-03-04"))

    (warning,) = import_orders(sqlite_engine, "EUR", "EUR", "JPY")

    assert "no exchange rate before 2024-03-04" in warning


def test_orders_that_name_no_currency_are_counted_where_others_name_several(sqlite_engine: Engine) -> None:
    warnings = import_orders(sqlite_engine, "EUR", "EUR", "JPY", "")

    assert len(warnings) == 2
    assert warnings[1].startswith("1 order is without a currency, where others are in EUR, JPY")
    assert "--default-currency" in warnings[1]


def test_orders_that_are_cancelled_need_no_rates(sqlite_engine: Engine) -> None:
    header = {"account_id": "a", "product_id": "p", "ordered_at": "2024-03-01", "amount": 1}
    rows = [
        {"order_id": "1", "currency": "EUR", "status": "placed", **header},
        {"order_id": "2", "currency": "JPY", "status": "placed", **header},
        {"order_id": "3", "currency": "USD", "status": "cancelled", **header},
        {"order_id": "4", "currency": "", "status": "cancelled", **header},
    ]

    [warning] = import_file(sqlite_engine, "orders", [write_csv(Path("lines.csv"), rows)]).warnings

    assert "1 order is in JPY" in warning
