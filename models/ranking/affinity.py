"""Item-item affinity: a product scores by its links with what the account owns."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.ranking.links import Graph, build_graph, strongest_links
from models.ranking.scorer import Scorer
from models.ranking.settings import RankingParameters
from models.ranking.weights import row_slice, rows_of

DENSE_FROM = 0.05
"""From this share of non-zeros on, the accounts in between are walked as a dense matrix."""

MOST_WALKED = 5_000
"""Up to so many accounts, walking the graph costs less than listing the links of every product."""

LINKS_PER_PRODUCT = 400
"""More links changed no metric on validation windows; fewer than 200 did."""


class AffinityScorer(Scorer, Protocol):
    """Scores by ``sum_i x_ui B_ij``, with x and B as in ``models.ranking.links.Graph``."""

    def contributions(
        self, row: np.int32, owned: NDArray[np.int32], candidates: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Return float32 (len(candidates), len(owned)): x_ui B_ij. ``owned`` is all that the account holds."""


def fit_affinity(strength: csr_matrix, parameters: RankingParameters) -> AffinityScorer:
    """Learn affinities from strengths, float32 (n_accounts, n_products)."""
    graph = build_graph(strength, parameters.account_discount, parameters.product_discount, parameters.least_support)
    if strength.shape[0] <= MOST_WALKED:
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
        owner = np.repeat(np.arange(len(rows)), np.diff(held.indptr))
        scores[owner, held.indices] -= held.data * self.graph.diagonal[held.indices]
        return scores

    def _walk(self, weights: csr_matrix) -> NDArray[np.float32]:
        """Multiply (n, n_accounts) by ``reached`` into a dense float32 result."""
        if weights.nnz < DENSE_FROM * np.prod(weights.shape):
            scores: NDArray[np.float32] = (weights @ self.graph.reached).toarray()
            return scores
        return np.ascontiguousarray((self.holders @ weights.toarray().T).T)

    def contributions(
        self, row: np.int32, owned: NDArray[np.int32], candidates: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """See AffinityScorer."""
        holders = self.holders[candidates]
        board = np.zeros((holders.shape[1], len(candidates)), dtype=np.float32)
        board[holders.indices, np.repeat(np.arange(len(candidates)), np.diff(holders.indptr))] = holders.data
        share: NDArray[np.float32] = (self.graph.owners[owned] @ board).T * row_slice(self.graph.held, row)
        share[candidates[:, None] == owned] = 0
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

    def contributions(
        self, row: np.int32, owned: NDArray[np.int32], candidates: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """See AffinityScorer."""
        columns, values, sizes = rows_of(self.links, owned)
        place = np.full(self.links.shape[1], -1, dtype=np.int16)
        place[candidates] = np.arange(len(candidates))
        at = place[columns]
        found = np.flatnonzero(at >= 0)
        owner = np.repeat(np.arange(len(owned)), sizes)[found]
        share = np.zeros((len(candidates), len(owned)), dtype=np.float32)
        share[at[found], owner] = values[found] * row_slice(self.held, row)[owner]
        return share
