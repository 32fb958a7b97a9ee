"""Item-item affinity: a product scores by its links with what the account owns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.arrays import numbers_of_ranges
from models.ranking.explain import histories_of
from models.ranking.links import Graph, build_graph, strongest_links
from models.ranking.scorer import AdditiveScorer
from models.ranking.settings import RankingParameters
from models.ranking.weights import look_up

DENSE_FROM = 0.05
"""From this share of non-zeros on, the accounts in between are walked as a dense matrix."""

MAX_WALKED = 5_000
"""Up to so many accounts, walking the graph costs less than listing the links of every product."""

LINKS_PER_PRODUCT = 400
"""On Gowalla 400 links rank as well as all of them, 200 a little worse."""


def fit_affinity(strength: csr_matrix, parameters: RankingParameters) -> AdditiveScorer:
    """Learn affinities from strengths, float32 (n_accounts, n_products).

    Scores are ``sum_i x_ui B_ij``, with x and B as in ``models.ranking.links.Graph``.
    """
    graph = build_graph(strength, parameters.account_discount, parameters.product_discount, parameters.min_support)
    if strength.shape[0] <= MAX_WALKED:
        return WalkingAffinity(graph, graph.reached.T.tocsr())
    return ListedAffinity(graph.held, strongest_links(graph, LINKS_PER_PRODUCT))


@dataclass(frozen=True)
class WalkingAffinity:
    """Walks from the account's products to their owners and on to those owners' products; B is never built.

    For few accounts with long histories, where B would be dense.
    holders: (n_products, n_accounts), the transpose of ``graph.reached``.
    """

    graph: Graph
    holders: csr_matrix
    name: str = "affinity"

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (len(rows), n_products)."""
        held = self.graph.held[rows]
        scores = self._walk(held @ self.graph.owners)
        owner = numbers_of_ranges(held.indptr)
        scores[owner, held.indices] -= held.data * self.graph.diagonal[held.indices]
        return scores

    def _walk(self, weights: csr_matrix) -> NDArray[np.float32]:
        """Multiply (n, n_accounts) by ``reached`` into a dense float32 result."""
        if weights.nnz < DENSE_FROM * np.prod(weights.shape):
            scores: NDArray[np.float32] = (weights @ self.graph.reached).toarray()
            return scores
        return np.ascontiguousarray((self.holders @ weights.toarray().T).T)

    def contributions(self, rows: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """See AdditiveScorer: x_ui B_ij."""
        owned = histories_of(self.graph.held, rows)
        share = np.zeros((*candidates.shape, owned.products.shape[1]), dtype=np.float32)
        for account, wanted in enumerate(np.maximum(candidates, 0)):
            holders = self.holders[wanted]
            columns = np.zeros((holders.shape[1], len(wanted)), dtype=np.float32)
            columns[holders.indices, numbers_of_ranges(holders.indptr)] = holders.data
            share[account] = (self.graph.owners[owned.products[account]] @ columns).T * owned.values[account]
        share[candidates[..., None] == owned.products[:, None, :]] = 0
        return share


@dataclass(frozen=True)
class ListedAffinity:
    """Looks up the strongest links of each product, which were listed once: for many accounts.

    held:  (n_accounts, n_products), x_ui.
    links: (n_products, n_products), the largest entries of each row of B.
    """

    held: csr_matrix
    links: csr_matrix
    name: str = "affinity"

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (len(rows), n_products)."""
        scores: NDArray[np.float32] = (self.held[rows] @ self.links).toarray()
        return scores

    def contributions(self, rows: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """See AdditiveScorer: x_ui B_ij."""
        owned = histories_of(self.held, rows)
        account, position = np.nonzero(owned.is_owned)
        sources = owned.products[account, position]
        strengths = look_up(self.links, sources[:, None], candidates[account])
        share = np.zeros((*candidates.shape, owned.products.shape[1]), dtype=np.float32)
        share[account, :, position] = strengths * owned.values[account, position][:, None]
        return share
