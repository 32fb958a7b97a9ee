"""Contributions of owned products to scores, computed for many accounts at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.ranking.als import AlsScorer
from models.ranking.weights import rows_of

FACTORS_PER_GROUP = 2_000_000


@dataclass(frozen=True)
class Histories:
    """What some accounts own, as a rectangle: shorter histories are padded.

    rows:     int32 (m,), the accounts.
    products: int32 (m, n), 0 where padded.
    is_owned: bool (m, n), False where padded.
    values:   float32 (m, n), the matrix's values, 0 where padded.
    """

    rows: NDArray[np.int32]
    products: NDArray[np.int32]
    is_owned: NDArray[np.bool_]
    values: NDArray[np.float32]


def histories_of(matrix: csr_matrix, rows: NDArray[np.int32]) -> Histories:
    """Lay out some rows of (n_accounts, n_products)."""
    columns, values, sizes = rows_of(matrix, rows)
    is_owned = np.arange(sizes.max(initial=0)) < sizes[:, None]
    products = np.zeros(is_owned.shape, dtype=np.int32)
    products[is_owned] = columns
    padded = np.zeros(is_owned.shape, dtype=np.float32)
    padded[is_owned] = values
    return Histories(rows, products, is_owned, padded)


def alike_groups(sizes: NDArray[np.int32], factors: int) -> Iterator[NDArray[np.intp]]:
    """Group accounts by the length of their history, so that little is padded; positions into ``sizes``.

    A group's factors, (m, n, factors), stay within a few megabytes.
    """
    order = np.argsort(sizes, kind="stable")
    begin = 0
    while begin < len(order):
        end = len(order)
        while end - begin > 1 and (end - begin) * max(int(sizes[order[end - 1]]), 1) * factors > FACTORS_PER_GROUP:
            end = begin + (end - begin) // 2
        yield order[begin:end]
        begin = end


class ExplainedAls:
    """ALS, with its scores split over the owned products: ``y_j' W_u y_i c_ui``, ``W_u = (Y' C_u Y + lambda I)^-1``.

    What the split needs is computed when one is first asked for.
    Source: Hu, Koren, Volinsky (ICDM 2008), section 5.
    """

    def __init__(self, scorer: AlsScorer) -> None:
        self.name = scorer.name
        self._scorer = scorer
        self._confidence = scorer.confidence
        self._factors = scorer.product_factors

    def score(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (len(rows), n_products)."""
        return self._scorer.score(rows)

    @cached_property
    def _gram(self) -> NDArray[np.float64]:
        """Float64 (f, f): Y'Y + lambda I."""
        Y = self._factors.astype(np.float64)
        gram: NDArray[np.float64] = Y.T @ Y + self._scorer.regularization * np.eye(Y.shape[1])
        return gram

    @cached_property
    def _solved(self) -> NDArray[np.float32]:
        """Float32 (P, f): each product's factors times the inverse."""
        return np.linalg.solve(self._gram, self._factors.astype(np.float64).T).T.astype(np.float32)

    def contributions(self, rows: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """See AdditiveScorer."""
        candidates = np.maximum(candidates, 0)
        owned = histories_of(self._confidence, rows)
        solve = self._by_products if owned.products.shape[1] < len(self._gram) else self._by_factors
        share: NDArray[np.float32] = solve(owned, candidates) * owned.values[:, None, :]
        return share

    def _by_factors(self, owned: Histories, candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        Y = self._factors[owned.products] * owned.is_owned[..., None]
        inverse_of = self._gram.astype(np.float32) + (Y * (owned.values - 1)[..., None]).transpose(0, 2, 1) @ Y
        solved = np.linalg.solve(inverse_of, self._factors[candidates].transpose(0, 2, 1))
        share: NDArray[np.float32] = (Y @ solved).transpose(0, 2, 1)
        return share

    def _by_products(self, owned: Histories, candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """The same by Woodbury's identity, a system as large as the account's history: most accounts hold little."""
        Y = self._factors[owned.products] * owned.is_owned[..., None]
        solved = self._solved[owned.products] * owned.is_owned[..., None]
        # A padded product has a row and a column of its own, with 1 on the diagonal.
        extra = np.where(owned.is_owned, 1 / np.where(owned.is_owned, owned.values - 1, 1), 1).astype(np.float32)
        system = Y @ solved.transpose(0, 2, 1)
        diagonal = np.arange(system.shape[1])
        system[:, diagonal, diagonal] += extra
        share = np.linalg.solve(system, Y @ self._solved[candidates].transpose(0, 2, 1)) * extra[..., None]
        turned: NDArray[np.float32] = share.transpose(0, 2, 1)
        return turned


def strongest(share: NDArray[np.float32], owned: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Return int32 (m, K, count): the owned products with the largest positive shares, best first, -1 padded.

    share: (m, K, n), which is overwritten. owned: (m, n). Ties go to the earlier product.
    """
    chosen = np.full((*share.shape[:2], count), -1, dtype=np.int32)
    if share.shape[2] == 0:
        return chosen
    account = np.arange(share.shape[0])[:, None]
    for place in range(count):
        best = share.argmax(axis=2)
        value = np.take_along_axis(share, best[..., None], axis=2)
        chosen[..., place] = np.where(value[..., 0] > 0, owned[account, best], -1)
        np.put_along_axis(share, best[..., None], -np.inf, axis=2)
    return chosen
