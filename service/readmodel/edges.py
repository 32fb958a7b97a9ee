"""Values grouped by product row, expanded for many products at once."""

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.arrays import concatenate_ranges, offsets_of_sorted

Value = TypeVar("Value", bound=np.generic)


class Edges(Generic[Value]):
    """Values by product. products: int (E,), product rows; values: (E,). The order of one product's values is kept."""

    def __init__(self, products: NDArray[Any], values: NDArray[Value], n_products: int) -> None:
        order = products.argsort(kind="stable")
        self.values = values[order]
        self.starts: NDArray[np.int64] = offsets_of_sorted(products[order], n_products)
        self.has_any: NDArray[np.bool_] = self.starts[1:] > self.starts[:-1]
        """Bool (P,): whether a product has any value."""

    def __len__(self) -> int:
        return len(self.values)

    def expand(self, products: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Value]]:
        """Return the values of some products, and for each value the place of its product among them."""
        begins = self.starts[products]
        places, positions = concatenate_ranges(begins, self.starts[products + 1] - begins)
        return places, self.values[positions]
