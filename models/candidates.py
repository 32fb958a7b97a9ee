"""Every account's best products, found once at training, so that an answer is a look-up."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.artifact import NO_ROW

CANDIDATES = 100
EXPLAINED = 20
SCORES_PER_BATCH = 16_000_000


class ExplainingScorer(Protocol):
    """Scores products for accounts and tells which owned products a score comes from."""

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (len(rows), n_products)."""

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
    scorer: ExplainingScorer, owned: csr_matrix, is_active: NDArray[np.bool_]
) -> Iterator[CandidateLists]:
    """Yield the candidates of all accounts, a batch of accounts at a time.

    owned:     (n_accounts, n_products), never offered.
    is_active: bool (n_products,), what may be offered at all.
    An account that owns nothing has no candidates: nothing personal is known of it.
    """
    n_accounts, n_products = owned.shape
    step = max(SCORES_PER_BATCH // n_products, 1)
    for begin in range(0, n_accounts, step):
        rows = np.arange(begin, min(begin + step, n_accounts), dtype=np.int32)
        yield _list_batch(scorer, owned, is_active, rows)


def _list_batch(
    scorer: ExplainingScorer, owned: csr_matrix, is_active: NDArray[np.bool_], rows: NDArray[np.int32]
) -> CandidateLists:
    scores = scorer.score(rows)
    batch = owned[rows[0] : rows[-1] + 1]
    owner = np.repeat(np.arange(len(rows)), np.diff(batch.indptr))
    owned_scores = scores[owner, batch.indices]
    scores[owner, batch.indices] = -np.inf
    scores[:, ~is_active] = -np.inf
    scores[np.diff(batch.indptr) == 0] = -np.inf
    products, best = best_products(scores, CANDIDATES)
    reasons = scorer.explain(rows, products[:, :EXPLAINED])
    return CandidateLists(products, best, reasons, owned_scores)


def best_products(scores: NDArray[np.float32], count: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return each row's best products and their scores, (len(scores), min(count, n_products)), best first.

    Ties go to the lower product row. Products scored -inf are left out: NO_ROW and 0 stand at the end.
    """
    count = min(count, scores.shape[1])
    if count < scores.shape[1]:
        found = np.sort(np.argpartition(scores, -count, axis=1)[:, -count:], axis=1)
    else:
        found = np.broadcast_to(np.arange(count), scores.shape)
    values = np.take_along_axis(scores, found, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    products = np.take_along_axis(found, order, axis=1).astype(np.int32)
    best = np.take_along_axis(values, order, axis=1)
    is_missing = np.isneginf(best)
    products[is_missing], best[is_missing] = NO_ROW, 0
    return products, best
