"""Every account's best products, listed once at training, so that answering is a lookup."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.arrays import numbers_of_ranges
from models.ranking.top import in_batches, top_products

CANDIDATES = 100
EXPLAINED = 20


class ExplainingScorer(Protocol):
    """Scores products for accounts, and explains a score by owned products."""

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (len(rows), n_products) that the caller may write into."""

    def explain(self, rows: NDArray[np.int32], products: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return int32 (len(rows), products.shape[1], 2): owned product rows, NO_ROW padded."""


@dataclass(frozen=True)
class CandidateLists:
    """The candidate and owned arrays of an artifact's content; see ``models.artifact.content.Content``."""

    products: NDArray[np.int32]
    scores: NDArray[np.float32]
    reasons: NDArray[np.int32]
    owned_scores: NDArray[np.float32]


def list_candidates(
    scorer: ExplainingScorer,
    owned: csr_matrix,
    is_active: NDArray[np.bool_],
    rows: NDArray[np.int32] | None = None,
    explained: int = EXPLAINED,
) -> CandidateLists:
    """Score accounts, list their best products and explain the first of them.

    owned:     (n_accounts, n_products), never listed.
    is_active: bool (n_products,), what may be offered at all.
    rows:      accounts, all by default. explained: how many candidates of each list are explained.
    An account that owns nothing has no candidates.
    """
    n_accounts, n_products = owned.shape
    chosen = np.arange(n_accounts, dtype=np.int32) if rows is None else rows
    parts = list(in_batches(lambda batch: _list_batch(scorer, owned, is_active, batch, explained), chosen, n_products))
    return CandidateLists(
        products=np.concatenate([lists.products for lists in parts]),
        scores=np.concatenate([lists.scores for lists in parts]),
        reasons=np.concatenate([lists.reasons for lists in parts]),
        owned_scores=np.concatenate([lists.owned_scores for lists in parts]),
    )


def _list_batch(
    scorer: ExplainingScorer,
    owned: csr_matrix,
    is_active: NDArray[np.bool_],
    rows: NDArray[np.int32],
    explained: int,
) -> CandidateLists:
    scores = scorer.score(rows)
    batch = owned[rows]
    owner = numbers_of_ranges(batch.indptr)
    owned_scores = scores[owner, batch.indices]
    scores[owner, batch.indices] = -np.inf
    scores[:, ~is_active] = -np.inf
    scores[np.diff(batch.indptr) == 0] = -np.inf
    products, best = top_products(scores, min(CANDIDATES, scores.shape[1]))
    nothing = np.empty((len(rows), 0, 2), dtype=np.int32)
    reasons = scorer.explain(rows, products[:, :explained]) if explained else nothing
    return CandidateLists(products, best, reasons, owned_scores)
