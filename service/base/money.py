"""Money in minor units, exactly."""

from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field

from models.currencies import minor_digits

MAX_MINOR: Final = 10**15
"""Largest amount: fits BIGINT with room for sums, and a double holds it exactly."""

AMOUNT_FIELDS: Final = ("amount_minor", "amount", "unit_price_minor", "unit_price")


ReportingCode = Annotated[
    str | None,
    Field(
        description="ISO 4217 code of all money: the reporting currency. Null where neither orders nor products name "
        "any currency."
    ),
]


def exponent_of(currency: str | None) -> int:
    """How many decimal digits the currency's major unit has."""
    return minor_digits(currency)


def to_minor(major: Decimal, currency: str | None) -> int:
    """Convert major to minor units; digits beyond the currency's are rounded half to even."""
    return _bounded(major.scaleb(exponent_of(currency)))


def from_minor(minor: int, currency: str | None) -> str:
    """Write an amount in major units, such as ``12.50 EUR``."""
    exponent = exponent_of(currency)
    return f"{Decimal(minor).scaleb(-exponent):,.{exponent}f} {currency or ''}".rstrip()


def line_amount(field: str, value: Decimal | int, quantity: float, currency: str | None) -> int:
    """The whole line's amount in minor units, with the quantity's sign.

    The amount and the price of a return may be written with or without a minus.
    Raises ValueError on a negative amount for a positive quantity.
    """
    exact = Decimal(value)
    if field.startswith("unit_price"):
        exact *= Decimal(repr(quantity))
    if quantity < 0:
        exact = -abs(exact)
    if exact < 0 < quantity:
        raise ValueError("is negative, though the quantity is positive; write a return with a negative quantity")
    return _bounded(exact) if field.endswith("minor") else to_minor(exact, currency)


def _bounded(exact: Decimal) -> int:
    if abs(exact) > MAX_MINOR:
        raise ValueError(f"is more than {MAX_MINOR} minor units")
    return round(exact)
