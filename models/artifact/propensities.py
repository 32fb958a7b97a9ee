"""Propensities: how likely each account is to buy, within a horizon, what it does not own."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from models.artifact.customers import NOT_SEGMENTED, RFM_SEGMENTS, Customers
from models.artifact.dimensions import ACCOUNTS, CANDIDATES, CATEGORIES, ENTRIES, LINES, PRODUCTS
from models.artifact.sections import Section, Shape

NEVER_BOUGHT = len(RFM_SEGMENTS)
"""The position of the last factor: of accounts that never bought, and of those that are new since training."""


@dataclass(frozen=True)
class Propensities(Section):
    """Probabilities of buying within the horizon. NaN where nothing was learned.

    candidates:     of each account's candidates, as in ``Content.candidate_products``.
    rates:          of a product that an account neither owns nor has among its candidates, for the average account.
    category_rates: the same of a product of each category; of any product last.
    factors:        what rates are multiplied by, by RFM segment; NEVER_BOUGHT is the last.
    lines, categories: of buying anything of the group, NaN where the account owns some of it.
    line_averages, category_averages: the same for an account of which nothing is known.
    line_spend, category_spend: what an account that buys of the group for the first time spends on it within the
                    horizon, in minor units: mean and standard deviation.
    spend_factors:  what spend is multiplied by: the price level of what the account usually buys.
    target_starts, target_accounts, target_places: the accounts that have product p among their candidates, and the
                    place in their list, ``[target_starts[p]:target_starts[p + 1]]``, the most likely first.
    """

    candidates: Annotated[NDArray[np.float32], Shape(ACCOUNTS, CANDIDATES, empty=np.nan)]
    rates: Annotated[NDArray[np.float32], Shape(PRODUCTS, empty=np.nan)]
    category_rates: Annotated[NDArray[np.float32], Shape(CATEGORIES + 1, empty=np.nan)]
    factors: Annotated[NDArray[np.float32], Shape(NEVER_BOUGHT + 1, empty=np.nan)]
    lines: Annotated[NDArray[np.float16], Shape(ACCOUNTS, LINES, empty=np.nan)]
    categories: Annotated[NDArray[np.float16], Shape(ACCOUNTS, CATEGORIES, empty=np.nan)]
    line_averages: Annotated[NDArray[np.float32], Shape(LINES, empty=np.nan)]
    category_averages: Annotated[NDArray[np.float32], Shape(CATEGORIES, empty=np.nan)]
    line_spend: Annotated[NDArray[np.float32], Shape(LINES, 2, empty=np.nan)]
    category_spend: Annotated[NDArray[np.float32], Shape(CATEGORIES, 2, empty=np.nan)]
    spend_factors: Annotated[NDArray[np.float32], Shape(ACCOUNTS, empty=1)]
    target_starts: Annotated[NDArray[np.int64], Shape(PRODUCTS + 1)]
    target_accounts: Annotated[NDArray[np.int32], Shape(ENTRIES)]
    target_places: Annotated[NDArray[np.uint8], Shape(ENTRIES)]

    @cached_property
    def has_any(self) -> bool:
        """Whether anything was learned."""
        return bool(len(self.rates)) and not bool(np.isnan(self.rates).any())

    def targets_of(self, product_row: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the accounts with a product among their candidates, most likely first, and their probabilities."""
        places = slice(self.target_starts[product_row], self.target_starts[product_row + 1])
        accounts = self.target_accounts[places]
        return accounts, self.candidates[accounts, self.target_places[places]]

    def factors_of(self, customers: Customers) -> NDArray[np.float32]:
        """Float32 (A,): the multiple of rates for each account."""
        code = customers.rfm_segment.astype(np.int64)
        factors: NDArray[np.float32] = self.factors[np.where(code == NOT_SEGMENTED, NEVER_BOUGHT, code)]
        return factors

    def of_others(self, customers: Customers, account_row: int, product_rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Float32 (n,): probabilities of products that an account neither owns nor has among its candidates."""
        code = int(customers.rfm_segment[account_row])
        factor = self.factors[NEVER_BOUGHT if code == NOT_SEGMENTED else code]
        return np.asarray(np.minimum(self.rates[product_rows] * factor, 1), dtype=np.float32)
