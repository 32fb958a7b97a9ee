"""Exchange rates as callers write and read them."""

import re
from datetime import date, datetime
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from service.rows.number_fields import read_decimal
from service.rows.text_fields import is_blank, read_currency, shown
from service.rows.time_fields import read_day

MAX_RATE: Final = 10.0**9
_ID: Final = re.compile(r"([A-Z]{3})-([A-Z]{3})-(\d{4}-\d{2}-\d{2})")


class RateKey(NamedTuple):
    """What tells one rate from another."""

    base_currency: str
    quote_currency: str
    valid_from: date

    @property
    def exchange_rate_id(self) -> str:
        """The name of the rate, such as EUR-USD-2026-01-31."""
        return f"{self.base_currency}-{self.quote_currency}-{self.valid_from.isoformat()}"


def key_of(exchange_rate_id: str) -> RateKey | None:
    """The rate that an identifier names; None for what is no identifier of a rate."""
    match = _ID.fullmatch(exchange_rate_id)
    try:
        return RateKey(match[1], match[2], date.fromisoformat(match[3])) if match else None
    except ValueError:
        return None


def _read_rate(value: object) -> float:
    if is_blank(value):
        raise ValueError("is empty")
    rate = float(read_decimal(value))
    if not 1 / MAX_RATE <= rate <= MAX_RATE:
        raise ValueError(f"must be between {1 / MAX_RATE:g} and {MAX_RATE:g}, not {shown(value)}")
    return rate


Currency = Annotated[str, BeforeValidator(read_currency)]
Rate = Annotated[
    float, BeforeValidator(_read_rate), WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]})
]
Day = Annotated[date, BeforeValidator(read_day)]


class ExchangeRateIn(BaseModel):
    """One rate to create, or to replace that of the same two currencies and day."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"base_currency": "EUR", "quote_currency": "USD", "valid_from": "2017-03-01", "rate": "1.0533"}
        },
    )

    base_currency: Currency = Field(description="ISO 4217 code of the currency of which one unit is priced.")
    quote_currency: Currency = Field(description="ISO 4217 code of the currency that the rate is in.")
    valid_from: Day = Field(
        description="The first day on which it is valid, in the time zone of the training, until the next rate."
    )
    rate: Rate = Field(description="Units of the quote currency for one unit of the base currency, in major units.")

    @model_validator(mode="after")
    def _two_currencies(self) -> "ExchangeRateIn":
        if self.base_currency == self.quote_currency:
            raise ValueError(f"base_currency and quote_currency are both {self.base_currency}; give two currencies")
        return self

    @property
    def key(self) -> RateKey:
        """What tells it from other rates."""
        return RateKey(self.base_currency, self.quote_currency, self.valid_from)

    @property
    def exchange_rate_id(self) -> str:
        """The name of the rate."""
        return self.key.exchange_rate_id


class ExchangeRateOut(BaseModel):
    """One rate: it is valid from its day on, until the next rate of the same two currencies."""

    exchange_rate_id: str = Field(description="Names the rate in paths.", examples=["EUR-USD-2017-03-01"])
    base_currency: str
    quote_currency: str
    valid_from: date
    rate: float = Field(description="Units of the quote currency for one unit of the base currency, in major units.")
    updated_at: datetime
