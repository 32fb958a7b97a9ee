"""Targets as callers read them. Money is in minor units of the reporting currency, days are in the artifact's zone."""

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, Field

from service.base.money import ReportingCode
from service.base.pagination import Page
from service.base.time_zones import DayZoneName


class Basis(StrEnum):
    """What a propensity rests on."""

    CANDIDATE = "candidate"
    PRIOR = "prior"


class Target(BaseModel):
    """One account that may buy the product."""

    account_id: str
    account_name: str | None = Field(
        description="Null where nobody has named it, and while the database does not answer."
    )
    propensity: float = Field(description="P(buys it within the horizon), calibrated.")
    basis: Basis = Field(
        description="`candidate`: estimated from the account's own history. `prior`: the rate of the product, or of "
        "its category, in the account's segment."
    )
    expected_revenue_minor: int | None = Field(
        description="Propensity times price; null where no price is known in the currency."
    )
    expected_margin_minor: int | None = Field(
        description="Propensity times margin; null where no margin is known in the currency."
    )
    has_open_deal: bool = Field(description="A deal on the product is open with the account.")


class ProductTargets(Page[Target]):
    """The accounts most likely to buy a product, the most likely first."""

    product_id: str
    name: str
    is_active: bool = Field(description="A product that is no longer sold has no targets.")
    price_minor: int | None = Field(description="In the currency, at the rate of the artifact's day.")
    margin_minor: int | None
    currency: ReportingCode
    as_of: date = Field(description="Everything counted happened before this day, in the artifact's time zone.")
    timezone: DayZoneName
    artifact_version: str
    horizon_days: float
    method: str | None = Field(description="`model`, or `bins` where the gate refused the model.")
    calibrated_on: int | None = Field(description="Pairs of account and product that probabilities were calibrated on.")
    candidates: int = Field(description="Accounts that have the product among their candidates, all segments.")
    expected_buyers: float | None = Field(description="How many of those are expected to buy it within the horizon.")


class ExclusionReason(StrEnum):
    """Why an account should not be asked."""

    OBJECTS = "objects-to-marketing"
    DECLINED = "declined-recently"
    UNLIKELY = "unlikely"
    UNPROFITABLE = "unprofitable"
    POLICY = "withheld-by-policy"


class ExclusionReasonOut(BaseModel):
    """One reason, with the figure that it rests on."""

    code: ExclusionReason
    text: str


class ExcludedAccount(BaseModel):
    """One account that should not be asked now."""

    account_id: str
    account_name: str | None = Field(
        description="Null where nobody has named it, and while the database does not answer."
    )
    reasons: list[ExclusionReasonOut]


class DoNotPitch(Page[ExcludedAccount]):
    """Accounts that should not be asked, in the order of the artifact; those that it does not know come last."""

    as_of: date = Field(description="Everything counted happened before this day, in the artifact's time zone.")
    timezone: DayZoneName
    artifact_version: str
    counts: dict[ExclusionReason, int] = Field(description="Accounts by reason; one may have several.")
