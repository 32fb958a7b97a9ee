"""The accounts most likely to buy a product, in order, without an array per product."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.readmodel.product_index import ProductIndex
from service.readmodel.segment_catalog import SegmentCatalog

MIN_BLOCK: Final = 1024
MAX_BLOCK: Final = 65_536


class TargetProduct(NamedTuple):
    """A product to find accounts for. row: in the artifact; None for a product that is new since the training.

    price_minor, margin_minor: in the reporting currency, which ``currency`` names; None where they are not known in it.
    """

    product_id: str
    name: str
    category: str | None
    price_minor: int | None
    margin_minor: int | None
    currency: str | None
    is_active: bool
    row: int | None


def find_target_product(index: ProductIndex, product_id: str) -> TargetProduct | None:
    """Return a product as it is now; None if the artifact does not know it."""
    row = index.row_of(product_id)
    if row is None:
        return None
    products, info, currency = index.content.products, index.info(row), index.content.currency
    return TargetProduct(
        product_id=product_id,
        name=info.name,
        category=products.categories[row] or None,
        price_minor=currency.convert(info.price_minor, info.currency),
        margin_minor=currency.convert(info.margin_minor, info.currency),
        currency=currency.code,
        is_active=info.is_offerable,
        row=row,
    )


class TargetRankings:
    """Ranks one artifact's accounts by product.

    All products share one order of the accounts, by factor. A product's ranking is that order with its candidates
    moved to where their own propensity puts them: it takes memory for its candidates alone.
    """

    def __init__(self, segments: SegmentCatalog) -> None:
        self.segments = segments

    @cached_property
    def factors(self) -> NDArray[np.float32]:
        """Float32 (A,): what a product's rate is multiplied by for each account."""
        content = self.segments.content
        return content.propensities.factors_of(content.customers)

    @cached_property
    def by_factor(self) -> NDArray[np.int32]:
        """Int32 (A,): every account, those first whose segment buys most that is new, then the most valuable."""
        members = self.segments.content.segments.members
        everyone = members[0] if len(members) else np.arange(len(self.factors), dtype=np.int32)
        return np.asarray(everyone[np.argsort(-self.factors[everyone], kind="stable")], dtype=np.int32)

    @cached_property
    def _places(self) -> NDArray[np.int32]:
        """Int32 (A,): where each account stands in ``by_factor``."""
        places = np.empty(len(self.by_factor), dtype=np.int32)
        places[self.by_factor] = np.arange(len(places), dtype=np.int32)
        return places

    def rate_of(self, product: TargetProduct) -> float:
        """Return P(the average account buys a product that is none of its candidates)."""
        content = self.segments.content
        if product.row is not None:
            return float(content.propensities.rates[product.row])
        names = list(content.categories.names)
        category = names.index(product.category) if product.category in names else -1
        return float(content.propensities.category_rates[category])

    def rank(self, product: TargetProduct) -> "Ranking":
        """Rank every account for a product, the most likely first."""
        candidates = np.empty(0, dtype=np.int32)
        propensities = np.empty(0, dtype=np.float32)
        if product.row is not None:
            candidates, propensities = self.segments.content.propensities.targets_of(product.row)
            order = np.argsort(-propensities, kind="stable")
            candidates, propensities = candidates[order], propensities[order].astype(np.float32)
        rate = np.float32(self.rate_of(product))
        others, removed = self.by_factor[:0], np.empty(0, dtype=np.int64)
        ranks = np.arange(len(candidates))
        if np.isfinite(rate):
            others, removed = self.by_factor, np.sort(self._places[candidates]).astype(np.int64)
            ahead = self._count_likelier(propensities, rate)
            ranks += ahead - removed.searchsorted(ahead)
        return Ranking(candidates, propensities, ranks, others, self.factors, rate, removed)

    def _count_likelier(self, propensities: NDArray[np.float32], rate: np.float32) -> NDArray[np.int64]:
        """Return int64 (n,): how many accounts have a prior above each propensity. They begin ``by_factor``."""
        low = np.zeros(len(propensities), dtype=np.int64)
        high = np.full(len(propensities), len(self.by_factor), dtype=np.int64)
        bars = np.where(np.isnan(propensities), -1, propensities)
        # Bisection over the very priors that ``Ranking`` returns: division by the rate would round differently.
        while (is_open := low < high).any():
            middle = np.minimum((low + high) // 2, len(self.by_factor) - 1)
            is_above = is_open & (prior_propensities(rate, self.factors[self.by_factor[middle]]) > bars)
            low, high = np.where(is_above, middle + 1, low), np.where(is_open & ~is_above, middle, high)
        return low


def prior_propensities(rate: np.float32, factors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return float32 (n,): P(buys a product that is no candidate), of accounts with these factors."""
    return np.asarray(np.minimum(rate * factors, np.float32(1)), dtype=np.float32)


class Block(NamedTuple):
    """Consecutive ranks.

    rows: int32 (n,), accounts. propensities: float32 (n,), descending. is_candidate: bool (n,).
    """

    begin: int
    rows: NDArray[np.int32]
    propensities: NDArray[np.float32]
    is_candidate: NDArray[np.bool_]


@dataclass(frozen=True)
class Ranking:
    """The accounts in the order of their propensity for one product.

    candidates, propensities: int32 and float32 (C,), in order. ranks: int64 (C,), their ranks, ascending.
    others:  int32 (A,), all accounts in the order in which those that are no candidates rank; shared by all products.
    factors: float32 (A,), by account row. rate: times its factor, an account's prior propensity.
    removed: int64 (C,), ascending, where the candidates stand among ``others``.
    """

    candidates: NDArray[np.int32]
    propensities: NDArray[np.float32]
    ranks: NDArray[np.int64]
    others: NDArray[np.int32]
    factors: NDArray[np.float32]
    rate: np.float32
    removed: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.candidates) + len(self.others) - len(self.removed)

    @property
    def nbytes(self) -> int:
        """Bytes of what no other ranking shares."""
        own = (self.candidates, self.propensities, self.ranks, self.removed)
        return sum(array.nbytes for array in own)

    def block(self, begin: int, end: int) -> Block:
        """Return the accounts from one rank up to, not including, another."""
        end = max(min(end, len(self)), begin)
        first, last = self.ranks.searchsorted((begin, end)).tolist()
        is_candidate = np.zeros(end - begin, dtype=np.bool_)
        is_candidate[self.ranks[first:last] - begin] = True
        rows = np.empty(end - begin, dtype=np.int32)
        rows[is_candidate] = self.candidates[first:last]
        rows[~is_candidate] = self._others(begin - first, end - last)
        propensities = prior_propensities(self.rate, self.factors[rows])
        propensities[is_candidate] = self.propensities[first:last]
        return Block(begin, rows, propensities, is_candidate)

    def blocks(self, begin: int) -> Iterator[Block]:
        """Yield the accounts from a rank on, in blocks that grow."""
        size = MIN_BLOCK
        while begin < len(self):
            yield self.block(begin, begin + size)
            begin, size = begin + size, min(2 * size, MAX_BLOCK)

    def _others(self, begin: int, end: int) -> NDArray[np.int32]:
        """Return accounts that are no candidates, counted without the candidates that stand among them."""
        places = np.arange(begin, end)
        # The j-th removed place r stands before all others from the (r - j)-th on.
        places += (self.removed - np.arange(len(self.removed))).searchsorted(places, side="right")
        return self.others[places]
