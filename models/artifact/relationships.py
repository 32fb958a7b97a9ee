"""Directed relationships between products, as arrays of one length, sorted by source, relation and strength."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RELATIONS = ("up_sell", "cross_sell", "accessory", "substitute")
"""Codes are positions here. What the target is to the source: a more valuable version; something else that goes with
it; a cheaper thing that belongs to it; something that stands in for it."""
UP_SELL, CROSS_SELL, ACCESSORY, SUBSTITUTE = range(4)

BASES = ("product", "category")
"""Whether the two products themselves were counted, or their categories, for want of history."""
PRODUCT_BASIS, CATEGORY_BASIS = range(2)

EVIDENCE = ("baskets", "sequence", "moves", "declared")
"""Counted in baskets; in what accounts bought later; in accounts that moved up; or said by the catalogue alone."""
BASKETS, SEQUENCE, MOVES, DECLARED = range(4)


@dataclass(frozen=True)
class Relationships:
    """R relationships; those of product p are ``[starts[p]:starts[p + 1]]``.

    starts:       int64 (P + 1,).
    target:       int32 (R,), a product row. relation, basis, evidence: int8 (R,), codes.
    strength:     float32 (R,), between 0 and 1, comparable within a relation: added confidence of a cross-sell or an
                  accessory, rate of an up-sell, the share of missed baskets of a substitute.
    together:     int32 (R,), baskets (sequence, moves: accounts) with both. n_source, n_target: int32 (R,), with each.
    n_total:      int32 (R,), baskets (accounts) in all.
    confidence, lift, cosine, llr: float32 (R,), from these counts; NaN where nothing was counted.
    value_growth: float32 (R,), mean value of baskets with both over that of baskets with the source alone, less 1.
    days:         float32 (R, 3), quartiles of days from the first purchase of the source to that of the target.
    n_days:       int32 (R,), accounts that bought the target on a later day: what the quartiles are taken over.
    price_step_minor: int64 (R,), target's price less source's; NO_NUMBER where one of them is unknown.
    """

    starts: NDArray[np.int64]
    target: NDArray[np.int32]
    relation: NDArray[np.int8]
    basis: NDArray[np.int8]
    evidence: NDArray[np.int8]
    strength: NDArray[np.float32]
    together: NDArray[np.int32]
    n_source: NDArray[np.int32]
    n_target: NDArray[np.int32]
    n_total: NDArray[np.int32]
    confidence: NDArray[np.float32]
    lift: NDArray[np.float32]
    cosine: NDArray[np.float32]
    llr: NDArray[np.float32]
    value_growth: NDArray[np.float32]
    days: NDArray[np.float32]
    n_days: NDArray[np.int32]
    price_step_minor: NDArray[np.int64]

    @classmethod
    def none(cls, n_products: int) -> "Relationships":
        """No relationships at all."""
        kinds = {"target": np.int32, "days": np.float32, "price_step_minor": np.int64}
        kinds |= dict.fromkeys(("relation", "basis", "evidence"), np.int8)
        kinds |= dict.fromkeys(("together", "n_source", "n_target", "n_total", "n_days"), np.int32)
        kinds |= dict.fromkeys(("strength", "confidence", "lift", "cosine", "llr", "value_growth"), np.float32)
        empty = {name: np.empty((0, 3) if name == "days" else 0, dtype=kind) for name, kind in kinds.items()}
        return cls(starts=np.zeros(n_products + 1, dtype=np.int64), **empty)

    def __len__(self) -> int:
        return len(self.target)

    def sources(self) -> NDArray[np.int32]:
        """Return int32 (R,): the product row that each relationship starts from."""
        return np.repeat(np.arange(len(self.starts) - 1, dtype=np.int32), np.diff(self.starts))
