"""Relationships while they are being mined: columns of one length, in no order."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from models.artifact.relationships import PRODUCT_BASIS
from models.products.measures import Counts


@dataclass(frozen=True)
class Rows:
    """Directed relationships. The columns are those of ``Relationships``; all measures follow from the counts.

    source, target: int32 (n,). relation, basis, evidence: int8 (n,). strength, value_growth: float64 (n,).
    together, buyers, n_source, n_target, n_total: int64 (n,).
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    relation: NDArray[np.int8]
    basis: NDArray[np.int8]
    evidence: NDArray[np.int8]
    strength: NDArray[np.float64]
    value_growth: NDArray[np.float64]
    together: NDArray[np.int64]
    buyers: NDArray[np.int64]
    n_source: NDArray[np.int64]
    n_target: NDArray[np.int64]
    n_total: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.source)

    def take(self, kept: NDArray[np.bool_] | NDArray[np.intp]) -> "Rows":
        """Keep the rows under a mask or at positions."""
        return Rows(*(getattr(self, field.name)[kept] for field in fields(self)))

    def counts(self) -> Counts:
        """The counts that measures are computed from."""
        ab, a, b, n = (
            column.astype(np.float64) for column in (self.together, self.n_source, self.n_target, self.n_total)
        )
        return Counts(ab, a, b, n)

    def keys(self, n_products: int) -> NDArray[np.int64]:
        """One number for each directed pair."""
        return self.source.astype(np.int64) * n_products + self.target

    def reversed_keys(self, n_products: int) -> NDArray[np.int64]:
        """The keys of the same pairs the other way round."""
        return self.target.astype(np.int64) * n_products + self.source


def make_rows(
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    counts: Counts,
    *,
    relation: int,
    evidence: int | NDArray[np.int8],
    strength: NDArray[np.float64],
    basis: int = PRODUCT_BASIS,
    value_growth: NDArray[np.float64] | None = None,
    buyers: NDArray[np.int64] | None = None,
) -> Rows:
    """Put columns together; a single code stands for all rows. buyers: if left out, accounts were counted."""
    n = len(source)
    return Rows(
        source=source.astype(np.int32),
        target=target.astype(np.int32),
        relation=np.full(n, relation, dtype=np.int8),
        basis=np.full(n, basis, dtype=np.int8),
        evidence=np.broadcast_to(np.asarray(evidence, dtype=np.int8), (n,)).copy(),
        strength=strength,
        value_growth=np.full(n, np.nan) if value_growth is None else value_growth,
        together=counts.ab.astype(np.int64),
        buyers=counts.ab.astype(np.int64) if buyers is None else buyers,
        n_source=counts.a.astype(np.int64),
        n_target=counts.b.astype(np.int64),
        n_total=np.broadcast_to(np.asarray(counts.n, dtype=np.int64), (n,)).copy(),
    )


def concatenate(parts: Sequence[Rows]) -> Rows:
    """Put rows after each other."""
    return Rows(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Rows)))
