"""Product facts, one entry per product row."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from models.artifact.dimensions import PRODUCTS, TEXTS
from models.artifact.ids import IdIndex, TextColumn
from models.artifact.sections import Along, Section, Shape

NO_ROW = -1
"""Padding in arrays of product rows."""

NO_NUMBER = int(np.iinfo(np.int64).min)
"""An unknown price, margin or tier."""

ProductTexts = Annotated[TextColumn, Along({TEXTS: PRODUCTS})]
ProductFlags = Annotated[NDArray[np.bool_], Shape(PRODUCTS)]
ProductNumbers = Annotated[NDArray[np.int64], Shape(PRODUCTS, empty=NO_NUMBER)]


@dataclass(frozen=True)
class Products(Section):
    """Products in the hash order of their identifiers. Unknown texts are empty, unknown numbers are NO_NUMBER.

    is_active:      whether it is still sold. is_merchandise: False for fees, shipping, gift cards and the like.
    parents:        what it is a variant of. replaced: the product that it succeeds. Identifiers, of products or not.
    """

    ids: Annotated[IdIndex, Along({TEXTS: PRODUCTS})]
    names: ProductTexts
    lines: ProductTexts
    categories: ProductTexts
    families: ProductTexts
    currencies: ProductTexts
    tiers: ProductNumbers
    prices_minor: ProductNumbers
    margins_minor: ProductNumbers
    is_active: ProductFlags
    is_merchandise: ProductFlags
    parents: ProductTexts
    replaced: ProductTexts

    @property
    def is_offerable(self) -> NDArray[np.bool_]:
        """Bool (P,): whether each may be offered, and may be a reason for an offer."""
        return np.asarray(self.is_active & self.is_merchandise)
