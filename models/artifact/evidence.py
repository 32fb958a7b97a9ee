"""How many customers bear out that two products go together: what reasons of offers state."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from models.artifact.dimensions import EVIDENCE, PRODUCTS
from models.artifact.products import NO_ROW
from models.artifact.sections import Section, Shape

PairCounts = Annotated[NDArray[np.int32], Shape(EVIDENCE)]


@dataclass(frozen=True)
class Evidence(Section):
    """Pairs of products of which one may be a reason for offering the other, each once, with the lower row first.

    starts: the pairs of product p are ``[starts[p]:starts[p + 1]]``. other: the higher product row, ascending.
    orders, buyers: orders with both, and the customers behind those; each guest's order is a customer of its own.
    owners: accounts that have both.
    Counts below a gate, and those that are no more than chance, are 0: no reason may state them.
    n_buyers: customers who bought each product.
    """

    starts: Annotated[NDArray[np.int64], Shape(PRODUCTS + 1)]
    other: Annotated[NDArray[np.int32], Shape(EVIDENCE, empty=NO_ROW)]
    orders: PairCounts
    buyers: PairCounts
    owners: PairCounts
    n_buyers: Annotated[NDArray[np.int32], Shape(PRODUCTS)]

    def position(self, first: int, second: int) -> int | None:
        """Return the position of a pair, in either order; None where nothing is known of it."""
        low, high = (first, second) if first < second else (second, first)
        begin, end = int(self.starts[low]), int(self.starts[low + 1])
        place = begin + int(self.other[begin:end].searchsorted(high))
        return place if place < end and self.other[place] == high else None
