"""Products that are the same thing in another form: variants of one parent, and predecessors and successors."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.artifact.products import Products

NO_VARIANTS = -1
"""Group of a product that has no variants."""


class ProductLinks(NamedTuple):
    """What a product names as its parent, and as the product that it succeeds; empty where it names none."""

    parent: str
    replaced: str


def links_of(products: Products) -> dict[str, ProductLinks]:
    """Return the links of those products that have any, by identifier."""
    has_link = (np.diff(products.parents.offsets) > 0) | (np.diff(products.replaced.offsets) > 0)
    return {
        products.ids.texts[row]: ProductLinks(products.parents[row], products.replaced[row])
        for row in np.flatnonzero(has_link).tolist()
    }


def group_variants(links: Iterable[tuple[str, ProductLinks]]) -> dict[str, int]:
    """Number the groups of products that links connect, directly or through others: a group for each identifier."""
    heads: dict[str, str] = {}

    def head_of(product_id: str) -> str:
        while (head := heads.setdefault(product_id, product_id)) != product_id:
            heads[product_id] = product_id = heads[head]
        return product_id

    for product_id, named in links:
        for other in named:
            if other:
                heads[head_of(product_id)] = head_of(other)
    numbers: dict[str, int] = {}
    return {product_id: numbers.setdefault(head_of(product_id), len(numbers)) for product_id in list(heads)}


def variant_groups(products: Products) -> NDArray[np.int32]:
    """Return int32 (P,): the group of each product, NO_VARIANTS for one that is linked with no other."""
    groups = np.full(len(products.ids), NO_VARIANTS, dtype=np.int32)
    for product_id, group in group_variants(links_of(products).items()).items():
        row = products.ids.row_of(product_id)
        if row is not None:
            groups[row] = group
    return groups
