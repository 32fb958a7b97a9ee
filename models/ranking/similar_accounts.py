"""Similar accounts: a product scores by the accounts that own it and have much in common with this one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.arrays import offsets_of
from models.ranking.explain import histories_of
from models.ranking.top import NO_PRODUCT, in_batches, top_products
from models.ranking.weights import rows_of, scale_rows

SIMILAR = 50
MAX_COMPARED = 20_000
"""Each account is compared with at most so many others, so that the cost grows with the accounts, not their square."""


@dataclass(frozen=True)
class SimilarAccountsScorer:
    """Scores by ``sum_v s_uv x_vj`` over the accounts v most similar to u: 1 where v owns j, and 0 elsewhere.

    ``s_uv`` is the cosine of what both own, ``|u and v| / sqrt(|u| |v|)``; how often they bought it does not count.
    owned:        float32 (n_accounts, n_products), 1 where owned.
    similar:      float32 (n_accounts, n_accounts), the cosines of at most SIMILAR others.
    inverse_norm: float32 (n_accounts,), 1 / sqrt of the number of products owned.
    Source: Sarwar, Karypis, Konstan, Riedl (EC 2000), on implicit feedback.
    """

    owned: csr_matrix
    similar: csr_matrix
    inverse_norm: NDArray[np.float32]
    name: str = "similar-accounts"

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (len(rows), n_products)."""
        scores: NDArray[np.float32] = (self.similar[rows] @ self.owned).toarray()
        return scores

    def contributions(self, rows: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """See AdditiveScorer. Exact: a cosine is a sum over the products that both own."""
        owned = histories_of(self.owned, rows)
        share = np.zeros((*candidates.shape, owned.products.shape[1]), dtype=np.float32)
        for place, row in enumerate(rows):
            products = owned.products[place][owned.is_owned[place]]
            share[place, :, : len(products)] = self._contribute(row, products, np.maximum(candidates[place], 0))
        return share

    def _contribute(
        self, row: np.int32, products: NDArray[np.int32], candidates: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Return float32 (K, n) for one account."""
        others = self.similar.indices[self.similar.indptr[row] : self.similar.indptr[row + 1]]
        wanted, place = np.unique(np.concatenate((products, candidates)), return_inverse=True)
        held, _, sizes = rows_of(self.owned, others)
        column = np.minimum(np.searchsorted(wanted, held), max(len(wanted) - 1, 0))
        is_wanted = wanted[column] == held
        has = np.zeros((len(others), len(wanted)), dtype=np.float32)
        has[np.repeat(np.arange(len(others)), sizes)[is_wanted], column[is_wanted]] = 1
        weighted = has[:, place[len(products) :]] * (self.inverse_norm[others] * self.inverse_norm[row])[:, None]
        contributed: NDArray[np.float32] = weighted.T @ has[:, place[: len(products)]]
        return contributed


def find_similar_accounts(strength: csr_matrix) -> SimilarAccountsScorer:
    """Find the accounts most similar to each, from strengths, float32 (n_accounts, n_products).

    Everybody is compared with the MAX_COMPARED accounts whose strengths add up to most: they buy much, and did lately.
    """
    sizes = np.diff(strength.indptr)
    owned = csr_matrix((np.ones(strength.nnz, dtype=np.float32), strength.indices, strength.indptr), strength.shape)
    inverse_norm = (1 / np.sqrt(np.maximum(sizes, 1))).astype(np.float32)
    normed = scale_rows(owned, inverse_norm)
    compared = _accounts_to_compare(strength)
    across = normed[compared].T.tocsr()
    place = np.full(len(sizes), -1, dtype=np.int64)
    place[compared] = np.arange(len(compared))

    def find(rows: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        cosines = (normed[rows] @ across).toarray()
        itself = place[rows]
        cosines[np.flatnonzero(itself >= 0), itself[itself >= 0]] = -np.inf
        cosines[cosines <= 0] = -np.inf
        return top_products(cosines, min(SIMILAR, len(compared)))

    batches = list(in_batches(find, np.arange(len(sizes), dtype=np.int32), max(len(compared), 1)))
    others, cosines = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    is_found = others != NO_PRODUCT
    offsets = offsets_of(is_found.sum(axis=1))
    similar = csr_matrix((cosines[is_found], compared[others[is_found]], offsets), shape=(len(sizes), len(sizes)))
    return SimilarAccountsScorer(owned, similar, inverse_norm)


def _accounts_to_compare(strength: csr_matrix) -> NDArray[np.int64]:
    """Return the rows of at most MAX_COMPARED accounts that own something, sorted."""
    total = np.asarray(strength.sum(axis=1)).ravel()
    strongest = np.argsort(-total, kind="stable")[:MAX_COMPARED]
    return np.sort(strongest[total[strongest] > 0])
