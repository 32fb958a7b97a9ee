"""What an artifact holds: every array that a decision needs as of its date."""

from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.artifact.activity import Activity
from models.artifact.customers import Customers
from models.artifact.groups import NO_GROUP, Groups
from models.artifact.holdings import Holdings
from models.artifact.ids import IdIndex, TextColumn
from models.artifact.propensities import Propensities
from models.artifact.relationships import Relationships
from models.artifact.segments import Segments
from models.artifact.whitespace import CellTotals, GroupDemand

Record = TypeVar("Record", Relationships, Customers, Activity, Segments, Propensities, Holdings, CellTotals)

NO_ROW = -1
"""Padding in arrays of product rows."""

NO_NUMBER = int(np.iinfo(np.int64).min)
"""An unknown price, margin or tier."""


@dataclass(frozen=True)
class Products:
    """Product facts, one entry per product row, in the hash order of their identifiers."""

    ids: IdIndex
    names: TextColumn
    lines: TextColumn
    categories: TextColumn
    families: TextColumn
    currencies: TextColumn
    tiers: NDArray[np.int64]
    prices_minor: NDArray[np.int64]
    margins_minor: NDArray[np.int64]
    is_active: NDArray[np.bool_]


@dataclass(frozen=True)
class Content:
    """The arrays of one artifact. A = accounts, P = products; rows are positions in the id indexes.

    account_ids:        A identifiers in hash order.
    products:           facts of P products.
    popular_products:   int32 (P,), every product row, most popular first.
    popular_scores:     float32 (P,), aligned with popular_products, descending.
    owned_offsets:      int64 (A + 1,): account a owns owned_products[owned_offsets[a]:owned_offsets[a + 1]].
    owned_products:     int32 (n_owned,), product rows with a positive net quantity, ascending within an account.
    owned_scores:       float32 (n_owned,), the ranking's score of each owned product, for lists that include them.
    candidate_products: int32 (A, C), the best products that the account does not own, best first, NO_ROW padded.
    candidate_scores:   float32 (A, C), their scores.
    candidate_reasons:  int32 (A, E, 2), for the first E <= C candidates, up to two owned products that contributed
                        most to the score, NO_ROW padded.
    neighbour_products: int32 (P, K), the products that go with each product, best first, NO_ROW padded.
    neighbour_scores:   float32 (P, K); a basket's score of a product is the sum over the basket's products.
    relationships:      upgrades, cross-sells, accessories and substitutes of each product.
    customers:          what each account is worth.
    activity:           the days on which accounts bought.
    lines, categories:  the groups that products are in, and which accounts own something of each.
    line_holdings, category_holdings: what each account bought of each, and when.
    segments:           the segments that each account is in, and what was measured of them.
    propensities:       how likely each account is to buy what it does not own.
    line_cells, category_cells: every segment by every line, and by every category, as ``segments`` numbers them.
    report:             the evaluation report, JSON.
    """

    account_ids: IdIndex
    products: Products
    popular_products: NDArray[np.int32]
    popular_scores: NDArray[np.float32]
    owned_offsets: NDArray[np.int64]
    owned_products: NDArray[np.int32]
    owned_scores: NDArray[np.float32]
    candidate_products: NDArray[np.int32]
    candidate_scores: NDArray[np.float32]
    candidate_reasons: NDArray[np.int32]
    neighbour_products: NDArray[np.int32]
    neighbour_scores: NDArray[np.float32]
    relationships: Relationships
    customers: Customers
    activity: Activity
    lines: Groups
    categories: Groups
    line_holdings: Holdings
    category_holdings: Holdings
    segments: Segments
    propensities: Propensities
    line_cells: CellTotals
    category_cells: CellTotals
    report: bytes

    def line_demand(self, as_of_day: int, horizon_days: float) -> GroupDemand:
        """What white space of lines is counted from."""
        told = self.propensities
        return self._room(self.lines, self.line_holdings, told.lines, told.line_spend, as_of_day, horizon_days)

    def category_demand(self, as_of_day: int, horizon_days: float) -> GroupDemand:
        """What white space of categories is counted from."""
        told, holdings = self.propensities, self.category_holdings
        return self._room(self.categories, holdings, told.categories, told.category_spend, as_of_day, horizon_days)

    def _room(
        self,
        groups: Groups,
        holdings: Holdings,
        likely: NDArray[np.float16],
        spend: NDArray[np.float32],
        as_of_day: int,
        horizon_days: float,
    ) -> GroupDemand:
        sold = groups.of_product[self.products.is_active & (groups.of_product != NO_GROUP)]
        is_sold = np.bincount(sold, minlength=len(groups)) > 0
        factors = self.propensities.spend_factors
        return GroupDemand(groups, holdings, likely, spend, factors, is_sold, as_of_day, horizon_days)

    def owned_by(self, account_row: int) -> NDArray[np.int32]:
        """Product rows that the account owns, ascending."""
        return self.owned_products[self.owned_offsets[account_row] : self.owned_offsets[account_row + 1]]


