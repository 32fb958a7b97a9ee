"""Money in minor units, against arithmetic in fractions."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.base.money import MAX_MINOR, line_amount, to_minor
from service.rows.number_fields import read_decimal
from service.rows.time_fields import read_timestamp


@given(
    st.decimals(-(10**9), 10**9, places=6), st.sampled_from([("JPY", 0), ("EUR", 2), (None, 2), ("KWD", 3), ("CLF", 4)])
)
def test_rounding_is_half_even_in_the_currencys_digits(major: Decimal, currency: tuple[str | None, int]) -> None:
    code, digits = currency

    assert to_minor(major, code) == round(Fraction(major) * 10**digits)


@given(st.floats(min_value=1e-60, max_value=1e60))
def test_a_float_is_read_as_its_shortest_decimal(value: float) -> None:
    assert float(read_decimal(value)) == value


def test_a_float_price_is_what_was_meant() -> None:
    assert line_amount("unit_price", read_decimal(0.1), 3.0, "EUR") == 30
    assert line_amount("amount", read_decimal(1.005), 1.0, "EUR") == 100  # 100.5 goes to the even 100
    assert line_amount("amount", read_decimal(1.015), 1.0, "EUR") == 102  # 101.5 goes to the even 102


@pytest.mark.parametrize(
    ("field", "value", "quantity", "expected"),
    [
        ("amount_minor", 500, 2.0, 500),
        ("amount_minor", 500, -2.0, -500),
        ("amount_minor", -500, -2.0, -500),
        ("unit_price_minor", 250, -2.0, -500),
        ("unit_price_minor", 333, 0.5, round(Fraction(333, 2))),
        ("amount_minor", 500, 0.0, 500),
    ],
)
def test_a_lines_amount_has_the_quantitys_sign(field: str, value: int, quantity: float, expected: int) -> None:
    assert line_amount(field, value, quantity, None) == expected


def test_a_negative_amount_for_a_positive_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match="negative quantity"):
        line_amount("unit_price", Decimal(-1), 1.0, None)


def test_an_amount_beyond_bounds_is_refused() -> None:
    assert line_amount("amount_minor", MAX_MINOR, 1.0, None) == MAX_MINOR
    with pytest.raises(ValueError, match="more than"):
        line_amount("unit_price_minor", MAX_MINOR, 2.0, None)


@pytest.mark.parametrize(
    ("given_as", "expected"),
    [
        ("2017-03-01", "2017-03-01T00:00:00+00:00"),
        ("20170301", "2017-03-01T00:00:00+00:00"),
        ("2017-03-01T10:00:00+02:00", "2017-03-01T08:00:00+00:00"),
        ("2017-03-01 10:00", "2017-03-01T10:00:00+00:00"),
        ("2017-03-01T10:00:00.25Z", "2017-03-01T10:00:00.250000+00:00"),
        (1488362400, "2017-03-01T10:00:00+00:00"),
        ("1488362400", "2017-03-01T10:00:00+00:00"),
        (1488362400.0, "2017-03-01T10:00:00+00:00"),
    ],
)
def test_times_are_read_as_utc(given_as: object, expected: str) -> None:
    assert read_timestamp(given_as).isoformat() == expected


@pytest.mark.parametrize(
    "given_as",
    ["", None, "01/03/2017", "2017-02-30", "14883624", 14883624, "0001-01-01T00:00:00+14:00", True, "99"],
)
def test_what_is_no_time_is_refused(given_as: object) -> None:
    with pytest.raises(ValueError, match=r"is |must be"):
        read_timestamp(given_as)
