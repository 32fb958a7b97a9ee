"""Outcomes as callers write and read them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from service.base.examples import ACCOUNT_ID, OTHER_PRODUCT_ID
from service.base.request_body import RequestBody
from service.readmodel.outcome_kinds import KIND_MEANINGS, OutcomeKind, RejectReason
from service.rows.field_types import MAX_IDENTIFIER, NO_NUL, Timestamp
from service.rows.text_fields import read_currency, read_identifier

MAX_OUTCOMES: Final = 1_000
MAX_NOTE: Final = 2_000
OUTCOME_EXAMPLE: Final[dict[str, Any]] = {
    "account_id": ACCOUNT_ID,
    "product_id": OTHER_PRODUCT_ID,
    "outcome": "reject",
    "reason": "too-expensive",
    "channel": "phone",
    "occurred_at": "2026-11-27T09:30:00Z",
}
KIND: Final = "; ".join(f"`{kind}`: {text}" for kind, text in KIND_MEANINGS.items()) + "."
Identifier = Annotated[str, BeforeValidator(read_identifier), Field(max_length=MAX_IDENTIFIER)]
Named = Annotated[str, Field(min_length=1, max_length=64, pattern=NO_NUL)]
Note = Annotated[str, Field(max_length=MAX_NOTE, pattern=NO_NUL)]


class OutcomeIn(RequestBody):
    """What became of an offer."""

    model_config = ConfigDict(json_schema_extra={"example": OUTCOME_EXAMPLE})

    outcome_id: Identifier | None = Field(
        default=None, description="Your own identifier of this report; made if left out. Sent again, it counts once."
    )
    decision_id: Identifier | None = Field(
        default=None, description="The answer that offered it: says for whom, so that `account_id` can be left out."
    )
    account_id: Identifier | None = Field(default=None, description="For whom, where no decision is named.")
    product_id: Identifier
    outcome: OutcomeKind = Field(description=KIND)
    reason: RejectReason | None = Field(default=None, description="Why it was rejected; `own-words` with a `note`.")
    note: Note | None = Field(default=None, description="What the customer said, in words.")
    channel: Named | None = Field(default=None, description="By which channel; that of the decision if left out.")
    placement: Named | None = Field(default=None, description="Where; that of the decision if left out.")
    position: int | None = Field(default=None, ge=1, le=1_000, description="In which place it was shown, from 1.")
    value_minor: int | None = Field(default=None, ge=0, le=10**15, description="What was bought for, in minor units.")
    currency: Annotated[str, BeforeValidator(read_currency)] | None = Field(default=None, description="ISO 4217 code.")
    occurred_at: Timestamp | None = Field(default=None, description="When; when it is received if left out.")
    automated: StrictBool = Field(
        default=False,
        description="Whether a machine did it, as mail scanners click on each link: it is listed, and changes nothing.",
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.decision_id is None and self.account_id is None:
            raise ValueError("give decision_id, or account_id: for whom it was")
        if self.reason is not None and self.outcome is not OutcomeKind.REJECT:
            raise ValueError("only a rejection has a reason")
        if self.reason is RejectReason.OWN_WORDS and not self.note:
            raise ValueError("the reason own-words needs a note: the words")
        if (self.value_minor is None) != (self.currency is None):
            raise ValueError("value_minor and currency go together")
        return self


class OutcomeStatus(StrEnum):
    """What became of a report."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    UNPLACED = "unplaced"
    REJECTED = "rejected"


STATUS: Final = (
    "`stored`: it counts from the next answer on; `duplicate`: it was reported before, and counts once; `unplaced`: "
    "the decision or the account is not known, so that it is kept apart and counts for nothing; `rejected`: it is not "
    "valid, and not stored."
)


class OutcomeErrorOut(BaseModel):
    """What is wrong with a report."""

    field: str = Field(description="Path of the field; empty if the report as a whole is wrong.")
    reason: str


class OutcomeResult(BaseModel):
    """What became of one report."""

    index: int = Field(description="Its position in the request, from 0.")
    status: OutcomeStatus = Field(description=STATUS)
    outcome_id: str | None = Field(description="Of a duplicate, that of the first report; null where it is rejected.")
    errors: list[OutcomeErrorOut] = Field(description="Why it is rejected, or not placed; else empty.")


class OutcomesAnswer(BaseModel):
    """What became of each report. Stored ones are durable when this answer is sent."""

    stored: int
    duplicates: int
    unplaced: int
    rejected: int
    results: list[OutcomeResult]


class OutcomeOut(BaseModel):
    """One report."""

    outcome_id: str
    decision_id: str | None
    account_id: str | None
    product_id: str
    outcome: OutcomeKind = Field(description=KIND)
    reason: RejectReason | None
    note: str | None
    channel: str | None
    placement: str | None
    position: int | None
    value_minor: int | None
    currency: str | None
    automated: bool
    is_placed: bool = Field(description="False where the decision or the account is not known.")
    occurred_at: datetime
    received_at: datetime
    received_by: str = Field(description="The identifier of the API key.")
    retracted_at: datetime | None = Field(description="When it was retracted: it counts for nothing since.")
