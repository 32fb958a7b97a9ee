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

    def explain(
        self, rows: NDArray[np.int32], products: NDArray[np.int32], is_reason: NDArray[np.bool_]
    ) -> NDArray[np.int32]:
        """Return int32 (len(rows), products.shape[1], 2): owned product rows, NO_ROW padded; or BY_POPULARITY.

        is_reason: bool (n_products,), which products may be named.
        """


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
    is_offerable: NDArray[np.bool_],
    *,
    unlisted: csr_matrix | None = None,
    has_evidence: NDArray[np.bool_] | None = None,
) -> CandidateLists:
    """Score all accounts, list their best products and explain the first of them.

    owned:     (n_accounts, n_products), never listed.
    is_offerable: bool (n_products,), what may be offered, and named as a reason, at all.
    unlisted:  (n_accounts, n_products), what else is not listed, such as variants of what is owned.
    has_evidence: bool (n_accounts,), whose history says anything; by default, that of all that own something.
    """
    n_accounts, n_products = owned.shape
    listed = np.diff(owned.indptr) > 0 if has_evidence is None else has_evidence

    def work(batch: NDArray[np.int32]) -> CandidateLists:
        return _list_batch(scorer, (owned, unlisted), is_offerable, listed, batch)

    parts = list(in_batches(work, np.arange(n_accounts, dtype=np.int32), n_products))
    return CandidateLists(
        products=np.concatenate([lists.products for lists in parts]),
        scores=np.concatenate([lists.scores for lists in parts]),
        reasons=np.concatenate([lists.reasons for lists in parts]),
        owned_scores=np.concatenate([lists.owned_scores for lists in parts]),
    )


def _list_batch(
    scorer: ExplainingScorer,
    taken: tuple[csr_matrix, csr_matrix | None],
    is_offerable: NDArray[np.bool_],
    is_listed: NDArray[np.bool_],
    rows: NDArray[np.int32],
) -> CandidateLists:
    scores = scorer.score(rows)
    owned, unlisted = taken
    batch = owned[rows]
    owner = numbers_of_ranges(batch.indptr)
    owned_scores = scores[owner, batch.indices]
    scores[owner, batch.indices] = -np.inf
    if unlisted is not None:
        more = unlisted[rows]
        scores[numbers_of_ranges(more.indptr), more.indices] = -np.inf
    scores[:, ~is_offerable] = -np.inf
    scores[~is_listed[rows]] = -np.inf
    products, best = top_products(scores, min(CANDIDATES, scores.shape[1]))
    reasons = scorer.explain(rows, products[:, :EXPLAINED], is_offerable)
    return CandidateLists(products, best, reasons, owned_scores)
