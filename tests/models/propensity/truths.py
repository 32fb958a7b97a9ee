"""A world whose every probability is known: accounts find products at constant rates of their own, and keep them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.data.history import History, build_history

DAY = 86_400
BEGIN_DAY = 19_000
ACCOUNTS, PROSPECTS, PRODUCTS, CATEGORIES, LINES = 1_600, 40, 240, 24, 12
HORIZON_DAYS, DAYS = 60, 420


@dataclass(frozen=True)
class Truth:
    """When each account first buys each product is exponential, so the past tells nothing that the rate does not.

    seed: of the chance by which the rates came about, and of when what is bought.
    level: what the rates are multiplied by from the last third of a horizon on.
    """

    seed: int = 1
    level: float = 1.0

    @cached_property
    def rates(self) -> NDArray[np.float64]:
        """Purchases a day, (ACCOUNTS, PRODUCTS): taste for the category, how busy the account, how liked it is."""
        rng = np.random.default_rng(self.seed)
        taste = rng.normal(0, 1.3, (ACCOUNTS, CATEGORIES))
        busy, liked = rng.normal(0, 0.5, ACCOUNTS), rng.normal(0, 0.8, PRODUCTS)
        log_odds = -9.7 + busy[:, None] + liked + taste[:, np.arange(PRODUCTS) * CATEGORIES // PRODUCTS]
        return np.asarray(1 / (1 + np.exp(-log_odds)))

    @cached_property
    def found_after(self) -> NDArray[np.float64]:
        """Days until each account buys each product."""
        days = np.random.default_rng(self.seed + 1).exponential(1 / self.rates)
        change = DAYS - HORIZON_DAYS / 3
        return np.where(days > change, change + (days - change) / self.level, days)

    @cached_property
    def prices(self) -> NDArray[np.int64]:
        return np.random.default_rng(self.seed + 2).integers(100, 2_000, PRODUCTS)

    def chance(self, days: float = HORIZON_DAYS) -> NDArray[np.float64]:
        """P(bought within so many days from now on), of what an account does not have."""
        return np.asarray(1 - np.exp(-self.rates * self.level * days))

    def history(self, until: float = DAYS) -> History:
        account, product = np.nonzero(self.found_after < until)
        seconds = (BEGIN_DAY * DAY + self.found_after[account, product] * DAY).astype(np.int64)
        lines = pa.table(
            {
                "account_id": [f"a{row}" for row in account],
                "order_id": [f"o{number}" for number in range(len(account))],
                "product_id": [f"p{row}" for row in product],
                "ordered_at": seconds,
                "quantity": np.ones(len(account)),
                "amount_minor": self.prices[product],
            }
        )
        names = [f"c{row * CATEGORIES // PRODUCTS:02}" for row in range(PRODUCTS)]
        products = pa.table(
            {
                "product_id": [f"p{row}" for row in range(PRODUCTS)],
                "category": names,
                "line": [f"l{row * LINES // PRODUCTS:02}" for row in range(PRODUCTS)],
                "price_minor": self.prices,
            }
        )
        accounts = pa.table({"account_id": [f"a{row}" for row in range(ACCOUNTS + PROSPECTS)]})
        return build_history(lines, products, accounts)
