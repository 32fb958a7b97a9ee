"""Readers of numbers: quantities, money, tiers."""

from decimal import Decimal, InvalidOperation
from typing import Final

from service.base.money import MAX_MINOR
from service.rows.text_fields import is_blank, shown

MAX_QUANTITY: Final = 10**9
_MAX_NUMBER_DIGITS: Final = 64


def read_decimal(value: object) -> Decimal:
    """A finite number, exactly as it was written; of a float, its shortest decimal form."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError(f"must be a number, not {shown(value)}")  # noqa: TRY004  pydantic reports ValueError
    number = _parse_decimal(repr(value) if isinstance(value, float) else str(value))
    if number is None:
        raise ValueError(f"is not a number: {shown(value)}")
    if not number.is_finite():
        raise ValueError(f"is not a finite number: {shown(value)}")
    if number and abs(number.adjusted()) > _MAX_NUMBER_DIGITS:
        raise ValueError(f"is out of range: {shown(value)}")
    return number or Decimal(0)


def _parse_decimal(text: str) -> Decimal | None:
    text = text.strip()
    if len(text) > _MAX_NUMBER_DIGITS or "_" in text:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def read_integer(value: object) -> int:
    """A whole number, however it is written."""
    number = read_decimal(value)
    if number != number.to_integral_value():
        raise ValueError(f"is not a whole number: {shown(value)}")
    return int(number)


def read_money(value: object) -> Decimal:
    """An amount of money; whether it fits is known when quantity and currency are."""
    number = read_decimal(value)
    if abs(number) > MAX_MINOR:
        raise ValueError(f"is more than {MAX_MINOR}")
    return number


def read_minor(value: object) -> int:
    """An amount in minor units."""
    number = read_integer(value)
    if abs(number) > MAX_MINOR:
        raise ValueError(f"is more than {MAX_MINOR} minor units")
    return number


def read_quantity(value: object) -> float:
    """How many: negative for a return; 1 where it is not given."""
    if is_blank(value):
        if isinstance(value, float):
            raise ValueError("is not a finite number: nan")
        return 1.0
    number = read_decimal(value)
    if abs(number) > MAX_QUANTITY:
        raise ValueError(f"is more than {MAX_QUANTITY}")
    return float(number)


def read_tier(value: object) -> int:
    """A product's place within its family."""
    number = read_integer(value)
    if not -(2**31) <= number < 2**31:
        raise ValueError("is out of range")
    return number
