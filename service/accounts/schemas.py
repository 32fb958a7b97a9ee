"""Accounts as callers write and read them."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.accounts.note_schemas import AccountNote
from service.base.money import ReportingCode
from service.base.request_body import PartialUpdate, RequestBody
from service.rows.field_types import Attributes, Choice, Identifier, OptionalIdentifier, OptionalText


class AccountIn(PartialUpdate):
    """One account to create or update. A field that is left out keeps its stored value; null or blank clears it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "account_id": "Isdom",
                "name": "Isdom Ltd",
                "parent_account_id": "Inity",
                "attributes": {"sector": "medical", "employees": 4540},
            }
        },
    )

    account_id: Identifier = Field(description="Your own identifier of the account.")
    name: OptionalText = Field(default=None, description="What people call it.")
    parent_account_id: OptionalIdentifier = Field(default=None, description="The account that it belongs to.")
    is_strategic: Choice = Field(default=False, description="Wanted, whatever it is worth today.")
    attributes: Attributes = Field(
        default_factory=dict,
        description="Whatever else is known: demographics, firmographics, needs. Replaced as a whole. "
        "At most 16 KB and 5 levels.",
    )

    def record(self, _default_currency: str | None = None) -> dict[str, Any]:
        """The columns that this row sets."""
        return self.model_dump(exclude_unset=True)


class Marketing(StrEnum):
    """What an account said about marketing."""

    NOT_ASKED = "not-asked"
    GRANTED = "granted"
    OBJECTED = "objected"


