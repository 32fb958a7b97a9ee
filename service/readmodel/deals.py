"""Deals as they are held in memory. An artifact knows nothing of them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.readmodel.facts_by_account import FactsByAccount


@dataclass(frozen=True, slots=True)
class OpenDealLine:
    """One product of a deal; the value is the whole line's."""

    product_id: str
    quantity: float
    value_minor: int | None


@dataclass(frozen=True, slots=True)
class OpenDeal:
    """A deal that is neither won nor lost. ``value_minor`` is its total."""

    deal_id: str
    stage: str
    value_minor: int | None
    currency: str | None
    opened_at: datetime | None
    expected_close: date | None
    lines: tuple[OpenDealLine, ...]

    def has_product(self, product_id: str) -> bool:
        """Whether the deal is about a product."""
        return any(line.product_id == product_id for line in self.lines)


class OpenDeals(FactsByAccount[tuple[OpenDeal, ...]]):
    """The open deals of every account that has any."""


class Declines(FactsByAccount[datetime]):
    """When each account that ever let a deal be lost did so last."""


class ProductsInDeals(NamedTuple):
    """Product rows, ascending: those that an account has an open deal for, and those whose deal was lost recently."""

    negotiated: NDArray[np.int32]
    lost: NDArray[np.int32]


class DealProducts(FactsByAccount[ProductsInDeals]):
    """The products of every account's open and recently lost deals."""
