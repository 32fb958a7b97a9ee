"""Limits of contacts and caps as callers write and read them."""

from datetime import timedelta
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, model_validator

from service.base.request_body import RequestBody
from service.base.time_zones import find_zone
from service.readmodel.caps import CapPer
from service.readmodel.contact_policies import Counted, Per, Unit
from service.readmodel.contact_windows import CalendarUnit, CalendarWindow, ContactWindow, RollingWindow
from service.readmodel.outcome_kinds import OutcomeKind, RejectReason
from service.rows.field_types import NO_NUL

MAX_AT_MOST: Final = 1_000
MAX_WINDOW_DAYS: Final = 366
MAX_CHANNELS: Final = 20
MAX_PAUSE_DAYS: Final = 3_660
MAX_CAP: Final = 1_000_000_000
Channel = Annotated[str, Field(min_length=1, max_length=64, pattern=NO_NUL)]
PER = (
    "What is counted together: `account`, each decision with any of the products; `line`, `category`, `product`: each "
    "decision with any product of the line or category, or with the product. A contact counts for the line and the "
    "category that the product had then."
)


class WindowIn(RequestBody):
    """For how long a contact counts: `days` or `hours` from when it was made, or until the end of a calendar period."""

    model_config = ConfigDict(json_schema_extra={"example": {"days": 7}})

    days: int | None = Field(default=None, ge=1, le=MAX_WINDOW_DAYS)
    hours: int | None = Field(default=None, ge=1, le=MAX_WINDOW_DAYS * 24)
    calendar: CalendarUnit | None = Field(default=None, description="A week begins on Monday.")
    timezone: Annotated[str, Field(max_length=64, pattern=NO_NUL)] | None = Field(
        default=None, description="IANA name; with `calendar` alone, and then it must be given."
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if sum(given is not None for given in (self.days, self.hours, self.calendar)) != 1:
            raise ValueError("give days, hours or calendar: exactly one of them")
        if (self.calendar is None) != (self.timezone is None):
            raise ValueError("timezone says when the periods of a calendar begin: give it with calendar, and only then")
        if self.timezone is not None:
            find_zone(self.timezone)
        return self

    @property
    def window(self) -> ContactWindow:
        """The window as decisions apply it."""
        if self.calendar is not None and self.timezone is not None:
            return CalendarWindow(self.calendar, self.timezone)
        return RollingWindow(timedelta(days=self.days or 0, hours=self.hours or 0))


class CapIn(RequestBody):
    """At most so many acceptances and reservations that have not expired, by all accounts together, from the policy's
    `valid_from` on.
    """

    model_config = ConfigDict(json_schema_extra={"example": {"at_most": 100, "per": "product"}})

    at_most: int = Field(ge=1, le=MAX_CAP, description="How often it may be taken up.")
    per: CapPer = Field(
        default=CapPer.PRODUCT, description="`product`: each product of the scope; `scope`: all of them together."
    )


class SuppressionIn(RequestBody):
    """`count` outcomes of some kinds within some days pause what they are about, each of them once."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"outcomes": ["reject"], "count": 2, "within_days": 30, "pauses": "category", "pause_days": 90}
        }
    )

    outcomes: Annotated[list[OutcomeKind], Field(min_length=1, max_length=len(OutcomeKind))]
    reasons: Annotated[list[RejectReason], Field(min_length=1, max_length=len(RejectReason))] | None = Field(
        default=None, description="Only rejections for these reasons; all without it."
    )
    count: int = Field(default=1, ge=1, le=MAX_AT_MOST)
    within_days: int = Field(default=30, ge=1, le=MAX_WINDOW_DAYS)
    pauses: Per = Field(
        description="What is paused for the account, and whose outcomes are counted together: the product, its line, "
        "its category, or the whole account."
    )
    pause_days: int = Field(ge=1, le=MAX_PAUSE_DAYS, description="For how long, from the last of the outcomes on.")

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.reasons is not None and self.outcomes != [OutcomeKind.REJECT]:
            raise ValueError("only a rejection has a reason: with reasons, outcomes must be reject alone")
        return self


class LimitIn(RequestBody):
    """At most so many contacts within a window. A contact is a decision that offered the account any of the products,
    unless `counts` says otherwise. Decisions for nobody in particular and with `dry_run` don't count.
    """

    model_config = ConfigDict(
        json_schema_extra={"example": {"at_most": 2, "window": {"days": 7}, "per": "account", "channels": ["email"]}}
    )

    at_most: int = Field(ge=1, le=MAX_AT_MOST, description="Contacts that are allowed within the window.")
    window: WindowIn
    per: Per = Field(default=Per.ACCOUNT, description=PER)
    unit: Unit = Field(
        default=Unit.ACCOUNT,
        description="`account`: each for itself; `group`: the topmost account above it with all its subsidiaries share "
        "a limit of what is `decided`.",
    )
    counts: Counted = Field(
        default=Counted.DECIDED,
        description="`decided`: decisions, whether they were shown or not, so that what is never reported counts, too; "
        "`sent`, `shown`: outcomes of kind `sent` and `impression`, each of which is one contact.",
    )
    channels: Annotated[list[Channel], Field(min_length=1, max_length=MAX_CHANNELS)] | None = Field(
        default=None,
        description="Counts and holds requests by these channels, and those that don't name any; all without it.",
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.unit is Unit.GROUP and self.counts is not Counted.DECIDED:
            raise ValueError("groups share a limit of what is decided: counts must be decided where unit is group")
        return self
