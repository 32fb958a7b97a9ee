"""Deals as callers write and read them."""

from datetime import date, datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from service.rows.field_types import (
    Identifier,
    OptionalCurrency,
    OptionalDay,
    OptionalIdentifier,
    OptionalMinor,
    OptionalMoney,
    OptionalTimestamp,
)
from service.rows.product_matching import squeeze
from service.rows.text_fields import is_blank, shown

DealStatus = Literal["open", "won", "lost"]
_STATUSES: Final[dict[str, DealStatus]] = {"open": "open", "won": "won", "lost": "lost"}
_CLOSING_STAGES: Final[dict[str, DealStatus]] = {
    **dict.fromkeys(("won", "closedwon", "wonclosed"), "won"),
    **dict.fromkeys(("lost", "closedlost", "lostclosed"), "lost"),
}


def status_of(stage: str) -> DealStatus:
    """What a stage means, whatever its case, spaces and punctuation: every stage that closes nothing is open."""
    return _CLOSING_STAGES.get(squeeze(stage), "open")


def read_deal_status(value: object) -> DealStatus | None:
    """Read open, won or lost; None where it is not given."""
    if is_blank(value):
        return None
    status = _STATUSES.get(value.strip().casefold()) if isinstance(value, str) else None
    if status is None:
        raise ValueError(f"must be open, won or lost, not {shown(value)}")
    return status


class DealIn(BaseModel):
    """One deal to create or update. A field that is left out keeps its stored value; null or blank clears it.

    The status is that of the row: given, or else what its stage means. Value and currency go together.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "deal_id": "UP409DSB",
                "account_id": "Ganjaflex",
                "product_id": "MG Advanced",
                "stage": "Engaging",
                "value": "3393.00",
                "currency": "USD",
                "opened_at": "2017-10-01T00:00:00Z",
                "expected_close": "2018-01-15",
            }
        },
    )

    deal_id: Identifier = Field(description="Your own identifier of the deal.")
    account_id: OptionalIdentifier = Field(default=None, description="Who may buy, if that is known.")
    product_id: Identifier = Field(description="Your own identifier of the product.")
    stage: Identifier = Field(description="Your own word for how far it is.")
    status: Annotated[DealStatus | None, BeforeValidator(read_deal_status)] = Field(
        default=None,
        description="If left out, stages such as `Won` and `Closed Won`, `Lost` and `Closed Lost` say it, and every "
        "other stage is open.",
    )
    value_minor: OptionalMinor = Field(default=None, description="Value in minor units. Give this or `value`.")
    value: OptionalMoney = Field(default=None, description="Value in major units, exact when written as text.")
    currency: OptionalCurrency = Field(default=None, description="ISO 4217 code of the value.")
    opened_at: OptionalTimestamp = Field(default=None, description="ISO 8601 time, UTC unless it names an offset.")
    closed_at: OptionalTimestamp = Field(default=None, description="When it was won or lost; a won deal needs it.")
    expected_close: OptionalDay = Field(default=None, description="The day on which it may be won.")


class DealOut(BaseModel):
    """What is known of one deal."""

    deal_id: str
    account_id: str | None
    product_id: str
    stage: str
    status: DealStatus
    value_minor: int | None
    currency: str | None
    opened_at: datetime | None
    closed_at: datetime | None
    expected_close: date | None
    updated_at: datetime
