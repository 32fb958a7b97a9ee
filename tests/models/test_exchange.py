"""Amounts are converted at dated rates, directly, by the inverse, or through one common currency."""

import numpy as np
import pytest

from models.exchange import (
    NO_RATES,
    UNNAMED,
    Exchange,
    ExchangeOptions,
    ExchangeRates,
    RateRow,
    choose_exchange,
)


def between(rows: list[RateRow], source: str, target: str, *days: int) -> list[float]:
    return [float(rate) for rate in ExchangeRates.from_rows(rows).between(source, target, np.array(days))]


def test_the_last_rate_on_or_before_the_day_counts() -> None:
    rows = [("EUR", "USD", 20, 1.3), ("EUR", "USD", 10, 1.2)]

    rates = between(rows, "EUR", "USD", 9, 10, 19, 20, 500)

    assert rates == pytest.approx([np.nan, 1.2, 1.2, 1.3, 1.3], nan_ok=True)


def test_the_inverse_of_a_rate_serves_as_well_and_a_direct_one_of_the_same_day_goes_before_it() -> None:
    rows = [("EUR", "USD", 10, 1.25), ("USD", "EUR", 20, 0.9), ("EUR", "USD", 20, 1.2)]

    assert between(rows, "USD", "EUR", 10, 20) == pytest.approx([1 / 1.25, 0.9])
    assert between(rows, "EUR", "USD", 10, 20) == pytest.approx([1.25, 1.2])


def test_currencies_without_a_rate_of_their_own_are_converted_through_one_that_both_have_a_rate_with() -> None:
    rows = [("EUR", "JPY", 10, 160.0), ("EUR", "USD", 12, 1.25)]

    rates = between(rows, "JPY", "USD", 11, 12)

    assert rates == pytest.approx([np.nan, 1.25 / 160], nan_ok=True)


def test_of_several_common_currencies_the_one_with_the_latest_rates_counts() -> None:
    rows = [
        ("EUR", "JPY", 10, 160.0), ("EUR", "USD", 10, 1.25),
        ("GBP", "JPY", 20, 200.0), ("GBP", "USD", 5, 1.5), ("GBP", "USD", 30, 1.6),
    ]  # fmt: skip

    assert between(rows, "JPY", "USD", 25, 30) == pytest.approx([1.25 / 160, 1.6 / 200])


def test_there_is_no_conversion_through_two_currencies() -> None:
    rows = [("AAA", "BBB", 0, 2.0), ("BBB", "CCC", 0, 3.0), ("CCC", "DDD", 0, 4.0)]

    assert between(rows, "AAA", "CCC", 0) == [6]
    assert np.isnan(between(rows, "AAA", "DDD", 0)).all()


def convert(exchange: Exchange, *amounts: tuple[int, str, int]) -> list[int | None]:
    values, names, days = (list(column) for column in zip(*amounts, strict=True))
    currencies = sorted(set(names))
    codes = np.array([currencies.index(name) for name in names])
    converted, is_converted = exchange.convert(np.array(values), codes, currencies, np.array(days))
    assert not converted[~is_converted].any()
    return [value if known else None for value, known in zip(converted.tolist(), is_converted.tolist(), strict=True)]


def test_minor_units_have_as_many_digits_as_their_currency() -> None:
    rates = ExchangeRates.from_rows([("EUR", "JPY", 0, 160.0), ("KWD", "EUR", 0, 3.0)])

    to_euros = convert(Exchange("EUR", None, rates), (1600, "JPY", 0), (2_500, "KWD", 0), (77, "EUR", 0))
    to_yen = convert(Exchange("JPY", None, rates), (1_000, "EUR", 0), (1_000, "KWD", 0))

    assert to_euros == [1000, 750, 77], "1600 yen are 10 euros, 2.5 dinars 7.50 euros"
    assert to_yen == [1600, 480]


def test_amounts_are_rounded_to_the_nearest_minor_unit_halves_to_even_returns_too() -> None:
    exchange = Exchange("EUR", None, ExchangeRates.from_rows([("USD", "EUR", 0, 0.5)]))

    converted = convert(exchange, *((amount, "USD", 0) for amount in (1, 3, 5, -1, -3, -5)))

    assert converted == [0, 2, 2, 0, -2, -2]


def test_what_has_no_rate_on_its_day_or_gets_too_large_is_not_converted() -> None:
    exchange = Exchange("EUR", None, ExchangeRates.from_rows([("USD", "EUR", 10, 0.5), ("XXX", "EUR", 0, 1e9)]))

    converted = convert(
        exchange, (4, "USD", 9), (4, "USD", 10), (4, "JPY", 10), (4, UNNAMED, 10), (10**14, "XXX", 10), (4, "EUR", 0)
    )

    assert converted == [None, 2, None, None, None, 4]


def test_unknown_prices_stay_unknown() -> None:
    exchange = Exchange("EUR", "EUR", ExchangeRates.from_rows([("USD", "EUR", 10, 0.5)]))

    converted = exchange.convert_on(np.array([100, 100, -1, 100, 100]), ["USD", "EUR", "USD", "JPY", ""], 10, -1)

    assert converted.tolist() == [50, 100, -1, -1, 100]


@pytest.mark.parametrize(
    ("lines", "products", "asked", "reporting", "unnamed"),
    [
        ({"USD": 3, "EUR": 2}, {"EUR": 9}, None, "USD", None),
        ({"USD": 3, "EUR": 3}, {}, None, "EUR", None),
        ({"USD": 3, "": 9}, {}, None, "USD", "USD"),
        ({"USD": 3, "": 9}, {}, "EUR", "EUR", "USD"),
        ({"": 9}, {"GBP": 2, "EUR": 1}, None, "GBP", "GBP"),
        ({"": 9}, {"": 2}, None, "", ""),
        ({"": 9}, {}, "CHF", "CHF", "CHF"),
        ({"USD": 3}, {}, "EUR", "EUR", "USD"),
        ({"JPY": 3, "": 1}, {}, None, "JPY", None),
    ],
)
def test_the_currency_of_most_lines_is_reported_and_unnamed_amounts_are_in_the_only_one(
    lines: dict[str, int], products: dict[str, int], asked: str | None, reporting: str, unnamed: str | None
) -> None:
    exchange = choose_exchange(ExchangeOptions(asked), lines, products)

    assert (exchange.reporting, exchange.unnamed) == (reporting, unnamed)


def test_factors_of_a_day_are_those_of_every_currency_that_can_be_converted() -> None:
    rates = ExchangeRates.from_rows([("USD", "EUR", 10, 0.5), ("JPY", "USD", 10, 0.01), ("GBP", "EUR", 11, 1.2)])

    factors = Exchange("EUR", "EUR", rates).factors_on(10, ["CHF"])

    assert factors == {"": 1, "EUR": 1, "USD": 0.5, "JPY": pytest.approx(0.005 * 100)}
    assert Exchange("EUR", None, NO_RATES).factors_on(10, []) == {"EUR": 1}
