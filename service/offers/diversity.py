"""Keeps a short list from repeating itself: no two products of a family, few of a category."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_VARIANTS
from service.readmodel.product_index import NO_FAMILY, ProductIndex
from service.readmodel.text_codes import NO_TEXT

MIN_PER_CATEGORY: Final = 2
LISTED_PER_CATEGORY: Final = 3
"""A longer list may have a third of its products in one category."""
MAX_SCANNED: Final = 500
"""Candidates among which others are looked for: beyond these, similar products fill the list."""


class ProductGroups(NamedTuple):
    """The groups of m products, int32 (m,) each, or None where no product is in any: see ``ProductIndex``."""

    variants: NDArray[np.int32] | None
    family: NDArray[np.int32] | None
    category: NDArray[np.int32] | None

    def part(self, begin: int, end: int) -> "ProductGroups":
        """Return the groups of some of the products."""
        return ProductGroups(*(None if groups is None else groups[begin:end] for groups in self))


def groups_of(product: NDArray[np.int32], products: ProductIndex) -> ProductGroups:
    """Look up the groups of products."""
    return ProductGroups(
        products.variants[product] if products.n_variant_groups else None,
        products.family[product] if products.n_families else None,
        products.categories.codes[product],
    )


def select_diverse(
    allowed: NDArray[np.int64], groups: ProductGroups, limit: int
) -> tuple[NDArray[np.int64], list[int]]:
    """Choose up to ``limit`` of the allowed places, best first; return the similar ones that were passed over, too.

    No two are variants of each other. No two are of one family, and at most two, or a third of the list, of one
    category, unless too few others are left: then the best of these follow at the end. allowed: int64 (k,), ascending.
    """
    first = allowed[:limit]
    if len(first) < 2 or not _has_similar(first, groups, limit):
        return first, []
    chosen: list[int] = []
    similar: list[tuple[int, int]] = []
    picked = _Picked(limit)
    for place, (variants, family, category) in _with_groups(allowed[:MAX_SCANNED], groups):
        if len(chosen) == limit:
            break
        if picked.accepts(variants, family, category):
            chosen.append(place)
        else:
            similar.append((place, variants))
    added: list[int] = []
    passed_over: list[int] = []
    for place, variants in similar:
        is_added = len(chosen) + len(added) < limit and picked.is_other_variant(variants)
        (added if is_added else passed_over).append(place)
    return np.array(chosen + added, dtype=np.int64), passed_over


class _Picked:
    """The groups of what is chosen so far."""

    def __init__(self, limit: int) -> None:
        self.max_per_category = max_per_category(limit)
        self.variants: set[int] = set()
        self.families: set[int] = set()
        self.categories: Counter[int] = Counter()

    def accepts(self, variants: int, family: int, category: int) -> bool:
        """Add a product, unless it is similar to what is chosen."""
        if family in self.families or self.categories[category] >= self.max_per_category:
            return False
        if not self.is_other_variant(variants):
            return False
        if family != NO_FAMILY:
            self.families.add(family)
        if category != NO_TEXT:
            self.categories[category] += 1
        return True

    def is_other_variant(self, variants: int) -> bool:
        """Add a group of variants, unless it is there already."""
        if variants in self.variants:
            return False
        if variants != NO_VARIANTS:
            self.variants.add(variants)
        return True


def _has_similar(places: NDArray[np.int64], groups: ProductGroups, limit: int) -> bool:
    """Tell whether any of the places is similar to another: what ``_Picked`` would find out one by one."""
    for codes, nothing in ((groups.variants, NO_VARIANTS), (groups.family, NO_FAMILY)):
        if codes is not None:
            given = [code for code in codes[places].tolist() if code != nothing]
            if len(set(given)) < len(given):
                return True
    most = max_per_category(limit)
    if groups.category is None or len(places) <= most:
        return False
    counts = Counter(groups.category[places].tolist())
    return any(count > most for code, count in counts.items() if code != NO_TEXT)


def max_per_category(limit: int) -> int:
    """Return how many products of one category a list may have."""
    return max(MIN_PER_CATEGORY, -(-limit // LISTED_PER_CATEGORY))


def _with_groups(places: NDArray[np.int64], groups: ProductGroups) -> Iterator[tuple[int, Any]]:
    nothing = (NO_VARIANTS, NO_FAMILY, NO_TEXT)
    columns = [
        [none] * len(places) if codes is None else codes[places].tolist()
        for codes, none in zip(groups, nothing, strict=True)
    ]
    return zip(places.tolist(), zip(*columns, strict=True), strict=True)
