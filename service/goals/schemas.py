"""Goals as callers write and read them."""

from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from service.base.money import MAX_MINOR, ReportingCode
from service.base.request_body import PartialUpdate, RequestBody
from service.base.time_zones import find_zone
from service.goals.periods import PeriodIn, PeriodOut
from service.readmodel.goal_progress import GoalStatus
from service.readmodel.goals import Measure, ScopeKind
from service.rows.field_types import MAX_IDENTIFIER, MAX_TEXT, NO_NUL

MAX_SCOPE_NAMES: Final = 200
DEFAULT_MAX_LEVER: Final = 2.0
DEFAULT_LAG_DAYS: Final = 14.0
GOAL_EXAMPLE: Final[dict[str, Any]] = {
    "name": "Coffee machines in the fourth quarter",
    "scope": {"lines": ["coffee machines"]},
    "measure": "units",
    "target": 1200,
    "period": {"quarter": "2026-Q4"},
}

ScopeName = Annotated[str, Field(min_length=1, max_length=max(MAX_IDENTIFIER, MAX_TEXT), pattern=NO_NUL)]
ScopeNames = Annotated[list[ScopeName], Field(min_length=1, max_length=MAX_SCOPE_NAMES)]
Target = Annotated[float, Field(gt=0, le=MAX_MINOR, allow_inf_nan=False)]
MaxLever = Annotated[float, Field(ge=1, le=5, allow_inf_nan=False)]
LagDays = Annotated[float, Field(ge=0, le=180, allow_inf_nan=False)]
GoalName = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]
SegmentName = Annotated[str, Field(min_length=1, max_length=MAX_IDENTIFIER, pattern=NO_NUL)]
ZoneName = Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NUL)]

TARGET_TEXT: Final = "Units; or minor units of the reporting currency, a whole number."
LEVER_TEXT: Final = "Bound of the lever: 2 at most doubles the priority of an offer. 1 only measures."
LAG_TEXT: Final = "Days from an offer to its order, on average: what pacing expects and is not booked yet."
SEGMENT_TEXT: Final = "Count only orders of accounts that are in this segment now, and lift only their offers."


class ScopeIn(RequestBody):
    """What a goal is set on: a list of one kind. Variants count with a product that is named."""

    products: ScopeNames | None = None
    lines: ScopeNames | None = None
    categories: ScopeNames | None = None

    @model_validator(mode="after")
    def check_kind(self) -> "ScopeIn":
        """Refuse none or several kinds."""
        if sum(getattr(self, kind) is not None for kind in ScopeKind) != 1:
            raise ValueError("Give exactly one of products, lines and categories")
        return self

    @property
    def kind(self) -> ScopeKind:
        """What the names are of."""
        return next(kind for kind in ScopeKind if getattr(self, kind) is not None)

    @property
    def names(self) -> tuple[str, ...]:
        """The names, each once, in alphabetical order."""
        return tuple(sorted(set(getattr(self, self.kind))))


class GoalIn(RequestBody):
    """A goal to set."""

    model_config = ConfigDict(json_schema_extra={"example": GOAL_EXAMPLE})

    name: GoalName
    scope: ScopeIn
    measure: Measure
    target: Target = Field(description=TARGET_TEXT)
    period: PeriodIn
    timezone: ZoneName | None = Field(
        default=None, description="IANA name of the time zone that days are of. By default the service's."
    )
    segment_id: SegmentName | None = Field(default=None, description=SEGMENT_TEXT)
    max_lever: MaxLever = Field(default=DEFAULT_MAX_LEVER, description=LEVER_TEXT)
    order_lag_days: LagDays = Field(default=DEFAULT_LAG_DAYS, description=LAG_TEXT)
    is_enabled: bool = Field(default=True, description="Whether it lifts offers. One that does not is still measured.")

    @field_validator("timezone")
    @classmethod
    def check_zone(cls, name: str | None) -> str | None:
        """Refuse an unknown time zone."""
        if name is not None:
            find_zone(name)
        return name

    @model_validator(mode="after")
    def check_target(self) -> "GoalIn":
        """Refuse fractions of minor units."""
        if self.measure is not Measure.UNITS and self.target != int(self.target):
            raise ValueError("target is in minor units of the currency: give a whole number")
        return self


class NewGoal(GoalIn):
    """A goal to set, with its id."""

    goal_id: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$",
        max_length=60,
        description="Derived from the name if left out.",
    )


class GoalFileEntry(NewGoal):
    """A goal of a file."""

    currency: ReportingCode | None = Field(default=None, description="What a target in money is in, if it is given.")


class GoalPatch(PartialUpdate):
    """What changes in a goal."""

    model_config = ConfigDict(json_schema_extra={"example": {"target": 1500}})

    name: GoalName | None = None
    scope: ScopeIn | None = None
    measure: Measure | None = None
    target: Target | None = Field(default=None, description=TARGET_TEXT)
    period: PeriodIn | None = None
    timezone: ZoneName | None = Field(default=None, description="IANA name of the time zone that days are of.")
    segment_id: SegmentName | None = Field(default=None, description=SEGMENT_TEXT)
    max_lever: MaxLever | None = Field(default=None, description=LEVER_TEXT)
    order_lag_days: LagDays | None = Field(default=None, description=LAG_TEXT)
    is_enabled: bool | None = Field(default=None, description="Whether it lifts offers.")


