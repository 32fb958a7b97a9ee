"""A shop whose history is kept as plain records, so that everything can be counted again without arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.data.history import History, build_history
from models.propensity.pair_tables import SimilarOf
from models.propensity.snapshot import Snapshot
from models.ranking.shortlist import RANKERS, Shortlist

DAY = 86_400
AS_OF = 19_900 * DAY + 12 * 3_600
HORIZON_DAYS = 60.0
N_ACCOUNTS, N_PROSPECTS, N_PRODUCTS = 40, 4, 14
CATEGORIES = ("cups", "", "beans", "tools")


class OrderLine(NamedTuple):
    """One order line; an account of None is a guest, a negative quantity a return, an amount of 0 unknown."""

    account: str | None
    order: str
    product: str
    time: int
    quantity: float
    amount: int


@dataclass(frozen=True)
class Shop:
    """Lines, product -> (category, price), account -> attributes."""

    lines: Sequence[OrderLine]
    products: Mapping[str, tuple[str, int | None]]
    accounts: dict[str, dict[str, float | str | None]] = field(default_factory=dict)

    def history(self) -> History:
        lines = pa.table(
            {
                "account_id": pa.array([line.account for line in self.lines], type=pa.string()),
                "order_id": pa.array([line.order for line in self.lines]),
                "product_id": pa.array([line.product for line in self.lines]),
                "ordered_at": pa.array([line.time for line in self.lines]),
                "quantity": pa.array([line.quantity for line in self.lines], type=pa.float64()),
                "amount_minor": pa.array([line.amount for line in self.lines]),
            }
        )
        described = {
            "product_id": list(self.products),
            "category": [category for category, _ in self.products.values()],
        }
        prices = pa.array([price for _, price in self.products.values()], type=pa.int64())
        names = sorted({name for attributes in self.accounts.values() for name in attributes})
        accounts = {name: pa.array([attributes.get(name) for attributes in self.accounts.values()]) for name in names}
        return build_history(
            lines,
            pa.table(described | {"price_minor": prices}),
            pa.table({"account_id": pa.array(list(self.accounts), type=pa.string())} | accounts),
        )

    def before(self, snapshot: int) -> "Shop":
        return replace(self, lines=[line for line in self.lines if line.time < snapshot])

    def category(self, product: str) -> str:
        return self.products[product][0]


def random_shop(seed: int = 0) -> Shop:
    """Orders over 300 days until 60 days after AS_OF; some go together, some are returned, guests buy too."""
    rng = np.random.default_rng(seed)
    products = {
        f"p{number}": (CATEGORIES[number % len(CATEGORIES)], None if number % 5 == 0 else 100 * (number + 1))
        for number in range(N_PRODUCTS)
    }
    accounts: dict[str, dict[str, float | str | None]] = {
        f"a{number}": {
            "size": None if number % 7 == 0 else float(rng.integers(1, 500)),
            "trade": [None, "café", "hotel", "office"][number % 4],
            "country": "nl",
        }
        for number in range(N_ACCOUNTS + N_PROSPECTS)
    }
    lines = []
    for order in range(400):
        buyer = int(rng.integers(-4, N_ACCOUNTS))
        time = int(AS_OF + rng.integers(-240 * DAY, 60 * DAY))
        chosen = {int(number) for number in rng.integers(0, N_PRODUCTS - 1, rng.integers(1, 4))}
        chosen |= {number + 1 for number in chosen if number % 4 == 2}
        for number in sorted(chosen):
            quantity = float(rng.choice([1, 2, -1, -2], p=[0.6, 0.25, 0.1, 0.05]))
            amount = 0 if rng.random() < 0.2 else int(quantity * rng.integers(50, 900))
            lines.append(
                OrderLine(f"a{buyer}" if buyer >= 0 else None, f"o{order}", f"p{number}", time, quantity, amount)
            )
    return Shop(lines, products, accounts)


def snapshot_of(shop: Shop, as_of: int = AS_OF, horizon_days: float = HORIZON_DAYS) -> Snapshot:
    """Cut the shop's history off."""
    history = shop.history()
    past = history.interactions.select(history.interactions.time < as_of)
    return Snapshot(past, history.products, history.accounts, as_of, horizon_days)


def shortlist_of(
    rows: NDArray[np.int32], products: NDArray[np.int32], scores: NDArray[np.float32] | None = None
) -> Shortlist:
    """Candidates as the first stage would give them; every ranker's score is 0 by default."""
    nothing = np.zeros((*products.shape, RANKERS), dtype=np.float32)
    blend = nothing[..., 0] if scores is None else scores
    return Shortlist(rows, products, blend, nothing, np.empty((0, 1 + RANKERS), dtype=np.float32))


def no_similar(snapshot: Snapshot) -> SimilarOf:
    """No account is like any other."""
    n_accounts = snapshot.past.n_accounts
    return lambda rows: csr_matrix((len(rows), n_accounts), dtype=np.float32)
