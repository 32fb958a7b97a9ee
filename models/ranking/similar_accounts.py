"""Similar accounts: a product scores by the accounts that own it and have much in common with this one."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.arrays import numbers_of_ranges, offsets_of, places_in_ranges
from models.ranking.explain import histories_of
from models.ranking.top import NO_PRODUCT, SCORES_PER_BATCH, top_products
from models.ranking.weights import rows_of, scale_rows

SIMILAR = 50
MAX_COMPARED = 20_000
"""Each account is compared with at most so many others, so that the cost grows with the accounts, not their square."""
SPARSE_COST = 20
"""So many products of a dense multiplication take as long as one of a sparse one."""


class SimilarAccountsScorer:
    """Scores by ``sum_v s_uv x_vj`` over the accounts v most similar to u: 1 where v owns j, and 0 elsewhere.

    ``s_uv`` is the cosine of what both own, ``|u and v| / sqrt(|u| |v|)``; how often they bought it does not count.
    Everybody is compared with the MAX_COMPARED accounts whose strengths add up to most: they buy much, and did lately.
    An account's similar ones are found when they are first asked for: most windows score a sample of accounts alone.
    Source: Sarwar, Karypis, Konstan, Riedl (EC 2000), on implicit feedback.
    """

    name = "similar-accounts"

    def __init__(self, strength: csr_matrix) -> None:
        """Compare by strengths, float32 (n_accounts, n_products), of what each account owns."""
        n_accounts = strength.shape[0]
        sizes = np.diff(strength.indptr)
        self._owned = csr_matrix(
            (np.ones(strength.nnz, dtype=np.float32), strength.indices, strength.indptr), strength.shape
        )
        self._inverse_norm = (1 / np.sqrt(np.maximum(sizes, 1))).astype(np.float32)
        self._normed = scale_rows(self._owned, self._inverse_norm)
        self._compared = _accounts_to_compare(strength)
        self._normed_compared = self._normed[self._compared]
        self._across = self._normed_compared.T.tocsr()
        self._compared_owners = np.diff(self._across.indptr)
        self._place = np.full(n_accounts, -1, dtype=np.int64)
        self._place[self._compared] = np.arange(len(self._compared))
        # A memo of pure values: two threads may find the same account's at once, and write the same.
        self._others = np.full((n_accounts, min(SIMILAR, len(self._compared))), NO_PRODUCT, dtype=np.int32)
        self._cosines = np.zeros(self._others.shape, dtype=np.float32)
        self._is_found = np.zeros(n_accounts, dtype=np.bool_)

    def similar(self, rows: NDArray[np.int32]) -> csr_matrix:
        """Return float32 (len(rows), n_accounts), the cosines of at most SIMILAR others of each account."""
        missing = rows[~self._is_found[rows]]
        step = max(SCORES_PER_BATCH // max(len(self._compared), 1), 1)
        for begin in range(0, len(missing), step):
            self._find(missing[begin : begin + step])
        others, cosines = self._others[rows], self._cosines[rows]
        is_other = others != NO_PRODUCT
        entries = (cosines[is_other], self._compared[others[is_other]], offsets_of(is_other.sum(axis=1)))
        return csr_matrix(entries, shape=(len(rows), len(self._place)))

    def _find(self, rows: NDArray[np.int32]) -> None:
        cosines = self._compare(rows)
        itself = self._place[rows]
        cosines[np.flatnonzero(itself >= 0), itself[itself >= 0]] = 0
        others, values = top_products(cosines, self._others.shape[1])
        self._others[rows], self._cosines[rows] = np.where(values > 0, others, NO_PRODUCT), values
        self._is_found[rows] = True

    def _compare(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (len(rows), n_compared), the cosines of some accounts with those that all are compared with.

        Most products of a sparse product are of accounts' popular products: where accounts hold many of them, a dense
        one, which goes through all products in the order of memory, takes a sixth of the time.
        """
        own = self._normed[rows]
        across = self._normed_compared
        sparse_work = self._compared_owners[own.indices].sum()
        if len(rows) * across.nnz > SPARSE_COST * sparse_work:
            cosines: NDArray[np.float32] = (own @ self._across).toarray()
            return cosines
        return np.ascontiguousarray((across @ own.T.tocsr().toarray()).T)

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (len(rows), n_products)."""
        scores: NDArray[np.float32] = (self.similar(rows) @ self._owned).toarray()
        return scores

    def contributions(self, rows: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """See AdditiveScorer. Exact: a cosine is a sum over the products that both own."""
        owned, similar = histories_of(self._owned, rows), self.similar(rows)
        share = np.zeros((*candidates.shape, owned.products.shape[1]), dtype=np.float32)
        step = max(SCORES_PER_BATCH // self._owned.shape[1], 1)
        for begin in range(0, len(rows), step):
            part = slice(begin, begin + step)
            wanted = np.concatenate((owned.products[part], np.maximum(candidates[part], 0)), axis=1)
            share[part] = self._contribute(rows[part], similar[part], wanted, candidates.shape[1])
        share *= owned.is_owned[:, None, :]
        return share

    def _contribute(
        self, rows: NDArray[np.int32], similar: csr_matrix, wanted: NDArray[np.int32], n_candidates: int
    ) -> NDArray[np.float32]:
        """Return float32 (m, K, n). wanted: (m, n + K), what each account owns, and its K candidates at the end."""
        has, place = self._holdings(similar, wanted)
        place_of_owned, place_of_candidate = np.split(place[:, None, :], [wanted.shape[1] - n_candidates], axis=2)
        weights = np.zeros(has.shape[:2], dtype=np.float32)
        account, other = numbers_of_ranges(similar.indptr), places_in_ranges(np.diff(similar.indptr))
        weights[account, other] = self._inverse_norm[similar.indices] * self._inverse_norm[rows[account]]
        weighted = np.take_along_axis(has, place_of_candidate, axis=2) * weights[..., None]
        contributed = weighted.transpose(0, 2, 1) @ np.take_along_axis(has, place_of_owned, axis=2)
        return contributed.astype(np.float32, copy=False)

    def _holdings(
        self, similar: csr_matrix, wanted: NDArray[np.int32]
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return float32 (m, SIMILAR, w), 1 where a similar account owns a wanted product, and the places of these.

        wanted: (m, w). A product that is wanted twice has one place, so that one owner is entered once.
        """
        line = np.arange(len(wanted))[:, None]
        place_of = np.full((len(wanted), self._owned.shape[1]), -1, dtype=np.int32)
        place_of[line, wanted] = np.arange(wanted.shape[1], dtype=np.int32)
        held, _, sizes = rows_of(self._owned, similar.indices)
        account, other = numbers_of_ranges(similar.indptr), places_in_ranges(np.diff(similar.indptr))
        account, other = account.repeat(sizes), other.repeat(sizes)
        place = place_of[account, held]
        is_wanted = place >= 0
        has = np.zeros((len(wanted), SIMILAR, wanted.shape[1]), dtype=np.float32)
        has[account[is_wanted], other[is_wanted], place[is_wanted]] = 1
        return has, place_of[line, wanted]


def _accounts_to_compare(strength: csr_matrix) -> NDArray[np.int64]:
    """Return the rows of at most MAX_COMPARED accounts that own something, sorted."""
    total = np.asarray(strength.sum(axis=1)).ravel()
    strongest = np.argsort(-total, kind="stable")[:MAX_COMPARED]
    return np.sort(strongest[total[strongest] > 0])
