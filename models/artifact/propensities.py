"""How likely each account is to buy what it does not own, within a horizon: probabilities, ready to be looked up."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.artifact.customers import RFM_SEGMENTS

NEVER_BOUGHT = len(RFM_SEGMENTS)
"""The last of the factors: of accounts that never bought, and of those that are new since the training."""


@dataclass(frozen=True)
class Propensities:
    """A accounts, C candidates of each, P products, L lines, G categories. NaN is what nothing was learned of.

    candidates:     float32 (A, C), P(buys the candidate within the horizon), as ``Content.candidate_products`` has it.
    rates:          float32 (P,), the same of a product that an account neither owns nor has among its candidates, for
                    the average account. category_rates: float32 (G + 1,), of a product of a category, and of any.
    factors:        float32 (S + 1,), what rates are multiplied by, by RFM segment; NEVER_BOUGHT is the last.
    lines:          float16 (A, L), P(buys anything of the line within the horizon), NaN where it owns some of it.
    categories:     float16 (A, G), the same of categories.
    line_averages, category_averages: float32 (L,) and (G,), the same for an account of which nothing is known.
    line_spend:     float32 (L, 2), what who buys something of the line for the first time spends on it within the
                    horizon, in minor units: mean and standard deviation. category_spend: float32 (G, 2).
    spend_factors:  float32 (A,), what spend is multiplied by: how dear the things are that the account usually buys.
    target_starts:  int64 (P + 1,), target_accounts: int32 (N,), target_places: uint8 (N,). Who has product p among its
                    candidates, and where: ``[target_starts[p]:target_starts[p + 1]]``, the most likely first.
    """

    candidates: NDArray[np.float32]
    rates: NDArray[np.float32]
    category_rates: NDArray[np.float32]
    factors: NDArray[np.float32]
    lines: NDArray[np.float16]
    categories: NDArray[np.float16]
    line_averages: NDArray[np.float32]
    category_averages: NDArray[np.float32]
    line_spend: NDArray[np.float32]
    category_spend: NDArray[np.float32]
    spend_factors: NDArray[np.float32]
    target_starts: NDArray[np.int64]
    target_accounts: NDArray[np.int32]
    target_places: NDArray[np.uint8]

    @classmethod
    def none(
        cls, n_accounts: int, n_candidates: int, n_products: int, n_lines: int = 0, n_categories: int = 0
    ) -> "Propensities":
        """Nothing was learned."""

        def unknown(*shape: int) -> NDArray[np.float32]:
            return np.full(shape, np.nan, dtype=np.float32)

        return cls(
            candidates=unknown(n_accounts, n_candidates),
            rates=unknown(n_products),
            category_rates=unknown(n_categories + 1),
            factors=unknown(NEVER_BOUGHT + 1),
            lines=unknown(n_accounts, n_lines).astype(np.float16),
            categories=unknown(n_accounts, n_categories).astype(np.float16),
            line_averages=unknown(n_lines),
            category_averages=unknown(n_categories),
            line_spend=unknown(n_lines, 2),
            category_spend=unknown(n_categories, 2),
            spend_factors=np.ones(n_accounts, dtype=np.float32),
            target_starts=np.zeros(n_products + 1, dtype=np.int64),
            target_accounts=np.empty(0, dtype=np.int32),
            target_places=np.empty(0, dtype=np.uint8),
        )

    def targets_of(self, product_row: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the accounts that have a product among their candidates, the most likely first, and how likely."""
        at = slice(self.target_starts[product_row], self.target_starts[product_row + 1])
        accounts = self.target_accounts[at]
        return accounts, self.candidates[accounts, self.target_places[at]]
