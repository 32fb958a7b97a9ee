"""Arbitration as callers write and read it."""

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from service.base.arbitration_options import STRATEGY_MEANINGS, Strategy
from service.base.request_body import PartialUpdate
from service.readmodel.policies import PolicyScope

MAX_VALUE_MINOR: Final = 1e15
STRATEGY: Final = (
    "What the order of offers follows: "
    + "; ".join(f"`{strategy}`: {text}" for strategy, text in STRATEGY_MEANINGS.items())
    + "."
)
MIN_PROPENSITY: Final = "Below this propensity nothing is offered; 0 for no such floor."
MIN_EXPECTED_VALUE: Final = (
    "Below this propensity * value nothing is offered, in minor units of the reporting currency; 0 for no such floor."
)
UP_SELL_FIRST: Final = "Whether upgrades that may be offered go before everything else."
UP_SELL_SCOPE: Final = "The products that do; all upgrades without it."
VALID_HOURS: Final = "How long offers are good for, in hours (`valid_until`)."


class ArbitrationPatch(PartialUpdate):
    """What to store in place of the settings. Null: what the setting says."""

    model_config = ConfigDict(json_schema_extra={"example": {"strategy": "propensity", "min_propensity": 0.01}})

    strategy: Strategy | None = Field(default=None, description=STRATEGY)
    min_propensity: float | None = Field(default=None, ge=0, le=1, description=MIN_PROPENSITY)
    min_expected_value_minor: float | None = Field(
        default=None, ge=0, le=MAX_VALUE_MINOR, allow_inf_nan=False, description=MIN_EXPECTED_VALUE
    )
    up_sell_first: StrictBool | None = Field(default=None, description=UP_SELL_FIRST)
    up_sell_scope: PolicyScope | None = Field(default=None, description=UP_SELL_SCOPE)
    offer_valid_hours: float | None = Field(default=None, gt=0, le=24 * 366, description=VALID_HOURS)

    def apply(self, before: dict[str, Any]) -> dict[str, Any]:
        """Return what is stored after the change. before: what was."""
        given = self.model_dump(mode="json", include=self.model_fields_set)
        if self.up_sell_scope is not None:
            given["up_sell_scope"] = self.up_sell_scope.model_dump(exclude_none=True)
        return {name: value for name, value in {**before, **given}.items() if value is not None}


class ArbitrationOut(BaseModel):
    """How offers are ranked now."""

    strategy: Strategy = Field(description=STRATEGY)
    min_propensity: float = Field(description=MIN_PROPENSITY)
    min_expected_value_minor: float = Field(description=MIN_EXPECTED_VALUE)
    up_sell_first: bool = Field(description=UP_SELL_FIRST)
    up_sell_scope: PolicyScope | None = Field(description=UP_SELL_SCOPE)
    offer_valid_hours: float = Field(description=VALID_HOURS)
    stored: list[str] = Field(description="The fields that are stored; the others are as the settings say.")
    version: int = Field(description="One more at each change; 0 while nothing was stored.")
    updated_at: datetime | None
    updated_by: str | None = Field(description="The identifier of the API key.")


class ArbitrationVersionOut(BaseModel):
    """One change of what is stored."""

    version: int
    changed_at: datetime
    changed_by: str = Field(description="The identifier of the API key.")
    before: dict[str, Any] | None = Field(description="What was stored before; null for nothing.")
    after: dict[str, Any] | None
