"""White space as callers read it. Money is in minor units; dates are UTC."""

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, Field

from service.base.pagination import Page
from service.readmodel.whitespace import RowKind
from service.segments.schemas import ShareEstimate


class WhitespaceBasis(BaseModel):
    """What every figure rests on."""

    as_of: date = Field(description="The day before which all that is counted happened.")
    artifact_version: str
    rows: RowKind
    horizon_days: float = Field(description="How far ahead is foretold; 0 where the history was too short for that.")
    window_days: int = Field(description="Revenue is of so many days before `as_of`.")
    currency: str | None = Field(description="Of all money; null where products have several, or none.")
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
    """Expected money with a 95 % interval: chance, and how far off such sums were in the held-out period."""

    expected_minor: int
    low_minor: int
    high_minor: int
    n: int = Field(description="Accounts that it is summed over.")


class Adoption(BaseModel):
    """How accounts came to it of late."""

    days: float = Field(description="How long each of the two periods is.")
    adopters: int = Field(description="Accounts that first bought of it in the last so many days.")
    adopters_before: int = Field(description="And in as many days before those.")


class CellOut(BaseModel):
    """One segment's room for one line or category."""

    segment_id: str
    accounts: int
    owners: int
    penetration: ShareEstimate
    best_penetration: float | None = Field(
        description="Of the segment of the family that owns it most, of those with at least 30 accounts."
    )
    best_segment_id: str | None
    headroom_accounts: int | None = Field(description="Owners there would be more of with the best penetration.")
    revenue_minor: int = Field(description="What its accounts spent on it in the window, returns subtracted.")
    expected_buyers: float | None = Field(description="Of those without it, within the horizon.")
    expected_revenue: ExpectedMoney | None = Field(description="What those spend on it within the horizon.")
    trend: Adoption | None


class RowOut(BaseModel):
    """One line or category."""

    row: str
    is_sold: bool = Field(description="Whether any of its products is still sold.")
    cells: list[CellOut] = Field(description="One per segment, in their order.")
    total: CellOut = Field(description="All accounts.")
    others: CellOut | None = Field(description="Accounts in none of the segments; null where segments may overlap.")


class Totals(BaseModel):
    """What the rows add up to, and what is beside them."""

    accounts: int
    revenue_minor: int = Field(description="Of all that known accounts bought in the window.")
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
    propensity: float = Field(description="P(buys of it within the horizon), calibrated.")
    expected_minor: int = Field(description="Propensity times what such an account usually spends on it at first.")
    value_ahead_minor: int | None
    has_open_deal: bool


class CellAccounts(WhitespaceBasis, Page[CellAccount]):
    """Who is behind a cell, best first. Who bought of it since, or objects to marketing, is left out."""

    row: str
    segment_id: str


class LineStatus(StrEnum):
    """How an account stands to a line or category."""

    OWNED = "owned"
    PIPELINE = "pipeline"
    GAP = "gap"
    NOT_ELIGIBLE = "not_eligible"


class AccountRow(BaseModel):
    """One account and one line or category."""

    row: str
    status: LineStatus
    propensity: float | None = Field(description="Of what it owns nothing of: P(buys within the horizon), calibrated.")
    expected_minor: int | None = Field(description="Propensity times what such an account usually spends at first.")
    reason: str


class AccountWhiteSpace(WhitespaceBasis):
    """Each line, or category, once: what is owned, what is in the pipeline, and where there is room."""

    account_id: str
    items: list[AccountRow] = Field(description="Gaps first, the most expected first.")
