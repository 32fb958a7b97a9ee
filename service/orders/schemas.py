"""Orders as callers write and read them: whole over HTTP, and line by line in files."""

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from service.base.request_body import RequestBody
from service.rows.field_types import (
    Identifier,
    OptionalCurrency,
    OptionalIdentifier,
    OptionalMinor,
    OptionalMoney,
    OptionalText,
    Quantity,
    Status,
    Timestamp,
)


class LineIn(RequestBody):
    """One product of an order, with at most one of the four amounts."""

    product_id: Identifier = Field(description="Your own identifier of the product.")
    quantity: Quantity = Field(default=1.0, description="How many; negative for a return.")
    amount_minor: OptionalMinor = Field(default=None, description="The whole line's amount in minor units.")
    amount: OptionalMoney = Field(default=None, description="The whole line's amount in major units.")
    unit_price_minor: OptionalMinor = Field(default=None, description="One unit's price in minor units.")
    unit_price: OptionalMoney = Field(default=None, description="One unit's price in major units.")


class OrderIn(RequestBody):
    """One order. Posting it again replaces it and all of its lines."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "order_id": "Z063OYW0",
                "account_id": "Isdom",
                "ordered_at": "2017-03-11T00:00:00Z",
                "currency": "USD",
                "lines": [{"product_id": "GTX Pro", "quantity": 1, "amount": "4514.00"}],
            }
        },
    )

    order_id: Identifier = Field(description="Your own identifier of the order.")
    account_id: OptionalIdentifier = Field(default=None, description="Who bought; left out for a guest.")
    ordered_at: Timestamp = Field(description="ISO 8601 time, UTC unless it names an offset; or epoch seconds.")
    currency: OptionalCurrency = Field(default=None, description="ISO 4217 code of the amounts.")
    status: Status = Field(default="placed", description="A cancelled order counts as never made.")
    lines: list[LineIn] = Field(min_length=1, max_length=10_000, description="What was bought or returned.")


class OrderSummary(BaseModel):
    """One order in a list, without its lines."""

    order_id: str
    account_id: str | None = Field(description="Null for a guest.")
    account_name: str | None
    ordered_at: datetime
    currency: str | None
    is_cancelled: bool = Field(description="A cancelled order counts as never made.")
    line_count: int
    amount_minor: int | None = Field(description="Sum of the lines' amounts; null where none has one.")


class OrderLineOut(BaseModel):
    """One product of an order."""

    product_id: str
    product_name: str
    quantity: float = Field(description="Negative for a return.")
    amount_minor: int | None = Field(description="The whole line's amount, with the quantity's sign.")
    currency: str | None


class OrderOut(OrderSummary):
    """One order with its lines."""

    lines: list[OrderLineOut] = Field(description="In the order of the products' identifiers.")


# The same types validate a file, column by column: a file's million rows hold few distinct values.
LINE_FIELDS: Final[dict[str, TypeAdapter[list[object]]]] = {
    name: TypeAdapter(list[kind])  # type: ignore[valid-type]
    for name, kind in {
        "order_id": Identifier,
        "account_id": OptionalIdentifier,
        "product_id": Identifier,
        "ordered_at": Timestamp,
        "quantity": Quantity,
        "amount_minor": OptionalMinor,
        "amount": OptionalMoney,
        "unit_price_minor": OptionalMinor,
        "unit_price": OptionalMoney,
        "currency": OptionalCurrency,
        "status": Status,
        "product_name": OptionalText,
    }.items()
}
