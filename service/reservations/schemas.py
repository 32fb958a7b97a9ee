"""Reservations as callers write and read them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from service.base.examples import ACCOUNT_ID, OTHER_PRODUCT_ID
from service.base.request_body import RequestBody
from service.offers.schemas import Identifier, RecommendationAnswer, RecommendationRequest

MAX_MINUTES: Final = 7 * 24 * 60
DEFAULT_MINUTES: Final = 15
MAX_PRODUCTS: Final = 500


class ReservationIn(RecommendationRequest):
    """A request for offers, all of which are reserved for the account."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"account_id": ACCOUNT_ID, "limit": 1, "minutes": 30}]})

    account_id: Identifier = Field(description="Your identifier of the account.")
    minutes: int = Field(
        default=DEFAULT_MINUTES, ge=1, le=MAX_MINUTES, description="How long the offers are kept for the account."
    )


class ReservationsMade(BaseModel):
    """An answer, and which of its offers are reserved until when."""

    expires_at: datetime | None = Field(description="When the reservations expire; null if nothing is reserved.")
    product_ids: list[str] = Field(
        description="The offers that are reserved, best first: all of them, unless a cap that products share has less "
        "left than there are offers."
    )
    is_repeated: bool = Field(
        description="Whether the same request was answered before, and its reservations still hold: then the answer is "
        "the same one, and nothing more is reserved."
    )
    answer: RecommendationAnswer


class ReservationState(StrEnum):
    """What has become of a reservation."""

    HELD = "held"
    EXPIRED = "expired"
    ACCEPTED = "accepted"


class ReservationOut(BaseModel):
    """One product that is reserved for an account, or accepted."""

    reservation_id: str
    decision_id: str
    account_id: str | None = Field(description="Null once the account is erased.")
    product_id: str = Field(examples=[OTHER_PRODUCT_ID])
    state: ReservationState = Field(
        description="`held`: counted until `expires_at`; `expired`: not counted any more, and deleted after a day; "
        "`accepted`: counted."
    )
    reserved_at: datetime
    expires_at: datetime | None
    accepted_at: datetime | None


class AcceptanceIn(RequestBody):
    """The products that the account takes."""

    model_config = ConfigDict(json_schema_extra={"example": {"product_ids": [OTHER_PRODUCT_ID]}})

    product_ids: Annotated[list[Identifier], Field(min_length=1, max_length=MAX_PRODUCTS)] | None = Field(
        default=None, description="Of the decision's reserved products; all of them without it."
    )


class ReservationsChanged(BaseModel):
    """What was accepted or released."""

    decision_id: str
    product_ids: list[str]
