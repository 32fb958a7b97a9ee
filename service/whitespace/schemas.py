"""White space as callers read it. Money is in minor units; days are of the artifact's time zone."""

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, Field

from service.base.money import ReportingCode
from service.base.pagination import Page
from service.base.time_zones import DayZoneName
from service.readmodel.whitespace import RowKind
from service.segments.schemas import ShareEstimate


class WhitespaceBasis(BaseModel):
    """What every figure rests on."""

    as_of: date = Field(description="Everything counted happened before this day, in the artifact's time zone.")
    timezone: DayZoneName
    artifact_version: str
    rows: RowKind
    horizon_days: float = Field(
        description="How far ahead probabilities look; 0 where the history was too short to estimate any."
    )
    window_days: int = Field(description="Revenue is of this many days before `as_of`.")
    currency: ReportingCode
    method: str | None = Field(
        description="`model`, or `bins` where the gate refused the model; null where nothing was learned."
    )
    calibrated_on: int | None = Field(description="Pairs of account and row that probabilities were calibrated on.")


class ColumnOut(BaseModel):
    """One segment of the family."""

    segment_id: str
    name: str
    accounts: int


class ExpectedMoney(BaseModel):
    """Expected money with a 95 % interval, of chance and of the error that such sums had in the held-out period."""

    expected_minor: int
    low_minor: int
    high_minor: int
    n: int = Field(description="Number of accounts in the sum.")


class Adoption(BaseModel):
    """How many accounts bought of it for the first time recently."""

    days: float = Field(description="Length of each of the two periods.")
    adopters: int = Field(description="Accounts that first bought of it in the last `days` days.")
    adopters_before: int = Field(description="The same in the `days` days before those.")


class CellOut(BaseModel):
    """White space of one segment in one line or category."""

    segment_id: str
    segment_name: str
    accounts: int
    owners: int
    penetration: ShareEstimate
    best_penetration: float | None = Field(
        description="The highest penetration among the family's segments with at least 30 accounts."
    )
    best_segment_id: str | None
    best_segment_name: str | None
    headroom_accounts: int | None = Field(description="Additional owners if this segment matched the best one.")
    revenue_minor: int = Field(description="What its accounts spent on it in the window, returns subtracted.")
    expected_buyers: float | None = Field(
        description="Accounts without it that are expected to buy of it within the horizon."
    )
    expected_revenue: ExpectedMoney | None = Field(
        description="What those buyers are expected to spend on it within the horizon."
    )
    trend: Adoption | None


class RowOut(BaseModel):
    """One line or category."""

    row: str
    is_sold: bool = Field(description="Whether any of its products is still sold.")
    cells: list[CellOut] = Field(description="One per segment, in their order.")
    total: CellOut = Field(description="All accounts.")
    others: CellOut | None = Field(description="Accounts in none of the segments; null where segments may overlap.")


class Totals(BaseModel):
    """The sum of all rows, and what is outside them."""

    accounts: int
    revenue_minor: int = Field(description="Everything that known accounts bought in the window.")
    unconverted_orders: int = Field(
        description="Orders of the window whose money is not known in the currency, and left out of it."
    )
    revenue_outside_minor: int = Field(description="The part of it that is in none of the rows.")
    expected_revenue: ExpectedMoney | None


class WhiteSpace(WhitespaceBasis):
    """The map: rows by segments."""

    family: str
    columns: list[ColumnOut]
    items: list[RowOut]
    totals: Totals


class CellAccount(BaseModel):
    """One account that owns nothing of a line or category."""

    account_id: str
    account_name: str | None = Field(
        description="Null where nobody has named it, and while the database does not answer."
    )
    propensity: float = Field(description="P(buys of it within the horizon), calibrated.")
    expected_minor: int = Field(description="Propensity times the usual spend of a first-time buyer.")
    value_ahead_minor: int | None
    has_open_deal: bool


class CellAccounts(WhitespaceBasis, Page[CellAccount]):
    """The accounts behind a cell, the highest expected spend first.

    Accounts that bought of it since, or object to marketing, are left out.
    """

    row: str
    segment_id: str
    segment_name: str


class LineStatus(StrEnum):
    """How an account stands to a line or category."""

    OWNED = "owned"
    PIPELINE = "pipeline"
    GAP = "gap"
    NOT_ELIGIBLE = "not_eligible"


class AccountRow(BaseModel):
    """One account, or group of accounts, and one line or category."""

    row: str
    status: LineStatus
    propensity: float | None = Field(
        description="P(buys of it within the horizon), calibrated; null for what it owns, and for a group."
    )
    expected_minor: int | None = Field(
        description="Propensity times the usual spend of a first-time buyer. Of a group, the sum over its accounts "
        "that do not object to marketing. Null for what is owned."
    )
    expected_elsewhere_minor: int | None = Field(
        description="The same sum for what a group owns, over its other accounts, which own nothing of it."
    )
    expected_buyers: float | None = Field(
        description="Accounts that are expected to buy of it for the first time within the horizon: the sum of "
        "propensities."
    )
    owners: int = Field(description="Accounts that own something of it.")
    reason: str


class WhitespaceScope(StrEnum):
    """Whose white space it is."""

    ACCOUNT = "account"
    GROUP = "group"


class GroupTotals(BaseModel):
    """An account and all its subsidiaries, on all levels, and what their rows add up to."""

    accounts: int = Field(description="The account and its subsidiaries.")
    account_ids: list[str] = Field(description="Which: the account first, then level by level; at most 1,000.")
    is_complete: bool = Field(
        description="False where the service has no room for all links between accounts that training did not know."
    )
    objecting_accounts: int = Field(description="Accounts that object to marketing: nothing is expected of them.")
    revenue_minor: int = Field(description="What the accounts spent on all rows in the window, returns subtracted.")
    expected_revenue: ExpectedMoney | None = Field(
        description="Sum over the rows that none of the accounts owns anything of. `n` counts pairs of account and row."
    )
    expected_elsewhere: ExpectedMoney | None = Field(
        description="Sum over the other rows, of the accounts that own nothing of them. `n` counts such pairs."
    )


class AccountWhiteSpace(WhitespaceBasis):
    """Each line, or category, once: owned, in the pipeline, a gap, or not eligible."""

    scope: WhitespaceScope
    account_id: str
    account_name: str | None = Field(
        description="Null where nobody has named it, and while the database does not answer."
    )
    items: list[AccountRow] = Field(description="Gaps first, the most expected first.")
    group: GroupTotals | None = Field(description="With `scope=group` alone.")
