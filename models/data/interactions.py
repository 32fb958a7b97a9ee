"""The sales history as columns: what every ranker and every metric reads."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

GUEST = -1
"""The account row of a line that no account is known for."""
NEVER = int(np.iinfo(np.int64).max)
"""The time of what did not happen."""


@dataclass(frozen=True)
class Interactions:
    """Order lines as columns; account and product rows are positions in the id arrays.

    account:      int32 (n_lines,), GUEST where no account is known.
    product:      int32 (n_lines,).
    order:        int32 (n_lines,), the order's position, below ``order_count``.
    time:         int64 (n_lines,), local seconds of the history's time zone (see ``DayZone``).
    quantity:     float32 (n_lines,), finite; negative is a return.
    amount_minor: int64 (n_lines,), the line's amount in minor units of the reporting currency, 0 where unknown.
    account_ids:  object (n_accounts,) of str, distinct, in the artifact's hash order.
    product_ids:  object (n_products,) of str, distinct, in the artifact's hash order.
    unconverted:  bool (n_lines,), lines whose amount could not be converted into the reporting currency, so that their
                  amount_minor is 0; None where there are none.
    """

    account: NDArray[np.int32]
    product: NDArray[np.int32]
    order: NDArray[np.int32]
    time: NDArray[np.int64]
    quantity: NDArray[np.float32]
    amount_minor: NDArray[np.int64]
    account_ids: NDArray[np.object_]
    product_ids: NDArray[np.object_]
    order_count: int
    unconverted: NDArray[np.bool_] | None = None

    @property
    def n_lines(self) -> int:
        return len(self.product)

    @property
    def n_accounts(self) -> int:
        return len(self.account_ids)

    @property
    def n_products(self) -> int:
        return len(self.product_ids)

    @cached_property
    def is_known(self) -> NDArray[np.bool_]:
        """Lines that name an account."""
        known: NDArray[np.bool_] = self.account != GUEST
        return known

    @cached_property
    def is_sold(self) -> NDArray[np.bool_]:
        """Bool (n_products,): what anybody bought, guests too."""
        sold = np.zeros(self.n_products, dtype=np.bool_)
        sold[self.product[self.quantity > 0]] = True
        return sold

    @cached_property
    def first_sold(self) -> NDArray[np.int64]:
        """Int64 (n_products,): when anybody first bought it, guests too; NEVER where nobody did."""
        first = np.full(self.n_products, NEVER, dtype=np.int64)
        is_sale = self.quantity > 0
        np.minimum.at(first, self.product[is_sale], self.time[is_sale])
        return first

    @cached_property
    def is_unconverted(self) -> NDArray[np.bool_]:
        """Bool (n_lines,): lines whose amount is not known in the reporting currency."""
        return np.zeros(self.n_lines, dtype=np.bool_) if self.unconverted is None else self.unconverted

    def select(self, mask: NDArray[np.bool_]) -> "Interactions":
        """Keep the lines under a boolean mask of shape (n_lines,), with the same rows for accounts and products."""
        columns = ("account", "product", "order", "time", "quantity", "amount_minor")
        unconverted = None if self.unconverted is None else self.unconverted[mask]
        return replace(self, **{name: getattr(self, name)[mask] for name in columns}, unconverted=unconverted)


def owned_matrix(interactions: Interactions) -> csr_matrix:
    """Return float32 (n_accounts, n_products): net quantities that are positive.

    Returns are subtracted, so a product that was given back is not owned. Indices are sorted, no zeros are stored.
    """
    known = interactions.is_known
    shape = (interactions.n_accounts, interactions.n_products)
    coordinates = (interactions.account[known], interactions.product[known])
    net = csr_matrix((interactions.quantity[known].astype(np.float64), coordinates), shape=shape)
    net.sum_duplicates()
    # Fractions that cancel (0.1 + 0.2 - 0.3) leave dust behind; nothing is sold by the billionth.
    net.data[net.data <= 1e-9] = 0
    net.eliminate_zeros()
    return net.astype(np.float32)
