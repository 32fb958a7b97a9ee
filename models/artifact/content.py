"""What an artifact holds: every array that a decision needs as of its date."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from models.artifact.activity import Activity
from models.artifact.basket_chances import BasketChances
from models.artifact.customers import Customers
from models.artifact.dimensions import (
    ACCOUNTS,
    CANDIDATES,
    CATEGORIES,
    EXPLAINED,
    GROUPS,
    LINES,
    NEIGHBOURS,
    OWNED,
    PRODUCTS,
    TEXTS,
)
from models.artifact.evidence import Evidence
from models.artifact.groups import NO_GROUP, Groups
from models.artifact.holdings import Holdings
from models.artifact.ids import IdIndex
from models.artifact.products import NO_NUMBER, NO_ROW, Products
from models.artifact.propensities import Propensities
from models.artifact.relationships import Relationships
from models.artifact.reporting_currency import ReportingCurrency
from models.artifact.repurchases import Repurchases
from models.artifact.sections import Along, Section, Shape
from models.artifact.segments import Segments
from models.artifact.whitespace import CellTotals, GroupDemand

BY_POPULARITY = -2
"""In ``Content.candidate_reasons``."""


@dataclass(frozen=True)
class Content(Section):
    """The arrays of one artifact. Rows are positions in the id indexes. To add an array, add a field.

    account_ids:        identifiers in hash order.
    popular_products:   every product row, most popular first. popular_scores: aligned with it, descending.
    owned_offsets:      account a owns owned_products[owned_offsets[a]:owned_offsets[a + 1]].
    owned_products:     product rows with a positive net quantity, ascending within an account.
    owned_scores:       of each owned product, comparable with candidates' scores: the probability that the account buys
                        it again within the horizon, or else the blend's score.
    candidate_scores:   descending within an account: the probability of the second stage, or else the blend's score.
    candidate_products: the best products that the account does not own, best first, NO_ROW padded.
    candidate_reasons:  for the first candidates, up to two owned products that contributed most to the score; or
                        BY_POPULARITY in the first place, where the product's popularity did.
    neighbour_products: the products that go with each product, best first, NO_ROW padded.
    neighbour_scores:   a basket's score of a product is the sum over the basket's products; the strongest pair has 1.
    lines, categories:  the groups that products are in, and which accounts own something of each.
    line_holdings, category_holdings: what each account bought of each, and when.
    line_cells, category_cells: every segment by every line, and by every category, as ``segments`` numbers them.
    report:             the evaluation report, JSON.
    """

    account_ids: Annotated[IdIndex, Along({TEXTS: ACCOUNTS})]
    products: Products
    popular_products: Annotated[NDArray[np.int32], Shape(PRODUCTS, empty=NO_ROW)]
    popular_scores: Annotated[NDArray[np.float32], Shape(PRODUCTS)]
    owned_offsets: Annotated[NDArray[np.int64], Shape(ACCOUNTS + 1)]
    owned_products: Annotated[NDArray[np.int32], Shape(OWNED, empty=NO_ROW)]
    owned_scores: Annotated[NDArray[np.float32], Shape(OWNED)]
    candidate_products: Annotated[NDArray[np.int32], Shape(ACCOUNTS, CANDIDATES, empty=NO_ROW)]
    candidate_scores: Annotated[NDArray[np.float32], Shape(ACCOUNTS, CANDIDATES)]
    candidate_reasons: Annotated[NDArray[np.int32], Shape(ACCOUNTS, EXPLAINED, 2, empty=NO_ROW)]
    neighbour_products: Annotated[NDArray[np.int32], Shape(PRODUCTS, NEIGHBOURS, empty=NO_ROW)]
    neighbour_scores: Annotated[NDArray[np.float32], Shape(PRODUCTS, NEIGHBOURS)]
    basket_chances: BasketChances
    relationships: Relationships
    evidence: Evidence
    customers: Customers
    activity: Activity
    lines: Annotated[Groups, Along({GROUPS: LINES})]
    categories: Annotated[Groups, Along({GROUPS: CATEGORIES})]
    line_holdings: Holdings
    category_holdings: Holdings
    segments: Segments
    propensities: Propensities
    repurchases: Repurchases
    line_cells: Annotated[CellTotals, Along({GROUPS: LINES})]
    category_cells: Annotated[CellTotals, Along({GROUPS: CATEGORIES})]
    report: bytes

    @cached_property
    def currency(self) -> ReportingCurrency:
        """What all money figures are in; products have their own prices in their own currencies."""
        return ReportingCurrency.from_report(self.report)

    @cached_property
    def horizon_days(self) -> float:
        """The horizon of propensities in days, 0 where none were learned."""
        return float(json.loads(self.report or b"{}").get("propensity", {}).get("horizon_days", 0.0))

    @cached_property
    def timezone(self) -> str:
        """The time zone of days, an IANA name."""
        return str(json.loads(self.report or b"{}").get("timezone", "UTC"))

    @cached_property
    def has_margins(self) -> bool:
        """Whether the margin of any product is known in the reporting currency."""
        rows = (self.products.margins_minor != NO_NUMBER).nonzero()[0].tolist()
        return any(self.products.currencies[row] in self.currency.minor_factors for row in rows)

    def line_demand(self, as_of_day: int, horizon_days: float) -> GroupDemand:
        """The facts that white space of lines is counted from."""
        likely, spend = self.propensities.lines, self.propensities.line_spend
        return self._demand(self.lines, self.line_holdings, likely, spend, as_of_day, horizon_days)

    def category_demand(self, as_of_day: int, horizon_days: float) -> GroupDemand:
        """The facts that white space of categories is counted from."""
        likely, spend = self.propensities.categories, self.propensities.category_spend
        return self._demand(self.categories, self.category_holdings, likely, spend, as_of_day, horizon_days)

    def _demand(
        self,
        groups: Groups,
        holdings: Holdings,
        likely: NDArray[np.float16],
        spend: NDArray[np.float32],
        as_of_day: int,
        horizon_days: float,
    ) -> GroupDemand:
        sold = groups.of_product[self.products.is_offerable & (groups.of_product != NO_GROUP)]
        is_sold = np.bincount(sold, minlength=len(groups)) > 0
        factors = self.propensities.spend_factors
        return GroupDemand(groups, holdings, likely, spend, factors, is_sold, as_of_day, horizon_days)

    def owned_by(self, account_row: int) -> NDArray[np.int32]:
        """Product rows that the account owns, ascending."""
        return self.owned_products[self.owned_offsets[account_row] : self.owned_offsets[account_row + 1]]

    def last_days_of(self, account_row: int) -> NDArray[np.int32]:
        """The day on which each of these was bought last, days since 1970."""
        return self.repurchases.last_days[self.owned_offsets[account_row] : self.owned_offsets[account_row + 1]]
