"""Numbers as people and systems write them."""

from decimal import Decimal

import pytest

from service.rows.numbers import parse_number, sign_shown_by


@pytest.mark.parametrize(
    ("text", "decimal", "number"),
    [
        ("1.234,00", ",", "1234.00"),
        ("12,50", ",", "12.50"),
        ("1.234.567", ",", "1234567"),
        ("1.250", ",", "1250"),
        ("2,100.00", ".", "2100.00"),
        ("1,234,567", ".", "1234567"),
        ("12,34,567.5", ".", "1234567.5"),
        ("1'234.50", ".", "1234.50"),
        ("1\u00a0234,5", ",", "1234.5"),
        ("1 234 567", ".", "1234567"),
        ("$1,200.00", ".", "1200.00"),
        ("12,50 €", ",", "12.50"),
        ("(1,200.00)", ".", "-1200.00"),
        ("-€ 5", ".", "-5"),
        ("12.50-", ".", "-12.50"),
        ("\u22125", ".", "-5"),
        ("+5", ",", "5"),
        (",5", ",", "0.5"),
        ("1e3", ".", "1000"),
        ("12,50", None, "12.50"),
        ("12.50", None, "12.50"),
        ("1.234,00", None, "1234.00"),
    ],
)
def test_numbers_are_read_by_their_decimal_sign(text: str, decimal: str | None, number: str) -> None:
    assert parse_number(text, decimal) == Decimal(number)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        ("12,50", "."),
        ("12.50", ","),
        ("1,23,4", "."),
        ("1.23.4", ","),
        ("1,234.567,8", "."),
        ("free", "."),
        ("", "."),
        ("-", "."),
        ("()", "."),
        ("USD 5", "."),
        ("1_000", "."),
        ("5 pieces", "."),
        ("1" * 65, "."),
    ],
)
def test_what_is_no_number_by_that_sign_is_none(text: str, decimal: str) -> None:
    assert parse_number(text, decimal) is None  # type: ignore[arg-type]


def test_a_comma_before_three_digits_is_never_guessed() -> None:
    with pytest.raises(ValueError, match=r"may be 1250 or 1\.250: add --decimal"):
        parse_number("1,250", None)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("12,50", ","),
        ("1.234,00", ","),
        ("1.234.567", ","),
        ("0,125", ","),
        ("1234,567", ","),
        ("12.50", "."),
        ("1,234.00", "."),
        ("1,234,567", "."),
        ("1,250", "either-comma"),
        ("1.250", "either-point"),
        ("-$1,250", "either-comma"),
        ("1250", None),
    ],
)
def test_a_number_shows_its_decimal_sign_or_leaves_it_open(text: str, sign: str | None) -> None:
    assert sign_shown_by(text) == sign
