"""Erasures as callers ask for them, and what they answer."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.base.examples import ACCOUNT_ID
from service.base.request_body import RequestBody
from service.rows.field_types import MAX_IDENTIFIER, NO_NUL

OrdersOfErased = Literal["keep", "delete"]
ORDERS_OF_ERASED = (
    "`keep` makes them guests' orders: sales figures stay as they are, without the person. `delete` deletes them."
)


class ErasureIn(RequestBody):
    """The account to erase."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"account_id": ACCOUNT_ID}})

    account_id: Annotated[str, Field(min_length=1, max_length=MAX_IDENTIFIER, pattern=NO_NUL)] = Field(
        description="Your own identifier of the account, as it is stored."
    )
    orders: OrdersOfErased = Field(default="keep", description=ORDERS_OF_ERASED)


class ErasureOut(BaseModel):
    """What was deleted, and where the account is still named in files.

    It does not name the account: answers to writes may be stored.
    """

    orders: int = Field(description="Orders of the account: guests' orders now, or deleted if that was asked for.")
    deals: int = Field(description="Deals that were deleted.")
    decisions: int = Field(description="Decisions that were deleted from the decision log.")
    is_objection_kept: bool = Field(
        description="Whether it objected to marketing. A keyed hash keeps that: if the account is stored again, it "
        "objects until it grants."
    )
    artifacts: list[str] = Field(
        description="Trained artifacts whose files still name the account. It is hidden in them; train a new one, and "
        "delete these."
    )
    sequence: int = Field(description="Every worker has applied the erasure once it has reached this change.")
