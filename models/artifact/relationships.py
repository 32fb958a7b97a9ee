"""Directed relationships between products, as arrays of one length, sorted by source, relation and strength."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from models.arrays import numbers_of_ranges
from models.artifact.dimensions import PRODUCTS, RELATIONSHIPS
from models.artifact.products import NO_NUMBER, NO_ROW
from models.artifact.sections import Section, Shape

RELATIONS = ("up_sell", "cross_sell", "accessory", "substitute")
"""Codes are positions here. What the target is to the source: a more valuable version; something else that goes with
it; a cheaper thing that belongs to it; something that stands in for it."""
UP_SELL, CROSS_SELL, ACCESSORY, SUBSTITUTE = range(4)

BASES = ("product", "category")
"""Whether the two products themselves were counted, or their categories, for want of history."""
PRODUCT_BASIS, CATEGORY_BASIS = range(2)

EVIDENCE = ("baskets", "sequence", "moves", "declared", "owners")
"""Counted in baskets; in what accounts bought later; in accounts that moved up; declared by the catalogue alone; or
counted in accounts that have the one and not the other."""
BASKETS, SEQUENCE, MOVES, DECLARED, OWNERS = range(5)


Codes = Annotated[NDArray[np.int8], Shape(RELATIONSHIPS)]
Counts = Annotated[NDArray[np.int32], Shape(RELATIONSHIPS)]
Measures = Annotated[NDArray[np.float32], Shape(RELATIONSHIPS, empty=np.nan)]


@dataclass(frozen=True)
class Relationships(Section):
    """Those of product p are ``[starts[p]:starts[p + 1]]``.

    target:       a product row. relation, basis, evidence: codes.
    strength:     between 0 and 1, comparable within a relation: added confidence of a cross-sell or an accessory, rate
                  of an up-sell, the share of missed baskets of a substitute.
    together:     baskets (sequence, moves, owners: accounts) with both. n_source, n_target: with each. n_total: in all.
    buyers:       customers behind ``together``: distinct accounts, and each guest's basket as a customer of its own.
    confidence, lift, cosine, llr: from these counts; NaN where nothing was counted.
    value_growth: mean value of baskets with both over that of baskets with the source alone, less 1.
    days:         quartiles of days from the first purchase of the source to that of the target.
    n_days:       accounts that bought the target on a later day, over which the quartiles are taken.
    price_step_minor: target's price less source's; NO_NUMBER where one of them is unknown.
    is_needed:    of an accessory, whether it is no use to those who have none of its main products.
    """

    starts: Annotated[NDArray[np.int64], Shape(PRODUCTS + 1)]
    target: Annotated[NDArray[np.int32], Shape(RELATIONSHIPS, empty=NO_ROW)]
    relation: Codes
    basis: Codes
    evidence: Codes
    strength: Measures
    together: Counts
    buyers: Counts
    n_source: Counts
    n_target: Counts
    n_total: Counts
    confidence: Measures
    lift: Measures
    cosine: Measures
    llr: Measures
    value_growth: Measures
    days: Annotated[NDArray[np.float32], Shape(RELATIONSHIPS, 3, empty=np.nan)]
    n_days: Counts
    price_step_minor: Annotated[NDArray[np.int64], Shape(RELATIONSHIPS, empty=NO_NUMBER)]
    is_needed: Annotated[NDArray[np.bool_], Shape(RELATIONSHIPS)]

    def __len__(self) -> int:
        return len(self.target)

    def sources(self) -> NDArray[np.int32]:
        """Return int32 (R,): the product row that each relationship starts from."""
        return numbers_of_ranges(self.starts, np.int32)
