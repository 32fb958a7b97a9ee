"""Segments as callers read them. Money is in minor units of the reporting currency, days are in the artifact's zone."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from service.base.money import ReportingCode
from service.base.pagination import Page
from service.base.request_body import RequestBody
from service.base.time_zones import DayZoneName
from service.readmodel.rule_grammar import BoundedRule, Operator
from service.readmodel.segment_catalog import SegmentKind
from service.rows.field_types import NO_NUL

SEGMENT_EXAMPLE: Final[dict[str, Any]] = {
    "name": "Large and slipping away",
    "rule": {
        "all": [
            {"field": "revenue_tier", "op": "eq", "value": "A"},
            {
                "any": [
                    {"field": "trend", "op": "eq", "value": "falling"},
                    {"field": "is_alive", "op": "lt", "value": 0.5},
                ]
            },
            {"not": {"attribute": "sector", "op": "in", "values": ["public"]}},
        ]
    },
}


class Interval(StrEnum):
    """How long the periods of a series are. Weeks begin on Mondays."""

    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class ShareEstimate(BaseModel):
    """A share with its 95 % interval (Wilson)."""

    value: float | None = Field(description="Null where n is 0.")
    low: float | None
    high: float | None
    n: int = Field(description="How many accounts it is a share of.")


class Retention(ShareEstimate):
    """Of the accounts that bought in the 90 days before the last 90, the share that bought in the last 90."""

    days: int


class ChurnRisk(BaseModel):
    """The mean over accounts of 1 - P(still buying)."""

    value: float | None
    n: int = Field(description="Accounts with an estimate.")


class SummedValue(BaseModel):
    """Discounted value ahead, summed over accounts, with a 95 % interval for chance in their purchases."""

    expected_minor: int
    low_minor: int
    high_minor: int
    n: int = Field(description="Accounts with an estimate.")


UnconvertedOrders = Annotated[
    int, Field(description="Orders whose money is not known in the currency, and left out of it.")
]


class SegmentSummary(BaseModel):
    """One segment in a list."""

    segment_id: str = Field(examples=["rfm.champions"])
    name: str
    family: str = Field(description="An account is in at most one segment of a family; segments of rules may overlap.")
    kind: SegmentKind
    size: int = Field(description="Accounts.")
    share_of_accounts: float | None
    revenue_minor: int = Field(description="In the last 365 days, returns subtracted.")
    share_of_revenue: float | None
    churn_risk: ChurnRisk
    value_ahead: SummedValue


class FamilyOut(BaseModel):
    """A family of segments."""

    family: str = Field(examples=["rfm"])
    name: str


class Measured(BaseModel):
    """What every figure rests on."""

    as_of: date = Field(description="Everything measured happened before this day, in the artifact's time zone.")
    timezone: DayZoneName
    artifact_version: str
    currency: ReportingCode
    value_days: int | None = Field(description="How many days value ahead covers.")
    annual_rate: float | None = Field(description="The annual rate at which value ahead is discounted.")


class SegmentPage(Measured, Page[SegmentSummary]):
    """Every segment, on one page."""

    families: list[FamilyOut]


class LinePenetration(BaseModel):
    """How many of a segment's accounts own something of a product line."""

    line: str
    accounts: int
    share: float | None


class Move(BaseModel):
    """Accounts that were in one segment of the family at the previous snapshot, and are in another, or the
    same, now.
    """

    from_segment: str | None = Field(description="Null: in none, for example because the account is new.")
    from_name: str | None
    to_segment: str | None
    to_name: str | None
    accounts: int


class Movement(BaseModel):
    """How accounts entered and left since the previous snapshot."""

    since: date = Field(description="The day of the previous snapshot.")
    entered: int
    left: int
    stayed: int
    moves: list[Move]


class OwnedOut(BaseModel):
    """Products, or lines, or categories."""

    products: list[str] | None = None
    lines: list[str] | None = None
    categories: list[str] | None = None


class RuleOut(BaseModel):
    """A rule as it was written: of the keys that tell its kind it has one, and those that belong to it.

    There may be more kinds one day: show a rule whose kind you don't know as it is.
    """

    all: list["RuleOut"] | None = Field(default=None, description="True if each of these is.")
    any: list["RuleOut"] | None = Field(default=None, description="True if one of these is.")
    not_: "RuleOut | None" = Field(default=None, alias="not", description="True if this is not.")
    owns: OwnedOut | None = Field(default=None, description="What the account owns one of.")
    field: str | None = Field(default=None, description="A figure of the profile.", examples=["spend_minor"])
    attribute: str | None = Field(default=None, description="A stored attribute.", examples=["sector"])
    op: Operator | None = Field(default=None, description="How a figure or an attribute is compared.")
    value: Any = Field(default=None, description="What it is compared with.")
    values: list[Any] | None = Field(default=None, description="With `in` and `not_in`: what it is compared with.")


