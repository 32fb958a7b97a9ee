"""What bears out that two products go together, as reasons of offers state it."""

from typing import Final, NamedTuple

from models.artifact import Content

MAX_CACHED_PAIRS: Final = 500_000


class PairEvidence(NamedTuple):
    """Orders with both of two products, customers behind those, and accounts that have both; 0 may not be stated."""

    orders: int
    buyers: int
    owners: int


NO_EVIDENCE: Final = PairEvidence(0, 0, 0)


class EvidenceIndex:
    """An artifact's evidence. Pairs that were asked for are kept: an array takes longer to hand over one number."""

    def __init__(self, content: Content) -> None:
        self._arrays = content.evidence
        self._n_products = len(content.products.ids)
        self._pairs: dict[int, PairEvidence] = {}

    def of_pair(self, first: int, second: int) -> PairEvidence:
        """Return what is known of two product rows."""
        key = first * self._n_products + second
        known = self._pairs.get(key)
        if known is None:
            if len(self._pairs) >= MAX_CACHED_PAIRS:
                self._pairs = {}
            known = self._pairs[key] = self._read(first, second)
        return known

    def buyers_of(self, product: int) -> int:
        """Return how many customers bought a product, as of the training."""
        return int(self._arrays.n_buyers[product])

    def _read(self, first: int, second: int) -> PairEvidence:
        arrays, place = self._arrays, self._arrays.position(first, second)
        if place is None:
            return NO_EVIDENCE
        return PairEvidence(int(arrays.orders[place]), int(arrays.buyers[place]), int(arrays.owners[place]))
