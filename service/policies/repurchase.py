"""When products may be offered again, as policies say it."""

from typing import Annotated, Final, Self

from pydantic import Field, StrictInt, model_validator

from service.base.request_body import RequestBody
from service.readmodel.repurchases import RepurchaseMode

MAX_AFTER_DAYS: Final = 3_650
MODE = (
    "`durable`: never, as without a policy. `consumable`: once `after_days` have passed since the account bought it "
    "last. `unlimited`: always."
)
AFTER_DAYS = (
    "Of a `consumable`: full days, in the time zone of the training. Without it, the median interval between two "
    "purchases of the product by one account, as learned in training; of its category, where too few accounts bought "
    "the product again. A product of which neither is known is treated as `durable`: a preview counts these."
)


class Repurchase(RequestBody):
    """When products may be offered to accounts that own them."""

    mode: RepurchaseMode = Field(description=MODE)
    after_days: Annotated[StrictInt, Field(ge=1, le=MAX_AFTER_DAYS)] | None = Field(
        default=None, description=AFTER_DAYS, examples=[30]
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.after_days is not None and self.mode is not RepurchaseMode.CONSUMABLE:
            raise ValueError(f"after_days is of consumables alone, not of the mode {self.mode}: leave it out")
        return self
