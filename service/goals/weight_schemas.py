"""Weights as callers write and read them."""

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from service.base.request_body import RequestBody
from service.readmodel.goals import ScopeKind

MIN_PERCENT: Final = -50
MAX_PERCENT: Final = 100


class WeightIn(RequestBody):
    """A weight to set."""

    model_config = ConfigDict(json_schema_extra={"example": {"percent": 20}})

    percent: float = Field(
        ge=MIN_PERCENT, le=MAX_PERCENT, allow_inf_nan=False, description="What is added to the lever, in percent."
    )


class WeightOut(BaseModel):
    """What an operator adds to the lever of a product, a line or a category."""

    kind: ScopeKind
    name: str
    percent: float
    version: int = Field(description="Grows with each change. It is the ETag: send that as `If-Match`.")
    updated_at: datetime
    updated_by: str = Field(description="Id of the API key.")


class WeightContent(BaseModel):
    """What can be changed of a weight."""

    percent: float


class WeightVersionOut(BaseModel):
    """One change of a weight."""

    version: int
    changed_at: datetime
    changed_by: str = Field(description="Id of the API key.")
    before: WeightContent | None = Field(description="Null where the weight was set first, or again.")
    after: WeightContent | None = Field(description="Null where it was deleted.")