def nothing_learned(n_accounts: int, n_candidates: int, n_products: int) -> dict[str, Any]:
    """Return the parts of a content beside ids, products and lists, as they are where nothing was learned."""
    return {
        "relationships": Relationships.none(n_products),
        "customers": Customers.unknown(n_accounts),
        "activity": Activity.none(n_accounts),
        "lines": Groups.none(n_accounts, n_products),
        "categories": Groups.none(n_accounts, n_products),
        "line_holdings": Holdings.none(n_accounts),
        "category_holdings": Holdings.none(n_accounts),
        "segments": Segments.none(n_accounts),
        "propensities": Propensities.none(n_accounts, n_candidates, n_products),
        "line_cells": CellTotals.none(),
        "category_cells": CellTotals.none(),
    }


def to_files(content: Content) -> dict[str, NDArray[np.generic]]:
    """Flatten the arrays to file stems: ``popular_products``, ``products.names.offsets`` and so on."""
    return {stem: array for stem, array in _walk("", content) if isinstance(array, np.ndarray)}


def _walk(prefix: str, value: object) -> list[tuple[str, object]]:
    if not is_dataclass(value):
        return [(prefix, value)]
    found: list[tuple[str, object]] = []
    for field in fields(value):
        found += _walk(f"{prefix}.{field.name}" if prefix else field.name, getattr(value, field.name))
    return found


def from_files(arrays: dict[str, NDArray[np.generic]], report: bytes) -> Content:
    """The inverse of ``to_files``; raises KeyError on a missing array."""

    def text(stem: str) -> TextColumn:
        return TextColumn(arrays[f"{stem}.data"], arrays[f"{stem}.offsets"])  # type: ignore[arg-type]

    def index(stem: str) -> IdIndex:
        return IdIndex(text(f"{stem}.texts"), arrays[f"{stem}.hashes"])  # type: ignore[arg-type]

    texts = {name: text(f"products.{name}") for name in ("names", "lines", "categories", "families", "currencies")}
    numbers = {name: arrays[f"products.{name}"] for name in ("tiers", "prices_minor", "margins_minor", "is_active")}
    products = Products(ids=index("products.ids"), **texts, **numbers)  # type: ignore[arg-type]

    def groups(stem: str) -> Groups:
        return Groups(text(f"{stem}.names"), arrays[f"{stem}.of_product"], arrays[f"{stem}.owned"])  # type: ignore[arg-type]

    def record(stem: str, kind: type[Record]) -> Record:
        return kind(**{f.name: arrays[f"{stem}.{f.name}"] for f in fields(kind)})  # type: ignore[arg-type]

    nested = {
        "account_ids": index("account_ids"),
        "products": products,
        "relationships": record("relationships", Relationships),
        "customers": record("customers", Customers),
        "activity": record("activity", Activity),
        "lines": groups("lines"),
        "categories": groups("categories"),
        "segments": record("segments", Segments),
        "line_holdings": record("line_holdings", Holdings),
        "category_holdings": record("category_holdings", Holdings),
        "propensities": record("propensities", Propensities),
        "line_cells": record("line_cells", CellTotals),
        "category_cells": record("category_cells", CellTotals),
    }
    plain = {f.name: arrays[f.name] for f in fields(Content) if f.name not in (*nested, "report")}
    return Content(**nested, **plain, report=report)  # type: ignore[arg-type]
