"""Readers of numbers: quantities, money, tiers."""

from decimal import Decimal
from typing import Final

from service.base.money import MAX_MINOR
from service.rows.numbers import MAX_DIGITS, parse_number, parse_plain_number
from service.rows.text_fields import is_blank, shown
from service.rows.value_formats import REQUEST_FORMAT, FieldFormat

MAX_QUANTITY: Final = 10**9


def read_decimal(value: object, written: FieldFormat = REQUEST_FORMAT) -> Decimal:
    """A finite number, exactly as it was written; of a float, its shortest decimal form.

    In requests, text holds a decimal point and no other signs.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError(f"must be a number, not {shown(value)}")  # noqa: TRY004  pydantic reports ValueError
    if isinstance(value, str) and written.is_from_file:
        number = parse_number(value, written.decimal)
    else:
        number = parse_plain_number(repr(value) if isinstance(value, float) else str(value))
    if number is None:
        raise ValueError(f"is not a number: {shown(value)}")
    if not number.is_finite():
        raise ValueError(f"is not a finite number: {shown(value)}")
    if number and abs(number.adjusted()) > MAX_DIGITS:
        raise ValueError(f"is out of range: {shown(value)}")
    return number or Decimal(0)


def read_integer(value: object, written: FieldFormat = REQUEST_FORMAT) -> int:
    """A whole number, however it is written."""
    number = read_decimal(value, written)
    if number != number.to_integral_value():
        raise ValueError(f"is not a whole number: {shown(value)}")
    return int(number)


def read_money(value: object, written: FieldFormat = REQUEST_FORMAT) -> Decimal:
    """An amount of money; whether it fits is known when quantity and currency are."""
    number = read_decimal(value, written)
    if abs(number) > MAX_MINOR:
        raise ValueError(f"is more than {MAX_MINOR}")
    return number


def read_minor(value: object, written: FieldFormat = REQUEST_FORMAT) -> int:
    """An amount in minor units."""
    number = read_integer(value, written)
    if abs(number) > MAX_MINOR:
        raise ValueError(f"is more than {MAX_MINOR} minor units")
    return number


def read_stock(value: object, written: FieldFormat = REQUEST_FORMAT) -> float:
    """How many are left: what is owed to others is less than none."""
    number = read_decimal(value, written)
    if abs(number) > MAX_QUANTITY:
        raise ValueError(f"is more than {MAX_QUANTITY}")
    return float(number)


def read_quantity(value: object, written: FieldFormat = REQUEST_FORMAT) -> float:
    """How many: negative for a return; 1 where it is not given."""
    if is_blank(value):
        if isinstance(value, float):
            raise ValueError("is not a finite number: nan")
        return 1.0
    number = read_decimal(value, written)
    if abs(number) > MAX_QUANTITY:
        raise ValueError(f"is more than {MAX_QUANTITY}")
    return float(number)


def read_tier(value: object, written: FieldFormat = REQUEST_FORMAT) -> int:
    """A product's place within its family."""
    number = read_integer(value, written)
    if not -(2**31) <= number < 2**31:
        raise ValueError("is out of range")
    return number
