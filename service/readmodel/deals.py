"""Deals as they are held in memory. An artifact knows nothing of them."""

from dataclasses import dataclass
from datetime import date, datetime

from service.readmodel.facts_by_account import FactsByAccount


@dataclass(frozen=True, slots=True)
class OpenDeal:
    """A deal that is neither won nor lost."""

    deal_id: str
    product_id: str
    stage: str
    value_minor: int | None
    currency: str | None
    opened_at: datetime | None
    expected_close: date | None


class OpenDeals(FactsByAccount[tuple[OpenDeal, ...]]):
    """The open deals of every account that has any."""


class Declines(FactsByAccount[datetime]):
    """When each account that ever let a deal be lost did so last."""