class ConsentIn(RequestBody):
    """What an account says about marketing from now on."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"marketing": "objected", "origin": "phone call"}}
    )

    marketing: Literal["granted", "objected"] = Field(
        description="`objected`: nothing is offered to the account any more, from its next request on."
    )
    origin: OptionalText = Field(default=None, description="Where it was said, in your own words.")


class ConsentOut(BaseModel):
    """What an account said about marketing last."""

    account_id: str
    marketing: Marketing = Field(description="`not-asked` is offered to; `objected` is not.")
    origin: str | None
    updated_at: datetime | None


class CurrencyTotal(BaseModel):
    """Money in one currency."""

    currency: str | None = Field(description="ISO 4217; null where the orders named none.")
    amount_minor: int = Field(description="Sum of all order lines in minor units; returns count negative.")


class OwnedProduct(BaseModel):
    """A product that the account has bought more of than it returned."""

    product_id: str
    name: str
    quantity: float = Field(description="Bought minus returned.")
    first_bought_at: datetime
    last_bought_at: datetime
    usage: Any = Field(
        default=None, description="What `attributes.usage` of the account says under the product's identifier."
    )


class Interest(BaseModel):
    """A category that the account buys, against the average."""

    category: str
    order_lines: int
    share: float = Field(description="Of the account's order lines.")
    average_share: float = Field(description="Of the order lines of all accounts.")
    times_average: float = Field(description="The first over the second.")


class OpenDealLineOut(BaseModel):
    """One product of an open deal."""

    product_id: str
    product_name: str | None = Field(description="Null for a product that is new since the training.")
    quantity: float
    value_minor: int | None = Field(description="Value of the whole line; null if it is not known.")


class OpenDealOut(BaseModel):
    """A deal that is neither won nor lost."""

    deal_id: str
    stage: str
    lines: list[OpenDealLineOut]
    value_minor: int | None = Field(description="Of the deal as a whole.")
    currency: str | None
    opened_at: datetime | None
    expected_close: date | None


class Rfm(BaseModel):
    """Recency, frequency and money among all accounts, in quintiles: 5 is the best fifth."""

    recency: int = Field(ge=1, le=5)
    frequency: int = Field(ge=1, le=5)
    monetary: int | None = Field(
        ge=1, le=5, description="Null where no money is known: then the segment rests on recency and frequency."
    )
    segment: str = Field(description="One of eleven, such as `Champions` or `At Risk`.")


class ExpectedPurchases(BaseModel):
    """How often an account is expected to buy."""

    days: float = Field(description="Counted from the artifact's date on.")
    purchases: float = Field(description="Expected number of days with a purchase (BG/NBD).")


class ValueAhead(BaseModel):
    """What an account is expected to spend, discounted."""

    days: int = Field(description="How far it looks ahead.")
    annual_rate: float = Field(description="At which money ahead is discounted.")
    expected_minor: int
    low_minor: int | None = Field(description="Four of five such accounts will spend between this and the next.")
    high_minor: int | None


class AccountValue(BaseModel):
    """What an account is worth, as of the live artifact. What the history does not tell is null."""

    purchase_days: int = Field(description="Days on which it bought: what the estimates rest on.")
    first_purchase_on: date
    last_purchase_on: date
    currency: ReportingCode
    spend_minor: int | None = Field(
        description="In minor units, returns subtracted, each order converted at the rate of its day. Null where "
        "none of it could be converted."
    )
    unconverted_lines: int = Field(
        description="Order lines whose money could not be converted. They are left out of all money here, and count as "
        "purchases."
    )
    rfm: Rfm
    revenue_tier: str | None = Field(
        description="`A`: the largest, which make 80 % of it together; `B`: up to 95 %; `C`."
    )
    value_tier: str | None = Field(description="The same by value ahead.")
    trend: str | None = Field(
        description="`growing` or `falling` where the last 90 days differ from the 270 before beyond chance (1 in 10)."
    )
    is_alive: float | None = Field(description="P(still buying).")
    expected_purchases: list[ExpectedPurchases]
    purchase_spend_minor: int | None = Field(description="Expected spend on a day with a purchase (gamma-gamma).")
    value_ahead: ValueAhead | None
    usual_gap_days: float | None = Field(description="Median of the days between purchases.")
    next_purchase_on: date | None = Field(description="The last purchase and the usual gap; past where it is overdue.")
    is_contractual: bool = Field(
        description="Buys at regular intervals, as by contract: the model, in which purchases come by chance, does not "
        "describe it."
    )


class AccountSegment(BaseModel):
    """A segment that the account is in."""

    segment_id: str = Field(examples=["rfm.champions"])
    name: str
    since: date | None = Field(
        description="The training in which it was first there; null for segments of rules, in which it is as of now."
    )


class AccountSummary(BaseModel):
    """One account in a list: what is stored of it."""

    account_id: str
    name: str | None
    parent_account_id: str | None
    parent_name: str | None
    attributes: dict[str, Any]
    is_strategic: bool
    marketing: Marketing = Field(description="What it said about marketing: `not-asked`, `granted` or `objected`.")
    is_stub: bool = Field(description="Only orders or deals have named this account so far: nobody has described it.")
    updated_at: datetime


class GroupValue(BaseModel):
    """What a group is worth, as of the live artifact: sums over those of its accounts of which that is known."""

    currency: ReportingCode
    spend_minor: int | None = Field(description="Spent so far, returns subtracted; see `value.spend_minor`.")
    spend_accounts: int = Field(description="Accounts in that sum.")
    days: int = Field(description="How far value looks ahead.")
    expected_minor: int | None = Field(description="Sum of `value.value_ahead.expected_minor`.")
    low_minor: int | None = Field(
        description="With the next, sums of the accounts' bounds: as wide as if all of them turned out alike."
    )
    high_minor: int | None
    valued_accounts: int = Field(description="Accounts in these sums.")


class AccountGroup(BaseModel):
    """An account and all its subsidiaries, on all levels, together."""

    accounts: int = Field(description="The account and its subsidiaries.")
    account_ids: list[str] = Field(description="Which: the account first, then level by level; at most 100.")
    order_count: int = Field(description="Orders of all of them in which something was bought.")
    first_order_at: datetime | None
    last_order_at: datetime | None
    totals: list[CurrencyTotal] = Field(description="What they spent together, by currency.")
    value: GroupValue | None = Field(default=None, description="Null where nothing is estimated for any of them.")


class AccountOut(BaseModel):
    """What is known of one account."""

    account_id: str
    name: str | None
    parent_account_id: str | None
    attributes: dict[str, Any]
    is_strategic: bool = Field(description="Wanted, whatever it is worth today: somebody said so.")
    marketing: Marketing = Field(description="What it said about marketing: `not-asked`, `granted` or `objected`.")
    is_stub: bool = Field(description="Only orders or deals have named this account so far: nobody has described it.")
    updated_at: datetime
    order_count: int = Field(
        description="Orders in which something was bought; neither cancelled ones nor mere returns."
    )
    first_order_at: datetime | None
    last_order_at: datetime | None
    totals: list[CurrencyTotal] = Field(description="What was spent, by currency.")
    owned_count: int = Field(description="How many different products are owned.")
    owned: list[OwnedProduct] = Field(description="The products owned, last bought first; at most 100.")
    open_deals: list[OpenDealOut] = Field(default=[], description="What is in the pipeline; at most 100.")
    needs: list[Any] = Field(default=[], description="What the account said that it needs: nothing was recorded yet.")
    notes: list[AccountNote] = Field(
        default=[],
        description="Its goals and pain points, the newest first; those whose `valid_until` is over left out.",
    )
    interests: list[Interest] = Field(
        default=[], description="Categories that it buys most above the average, at most 10; of five lines or more."
    )
    segments: list[AccountSegment] = Field(default=[], description="Empty without an artifact.")
    value: AccountValue | None = Field(
        default=None, description="What it is worth; null without an artifact that knows purchases of it."
    )
    group: AccountGroup | None = Field(
        default=None, description="The account and its subsidiaries together; null where it has none."
    )