class ScopeOut(BaseModel):
    """What a goal is set on: one of the lists is given."""

    products: list[str] | None = None
    lines: list[str] | None = None
    categories: list[str] | None = None


class ForecastOut(BaseModel):
    """What will be booked at the end of the period, with an 80 % interval."""

    expected: float
    low: float
    high: float


class ProgressOut(BaseModel):
    """How a goal stands. Amounts are in the goal's measure: units, or minor units of its currency."""

    as_of: date = Field(description="Today, in the goal's time zone.")
    status: GoalStatus = Field(
        description="The first that fits. `met`: booked reaches the target. `ended`: the period is over. "
        "`out-of-reach`: the upper bound of the forecast with the lever at its bound is below the target. `ahead`: "
        "the lower bound of the forecast reaches the target. `behind`: the forecast is more than 1 % below the target; "
        "with too little history for a forecast, the same of what is booked against the share of time. Else `on-track`."
    )
    booked: float = Field(
        description="Sold in the period so far: order lines by the day of their order, guests' among them. A return "
        "counts on its own day, a cancelled order not at all."
    )
    attained: float = Field(description="Share of the target that is booked.")
    unvalued_lines: int = Field(
        description="Order lines that are left out, as their amount or margin is not known in the currency."
    )
    share_of_time: float = Field(description="Share of the period's days that are over.")
    days_left: int = Field(description="Today included.")
    forecast: ForecastOut | None = Field(
        description="Booked, and what is expected of the days that are left. Null with less than four weeks of sales."
    )
    with_max_lever: ForecastOut | None = Field(
        description="The same with the lever at its bound from now on, as far as the response to it is known."
    )
    forecast_method: str | None = Field(description="`level`, `season`, or `mean` of the two.", examples=["level"])
    history_weeks: int = Field(description="Weeks of sales that the forecast rests on.")
    shortfall: float = Field(description="What the forecast is below the target.")
    required_per_day: float | None = Field(description="What is missing now, per day that is left.")
    lever_percent: float = Field(description="What the goal adds to the lever of its offers now.")


class GoalOut(BaseModel):
    """A goal, and how it stands."""

    goal_id: str = Field(examples=["coffee-machines-in-the-fourth-quarter"])
    name: str
    scope: ScopeOut
    measure: Measure
    target: float = Field(description=TARGET_TEXT)
    currency: ReportingCode
    period: PeriodOut
    begins_on: date
    ends_on: date
    timezone: str
    segment_id: str | None
    max_lever: float
    order_lag_days: float
    is_enabled: bool
    version: int = Field(description="Grows with each change. The ETag names it; send that as `If-Match`.")
    created_at: datetime
    created_by: str = Field(description="Id of the API key.")
    updated_at: datetime
    updated_by: str
    progress: ProgressOut | None = Field(description="Null in the answer to a write, and before memory has the goal.")


class UpliftOut(BaseModel):
    """How many times as much of the scope is expected to be bought of the offers with the lever at its bound."""

    value: float
    low: float = Field(description="Lower bound of the 80 % interval for the choice of accounts.")
    high: float


class OffersPreviewOut(BaseModel):
    """The three best offers by P x V x L of a sample of accounts, with the lever at 1 and at its bound."""

    accounts: int = Field(description="Accounts that the goal's offers may go to.")
    sampled_accounts: int
    horizon_days: float | None = Field(description="Expected purchases are of so many days, as the artifact learned.")
    share_of_top_offers: float = Field(description="Share of the offers that are of the scope, with the lever at 1.")
    share_of_top_offers_lifted: float = Field(description="The same with the lever at its bound.")
    expected_purchases: float = Field(description="Of the scope, by these offers, over all accounts; the lever at 1.")
    expected_purchases_lifted: float
    uplift: UpliftOut | None = Field(description="Null where nothing of the scope is offered with the lever at 1.")
    value_lost_share: float | None = Field(
        description="Share of the expected value of all offers that the bound costs. Null where no value is known."
    )


class GoalPreview(BaseModel):
    """What a goal asks for and what is within reach, before it is set."""

    is_out_of_reach: bool = Field(
        description="The upper bound of the forecast with the lever at its bound is below the target."
    )
    target: float
    currency: ReportingCode
    begins_on: date
    ends_on: date
    progress: ProgressOut = Field(
        description="How the goal would stand now. `with_max_lever` is what is reachable: sales of a scope are taken "
        "to rise by 40 % if the lever doubles, until the goal's own sales tell otherwise."
    )
    offers: OffersPreviewOut | None = Field(description="Null where no artifact or no account is known.")


class GoalVersionOut(BaseModel):
    """One change of a goal. Its fields are those that callers write."""

    version: int
    changed_at: datetime
    changed_by: str = Field(description="Id of the API key.")
    before: dict[str, Any] | None = Field(description="Null where the goal was made.")
    after: dict[str, Any] | None = Field(description="Null where it was deleted.")
