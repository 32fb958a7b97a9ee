"""Coverage as callers read it."""

from pydantic import BaseModel, Field

from service.offers.reasons import WITHHELD_MEANINGS, WithheldCode


class AccountShare(BaseModel):
    """How many accounts, and which share that is, with its 95 % interval (Wilson)."""

    accounts: int
    value: float | None = Field(description="Null where n is 0.")
    low: float | None
    high: float | None
    n: int = Field(description="How many accounts it is a share of.")


class RuleCoverage(BaseModel):
    """What one rule withholds, whatever other rules say of the same candidates."""

    reason: WithheldCode = Field(
        description="; ".join(f"`{code}`: {meaning}" for code, meaning in WITHHELD_MEANINGS.items()) + "."
    )
    candidates: int = Field(description="Candidates that it withholds.")
    accounts: int = Field(description="Accounts of which it withholds any.")
    opened_accounts: int = Field(
        description="Accounts without offers that would have one without this rule: a candidate that no other rule "
        "withholds."
    )


class CoverageOut(BaseModel):
    """Who is left without an offer, and why."""

    accounts: int = Field(description="Accounts that are known, or in the segment.")
    limit: int = Field(description="Offers that were asked for.")
    sampled_accounts: int = Field(description="Accounts that were decided for.")
    without_offers: AccountShare
    short: AccountShare = Field(description="Accounts with fewer offers than asked for, those without any included.")
    objecting_accounts: int = Field(description="Of the sampled ones, those that object to marketing.")
    first_by_value: AccountShare = Field(
        description="Accounts whose first offer is not the most likely of those allowed: value, lever or a policy put "
        "it first. Of the accounts whose offers are ranked by priority."
    )
    rules: list[RuleCoverage] = Field(description="The rule that withholds most candidates first.")
