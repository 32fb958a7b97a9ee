"""A history's money is in one currency, and what can't be converted is left out of it and counted."""

import json
from typing import Any

import numpy as np
import pyarrow as pa

from models.artifact import NO_NUMBER
from models.artifact_layout import describe_currency
from models.data.history import History, build_history
from models.exchange import CurrencyLines, ExchangeOptions, ExchangeRates

RATES = ExchangeRates.from_rows([("EUR", "JPY", 10, 100.0), ("EUR", "JPY", 20, 200.0)])
DAY = 86_400


def history(*lines: tuple[str | None, int | None, int], products: Any = None, **options: Any) -> History:
    """Lines of currency, amount and day, each an order of its own account."""
    currencies, amounts, days = zip(*lines, strict=True)
    n = len(lines)
    table = pa.table(
        {
            "account_id": [f"a{number}" for number in range(n)],
            "order_id": [f"o{number:02d}" for number in range(n)],
            "product_id": ["p"] * n,
            "ordered_at": [day * DAY + 7 for day in days],
            "quantity": [1.0] * n,
            "amount_minor": pa.array(amounts, type=pa.int64()),
            "currency": pa.array(currencies, type=pa.string()),
        }
    )
    return build_history(table, products and pa.table(products), None, ExchangeOptions(**options))


def test_each_line_is_converted_at_the_rate_of_its_own_day() -> None:
    lines = (("EUR", 500, 1), ("EUR", 500, 1), ("EUR", 500, 1), ("JPY", 1000, 9), ("JPY", 1000, 10), ("JPY", 1000, 20))

    made = history(*lines, rates=RATES)

    assert made.interactions.amount_minor.tolist() == [500, 500, 500, 0, 1000, 500]
    assert made.interactions.is_unconverted.tolist() == [False, False, False, True, False, False]
    assert made.currency_lines == (CurrencyLines("EUR", 3, 0), CurrencyLines("JPY", 3, 1))


def test_lines_without_an_amount_have_nothing_to_convert() -> None:
    made = history(("EUR", 500, 1), ("EUR", None, 1), ("JPY", None, 1))

    assert not made.interactions.is_unconverted.any()
    assert made.interactions.amount_minor.tolist() == [500, 0, 0]


def test_lines_of_one_currency_are_as_they_were_given_whatever_it_is() -> None:
    named, unnamed = history(("JPY", 500, 1), ("JPY", 70, 1)), history((None, 500, 1), (None, 70, 1))

    assert named.interactions.amount_minor.tolist() == unnamed.interactions.amount_minor.tolist() == [500, 70]
    assert named.interactions.unconverted is unnamed.interactions.unconverted is None
    assert named.fingerprint == unnamed.fingerprint
    assert (named.exchange.reporting, unnamed.exchange.reporting) == ("JPY", "")


def test_lines_that_name_no_currency_are_left_out_where_others_name_several() -> None:
    made = history(("EUR", 500, 1), ("EUR", 500, 1), ("USD", 500, 1), (None, 500, 1), rates=RATES)

    assert made.interactions.is_unconverted.tolist() == [False, False, True, True]


def test_other_rates_give_another_fingerprint_and_their_order_does_not() -> None:
    lines = (("EUR", 500, 1), ("EUR", 500, 1), ("JPY", 1000, 30))
    turned = ExchangeRates.from_rows([("EUR", "JPY", 20, 200.0), ("EUR", "JPY", 10, 100.0)])

    fingerprints = [
        history(*lines, rates=RATES).fingerprint,
        history(*lines, rates=turned).fingerprint,
        history(*lines, rates=ExchangeRates.from_rows([("EUR", "JPY", 20, 300.0)])).fingerprint,
        history(*lines).fingerprint,
    ]

    assert fingerprints[0] == fingerprints[1]
    assert len(set(fingerprints)) == 3


def test_prices_are_converted_at_the_rates_of_a_day_and_the_catalogue_keeps_its_own() -> None:
    products = {
        "product_id": ["p", "q", "r"],
        "currency": ["JPY", "EUR", "USD"],
        "price_minor": pa.array([1000, 700, 500], type=pa.int64()),
        "margin_minor": pa.array([None, 70, 50], type=pa.int64()),
    }

    made = history(("EUR", 500, 1), products=products, rates=RATES)
    valued = made.valued_products(20)

    row = [made.products.ids.row_of(product_id) or 0 for product_id in "pqr"]
    assert made.products.prices_minor[row].tolist() == [1000, 700, 500]
    assert valued.prices_minor[row].tolist() == [500, 700, NO_NUMBER]
    assert valued.margins_minor[row].tolist() == [NO_NUMBER, 70, NO_NUMBER]


def test_the_report_names_the_currency_and_counts_lines_by_their_own() -> None:
    made = history(("EUR", 500, 1), ("EUR", 500, 1), ("JPY", 1000, 30), ("USD", 1, 1), (None, 1, 1), rates=RATES)

    described = json.loads(json.dumps(describe_currency(made, 20)))

    assert described == {
        "reporting": "EUR",
        "lines": [
            {"currency": "EUR", "lines": 2, "unconverted_lines": 0},
            {"currency": None, "lines": 1, "unconverted_lines": 1},
            {"currency": "JPY", "lines": 1, "unconverted_lines": 0},
            {"currency": "USD", "lines": 1, "unconverted_lines": 1},
        ],
        "minor_factors": {"EUR": 1, "JPY": 0.5},
    }
    assert np.array_equal(made.interactions.is_unconverted, [False, False, False, True, True])
