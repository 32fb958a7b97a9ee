"""Products as callers write and read them."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.ingestion.fields import (
    Attributes,
    Flag,
    Identifier,
    OptionalCurrency,
    OptionalMinor,
    OptionalMoney,
    OptionalText,
    OptionalTier,
)
from service.ingestion.money import to_minor


class ProductIn(BaseModel):
    """One product to create or update. A field that is left out keeps its stored value; null or blank clears it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "product_id": "GTX Pro",
                "line": "GTX",
                "category": "software",
                "family": "GTX",
                "tier": 2,
                "price": "4821.00",
                "currency": "USD",
                "margin_minor": 192800,
                "active": True,
            }
        },
    )

    product_id: Identifier = Field(description="Your own identifier of the product.")
    name: OptionalText = Field(default=None, description="What people call it; the identifier if left out.")
    line: OptionalText = Field(default=None, description="The product line: what goals are set on.")
    category: OptionalText = Field(default=None, description="What kind of thing it is.")
    family: OptionalText = Field(default=None, description="Products of one family are alternatives of rising tier.")
    tier: OptionalTier = Field(default=None, description="Place within the family: an upgrade has a higher tier.")
    price_minor: OptionalMinor = Field(default=None, description="Price in minor units. Give this or `price`.")
    price: OptionalMoney = Field(default=None, description="Price in major units, exact when written as text.")
    currency: OptionalCurrency = Field(default=None, description="ISO 4217 code of price and margin.")
    margin_minor: OptionalMinor = Field(default=None, description="Margin in minor units. Give this or `margin`.")
    margin: OptionalMoney = Field(default=None, description="Margin in major units.")
    active: Flag = Field(default=True, description="Whether it may be offered.")
    attributes: Attributes = Field(
        default_factory=dict, description="Whatever else is known. Replaced as a whole. At most 16 KB and 5 levels."
    )

    @model_validator(mode="after")
    def _one_amount_each(self) -> "ProductIn":
        for name in ("price", "margin"):
            if {name, f"{name}_minor"} <= self.model_fields_set:
                raise ValueError(f"{name} and {name}_minor exclude each other")
            _minor(name, getattr(self, name), self.currency)
        if (self.price or self.price_minor or 0) < 0:
            raise ValueError("a price must not be negative")
        return self

    def record(self, default_currency: str | None = None) -> dict[str, Any]:
        """The columns that this row sets."""
        columns = self.model_dump(exclude_unset=True, exclude={"price", "margin", "active"})
        money = {"price", "price_minor", "margin", "margin_minor"} & self.model_fields_set
        currency = self.currency or (default_currency if money else None)
        for name in money & {"price", "margin"}:
            columns[f"{name}_minor"] = _minor(name, getattr(self, name), currency)
        if money and currency:
            columns["currency"] = currency
        if "name" in columns:
            columns["name"] = self.name or self.product_id
        return columns | ({"is_active": self.active} if "active" in self.model_fields_set else {})


def _minor(name: str, major: Decimal | None, currency: str | None) -> int | None:
    try:
        return None if major is None else to_minor(major, currency)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


class ProductOut(BaseModel):
    """What is known of one product."""

    product_id: str
    name: str
    line: str | None
    category: str | None
    family: str | None
    tier: int | None
    price_minor: int | None
    currency: str | None
    margin_minor: int | None
    active: bool = Field(validation_alias="is_active")
    attributes: dict[str, Any]
    is_stub: bool = Field(description="Only orders have named this product so far: nobody has described it.")
    updated_at: datetime


class ProductPage(BaseModel):
    """Some products, in the order of their identifiers."""

    items: list[ProductOut]
    next_cursor: str | None = Field(description="Pass as `cursor` to get the next page; null on the last.")
