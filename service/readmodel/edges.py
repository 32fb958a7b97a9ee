"""Relationships as arrays: followed for many accounts at once."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW


class Owned:
    """What some accounts own.

    accounts, products: (N,), the place of an account among them and a product row, ascending in both.
    """

    def __init__(
        self, offsets: NDArray[np.int64], products: NDArray[np.int32], rows: NDArray[np.int64], n_products: int
    ) -> None:
        """Cut what some accounts own out of what all do. offsets: (A + 1,), into products."""
        self.n_accounts, self.n_products = len(rows), n_products
        self.accounts, places = concatenated(offsets[rows], offsets[rows + 1] - offsets[rows])
        self.products = products[places]
        self._keys = self.accounts * n_products + self.products

    def has(self, accounts: NDArray[np.int64], products: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Tell of pairs, arrays of one shape, whether the account owns the product."""
        if not len(self._keys):
            return np.zeros(np.shape(products), dtype=np.bool_)
        wanted = accounts * self.n_products + products
        return np.asarray(self._keys.take(self._keys.searchsorted(wanted), mode="clip") == wanted)

    def has_any(self, accounts: NDArray[np.int64], products: NDArray[np.int32], edges: "Edges") -> NDArray[np.bool_]:
        """Tell of pairs whether the account owns anything that the edges join to the product."""
        places, others = edges.of(products)
        answer = np.zeros(len(products), dtype=np.bool_)
        answer[places[self.has(accounts[places], others)]] = True
        return answer


class Edges:
    """What is joined to each product. ends, others: int32 (E,), product rows; the order among one end's is kept."""

    def __init__(self, ends: NDArray[np.int32], others: NDArray[np.int32], n_products: int) -> None:
        order = ends.argsort(kind="stable")
        self._order, self._others = order, others[order]
        self._starts = ends[order].searchsorted(np.arange(n_products + 1))
        self.has_any = self._starts[1:] > self._starts[:-1]
        """Bool (P,), whether anything is joined to a product."""

    def of(self, products: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return what is joined to products, with the place of the product that each is joined to."""
        places, at = self._found(products)
        return places, self._others[at]

    def numbers_of(self, products: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the numbers of the edges of products, with the place of the product that each belongs to."""
        places, at = self._found(products)
        return places, self._order[at]

    def _found(self, products: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        begins = self._starts[products]
        return concatenated(begins, self._starts[products + 1] - begins)


class Led(NamedTuple):
    """What each account's products lead to, best first, each once; NO_ROW where an account has fewer than K.

    products, sources: int32 (n, K), the upgrades, and the best product that each is one of.
    strengths:         float32 (n, K).
    """

    products: NDArray[np.int32]
    sources: NDArray[np.int32]
    strengths: NDArray[np.float32]


class UpgradeTable:
    """Every upgrade, in the order in which a decision takes those that concern it: people's word first, then strength.

    is_said: bool (E,), whether people say so. strengths: float32 (E,). sources, targets: int32 (E,), product rows.
    """

    def __init__(
        self,
        is_said: NDArray[np.bool_],
        strengths: NDArray[np.float32],
        sources: NDArray[np.int32],
        targets: NDArray[np.int32],
        n_products: int,
    ) -> None:
        order = np.lexsort((sources, targets, -strengths, ~is_said))
        self._sources, self._targets, self._strengths = sources[order], targets[order], strengths[order]
        self._edges = Edges(self._sources, self._targets, n_products)

    def of(self, owned: Owned) -> Led:
        """Return the upgrades of what accounts own."""
        places, ranks = self._edges.numbers_of(owned.products)
        accounts = owned.accounts[places]
        best_first = np.lexsort((ranks, accounts))
        accounts, ranks = accounts[best_first], ranks[best_first]
        # The first of each account's target is its best.
        firsts = np.unique(accounts * owned.n_products + self._targets[ranks], return_index=True)[1]
        firsts.sort()
        return self._padded(accounts[firsts], ranks[firsts], owned.n_accounts)

    def _padded(self, accounts: NDArray[np.int64], ranks: NDArray[np.int64], n_accounts: int) -> Led:
        n_each = np.bincount(accounts, minlength=n_accounts)
        columns = np.arange(len(accounts)) - np.repeat(n_each.cumsum() - n_each, n_each)
        shape = (n_accounts, int(n_each.max(initial=0)))
        products, sources = np.full(shape, NO_ROW, dtype=np.int32), np.full(shape, NO_ROW, dtype=np.int32)
        strengths = np.zeros(shape, dtype=np.float32)
        products[accounts, columns] = self._targets[ranks]
        sources[accounts, columns] = self._sources[ranks]
        strengths[accounts, columns] = self._strengths[ranks]
        return Led(products, sources, strengths)


def concatenated(begins: NDArray[np.int64], lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lay ranges one after the other: return the number of the range of each place, and the place."""
    numbers = np.arange(len(begins)).repeat(lengths)
    offsets: NDArray[np.int64] = begins - lengths.cumsum() + lengths
    return numbers, offsets.repeat(lengths) + np.arange(len(numbers))
