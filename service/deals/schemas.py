"""Deals as callers write and read them."""

from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from service.base.request_body import PartialUpdate, RequestBody
from service.deals.stages import DealStatus, known_status
from service.rows.field_types import (
    Identifier,
    OptionalCurrency,
    OptionalDay,
    OptionalIdentifier,
    OptionalMinor,
    OptionalMoney,
    OptionalTimestamp,
    Quantity,
    optional,
)
from service.rows.text_fields import is_blank, read_flag, shown

MAX_LINES: Final = 10_000


def read_deal_status(value: object) -> DealStatus | None:
    """Read open, won or lost, or a known stage that means one of them; None where it is not given."""
    if is_blank(value):
        return None
    status = known_status(value) if isinstance(value, str) else None
    if status is None:
        raise ValueError(f"must be open, won or lost, not {shown(value)}")
    return status


def _read_state_flag(value: object) -> bool:
    # Spreadsheets and Parquet write 1 as 1.0.
    return read_flag(int(value) if isinstance(value, float) and value.is_integer() else value)


OptionalFlag = Annotated[bool | None, optional(_read_state_flag)]
OptionalStatus = Annotated[DealStatus | None, BeforeValidator(read_deal_status)]


class DealLineIn(RequestBody):
    """One product of a deal."""

    product_id: Identifier = Field(description="Your own identifier of the product.")
    quantity: Quantity = Field(default=1.0, description="How many.")
    value_minor: OptionalMinor = Field(
        default=None, description="Value of the whole line in minor units. Give this or `value`."
    )
    value: OptionalMoney = Field(
        default=None, description="Value of the whole line in major units, exact when written as text."
    )


class DealIn(PartialUpdate):
    """One deal to create or update. A field that is left out keeps its stored value; null or blank clears it.

    `lines` replaces all products of the deal. A deal of one product can be written without it: `product_id`, and then
    `quantity` and the value are those of this product. A deal may have no product yet.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "deal_id": "UP409DSB",
                "account_id": "Ganjaflex",
                "stage": "Engaging",
                "currency": "USD",
                "opened_at": "2017-10-01T00:00:00Z",
                "expected_close": "2018-01-15",
                "lines": [{"product_id": "MG Advanced", "quantity": 1, "value": "3393.00"}],
            }
        },
    )

    described_fields: ClassVar = frozenset({"status"})

    deal_id: Identifier = Field(description="Your own identifier of the deal.")
    account_id: OptionalIdentifier = Field(default=None, description="Who may buy, if that is known.")
    stage: OptionalIdentifier = Field(
        default=None, description="Your own word for how far it is. A deal that is not stored yet needs it."
    )
    status: OptionalStatus = Field(
        default=None,
        description="If left out or null, the flags decide, or else the stage: known ones, such as `Closed Won`, "
        "`Closed Lost` and `Negotiation/Review`, say it. Another stage is open, unless the deal has a close date in "
        "the past: then it is rejected.",
    )
    is_won: OptionalFlag = Field(default=None, description="The CRM's flag; it decides before the stage does.")
    is_closed: OptionalFlag = Field(default=None, description="The CRM's flag: won or lost.")
    lines: Annotated[list[DealLineIn], Field(max_length=MAX_LINES)] | None = Field(
        default=None, description="What may be, or was, bought."
    )
    product_id: OptionalIdentifier = Field(default=None, description="The deal's one product, in place of `lines`.")
    quantity: Quantity = Field(default=1.0, description="How many of the one product.")
    value_minor: OptionalMinor = Field(
        default=None,
        description="Value in minor units: of the one product, or of the deal as a whole, which counts where its lines "
        "have no values. Give this or `value`.",
    )
    value: OptionalMoney = Field(default=None, description="Value in major units, exact when written as text.")
    currency: OptionalCurrency = Field(default=None, description="ISO 4217 code of all values.")
    opened_at: OptionalTimestamp = Field(default=None, description="ISO 8601 time, UTC unless it names an offset.")
    closed_at: OptionalTimestamp = Field(
        default=None,
        description="When it was won or lost; a won deal needs it. Of an open deal it is the expected close.",
    )
    expected_close: OptionalDay = Field(default=None, description="The day on which it may be won.")


class DealRow(DealIn):
    """One row of a file: a deal, or one product of a deal."""

    deal_value_minor: OptionalMinor = None
    deal_value: OptionalMoney = None


class DealLineOut(BaseModel):
    """One product of a deal."""

    product_id: str
    product_name: str
    quantity: float
    value_minor: int | None = Field(description="Value of the whole line; null if it is not known.")


class DealOut(BaseModel):
    """What is known of one deal."""

    deal_id: str
    account_id: str | None
    account_name: str | None
    stage: str
    status: DealStatus
    lines: list[DealLineOut] = Field(description="Its products, in the order of their identifiers.")
    value_minor: int | None = Field(
        description="Sum of the lines' values; where not every line has one, the value given for the deal as a whole."
    )
    currency: str | None
    opened_at: datetime | None
    closed_at: datetime | None
    expected_close: date | None
    updated_at: datetime


def as_line_fields(row: DealIn) -> dict[str, Any]:
    """What a row without ``lines`` says of its one product: only those fields that it sets."""
    names = ("product_id", "quantity", "value_minor", "value")
    return {name: getattr(row, name) for name in names if name in row.model_fields_set}
