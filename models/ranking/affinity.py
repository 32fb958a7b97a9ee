"""Item-item affinity: products that the same accounts hold, with busy accounts and popular products discounted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.ranking.settings import RankingParameters
from models.ranking.weights import scale_columns, scale_rows

DENSE_FROM = 0.05
"""From this share of non-zeros on, the accounts in between are walked as a dense matrix."""


@dataclass(frozen=True)
class AffinityScorer:
    """Scores a product by its affinity with what the account owns: ``sum_i x_ui B_ij``, with

        ``B_ij = d_i^-p * sum_v(x_vi d_v^-a x_vj) * d_j^-p`` for i != j, and B_jj = 0,

    x being strength capped at 1, d sums of it over a row or a column, a and p the discounts. This is the linear filter
    of a normalised graph of accounts and products (Shen et al., CIKM 2021, GF-CF), recency weighted. B is never
    built: it would be dense. Scores walk from the account's products to their owners and on to those owners' products.

    given:     (n_accounts, n_products), x_ui d_i^-p.
    owners:    (n_products, n_accounts), x_vi d_v^-a.
    reached:   (n_accounts, n_products), x_vj d_j^-p.
    discount:  float32 (n_products,), d_j^-p.
    diagonal:  float32 (n_products,), sum_v(x_vj d_v^-a x_vj) d_j^-p: what a product would give itself.
    """

    given: csr_matrix
    owners: csr_matrix
    reached: csr_matrix
    discount: NDArray[np.float32]
    diagonal: NDArray[np.float32]
    name: str = "affinity"

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (len(rows), n_products)."""
        given = self.given[rows]
        scores = _walk(given @ self.owners, self.reached)
        owner = np.repeat(np.arange(len(rows)), np.diff(given.indptr))
        scores[owner, given.indices] -= given.data * self.diagonal[given.indices]
        return scores


def fit_affinity(strength: csr_matrix, parameters: RankingParameters) -> AffinityScorer:
    """Learn affinities from strengths, float32 (n_accounts, n_products)."""
    held = csr_matrix((np.minimum(strength.data, 1), strength.indices, strength.indptr), strength.shape)
    account = _discount(held.sum(axis=1), parameters.account_discount, parameters.least_support)
    product = _discount(held.sum(axis=0), parameters.product_discount, parameters.least_support)
    given = scale_columns(held, product)
    shared = scale_rows(held, account)
    diagonal = np.bincount(held.indices, shared.data * given.data, held.shape[1]).astype(np.float32)
    return AffinityScorer(given, shared.T.tocsr(), given, product, diagonal)


def _discount(sums: NDArray[np.float32], power: float, least: float) -> NDArray[np.float32]:
    totals = np.maximum(np.asarray(sums, dtype=np.float64).ravel(), least)
    return (totals**-power).astype(np.float32)


def _walk(weights: csr_matrix, reached: csr_matrix) -> NDArray[np.float32]:
    """Multiply (n, n_accounts) by (n_accounts, n_products) into a dense float32 result."""
    if weights.nnz < DENSE_FROM * np.prod(weights.shape):
        scores: NDArray[np.float32] = (weights @ reached).toarray()
        return scores
    return np.ascontiguousarray((reached.T @ weights.toarray().T).T)