class SegmentDefinition(BaseModel):
    """The rule of a segment, as it was written."""

    description: str | None
    rule: RuleOut
    updated_at: datetime | None


class SegmentIn(RequestBody):
    """A segment to define."""

    model_config = ConfigDict(json_schema_extra={"example": SEGMENT_EXAMPLE})

    name: str = Field(min_length=1, max_length=200, pattern=NO_NUL)
    description: str | None = Field(default=None, max_length=2000, pattern=NO_NUL)
    rule: BoundedRule


class NewSegment(SegmentIn):
    """A segment to define, with the last part of its id."""

    slug: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$",
        max_length=60,
        description="Derived from the name if left out.",
    )


class RuleIn(RequestBody):
    """A rule to try out."""

    model_config = ConfigDict(json_schema_extra={"example": {"rule": SEGMENT_EXAMPLE["rule"]}})

    rule: BoundedRule


class AccountName(BaseModel):
    """An account and what people call it."""

    account_id: str
    account_name: str | None


class SegmentPreview(BaseModel):
    """The accounts that match a rule now."""

    accounts: int
    share_of_accounts: float | None
    revenue_minor: int = Field(description="In the last 365 days, returns subtracted.")
    currency: ReportingCode
    value_ahead: SummedValue
    examples: list[str] = Field(description="Up to ten of them, the most valuable first.")
    example_accounts: list[AccountName] = Field(description="The same with their names.")


class Trait(BaseModel):
    """A category (or line) that a cluster's accounts buy more of than others do."""

    group: str
    share: float = Field(description="Of the cluster's order lines.")
    share_of_all: float = Field(description="Of all order lines.")


class SegmentDetail(Measured, SegmentSummary):
    """One segment, measured."""

    window_days: int = Field(description="Sums are of this many days before `as_of`.")
    active_accounts: int = Field(description="Accounts that bought within the window.")
    orders: int
    unconverted_orders: UnconvertedOrders
    average_order_value_minor: float | None = Field(description="Of the orders whose money is known.")
    margin_minor: int | None = Field(description="Null where no product's margin is known.")
    retention: Retention
    share_of_value_ahead: float | None
    penetration: list[LinePenetration]
    movement: Movement | None = Field(
        description="Null without an earlier snapshot, and for clusters, which each training learns anew."
    )
    definition: SegmentDefinition | None = Field(description="Of a segment of a rule.")
    traits: list[Trait] = Field(description="What sets a learned cluster apart, the clearest first; else empty.")


class SegmentAccount(BaseModel):
    """One account of a segment."""

    account_id: str
    account_name: str | None = Field(
        description="Null where nobody has named it, and while the database does not answer."
    )
    since: date | None = Field(description="The first snapshot that has it in the segment; null for segments of rules.")
    spend_minor: int | None = Field(
        description="Null, like the fields below, for an account that is new since the training; and where none of "
        "its money is known in the currency."
    )
    currency: ReportingCode
    unconverted_lines: int = Field(description="Order lines whose money is not known in it, and left out.")
    purchase_days: int | None
    last_purchase_on: date | None
    is_alive: float | None = Field(description="P(still buying).")
    value_ahead_minor: int | None


class Period(BaseModel):
    """What the accounts that are in the segment now did in one period."""

    begins_on: date
    ends_on: date = Field(description="The last day that is counted.")
    is_whole: bool = Field(description="Whether the history covers all of it.")
    active_accounts: int
    orders: int
    unconverted_orders: UnconvertedOrders
    revenue_minor: int
    margin_minor: int | None
    average_order_value_minor: float | None
    retention: ShareEstimate = Field(
        description="Share of the accounts that bought in the previous period and bought again in this one."
    )


class Snapshot(BaseModel):
    """The segment as one training measured it, over the accounts that were in it then."""

    as_of: date
    size: int
    share_of_accounts: float | None
    currency: str | None = Field(description="Of this snapshot's money: each training may have had its own.")
    revenue_minor: int
    share_of_revenue: float | None
    margin_minor: int | None
    orders: int
    unconverted_orders: UnconvertedOrders
    average_order_value_minor: float | None
    retention: Retention
    churn_risk: ChurnRisk
    value_ahead: SummedValue


class SegmentMetrics(BaseModel):
    """A segment over time."""

    segment_id: str
    artifact_version: str
    interval: Interval
    currency: ReportingCode
    periods: list[Period]
    snapshots: list[Snapshot] = Field(description="One per training, the newest last.")
    movement: Movement | None
