"""The rules of ``rules``, for the candidates of many accounts at once: they must say the same."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.artifact import NO_ROW
from service.offers.reasons import WithheldCode
from service.readmodel.edges import Edges, Owned
from service.readmodel.product_index import ProductIndex

MAY_BE_OFFERED: Final = 0
NOT_THERE: Final = -1


class Pairs(NamedTuple):
    """Candidates and whom they are for. excluded, owned: what the request excludes, and what the accounts own.

    accounts, products: (n,), the place of an account among those that are decided for, and a product row.
    """

    shelf: ProductIndex
    excluded: NDArray[np.int32]
    owned: Owned
    accounts: NDArray[np.int64]
    products: NDArray[np.int32]

    def are_joined(self, edges: Edges) -> NDArray[np.bool_]:
        """Tell whether the account owns anything that edges join to the product."""
        return self.owned.has_any(self.accounts, self.products, edges)


RuleForMany = Callable[[Pairs], NDArray[np.bool_]]

RULES_FOR_MANY: Final[tuple[tuple[WithheldCode, RuleForMany], ...]] = (
    (WithheldCode.EXCLUDED, lambda pairs: np.isin(pairs.products, pairs.excluded)),
    (WithheldCode.OWNED, lambda pairs: pairs.owned.has(pairs.accounts, pairs.products)),
    (WithheldCode.INACTIVE, lambda pairs: ~pairs.shelf.is_active[pairs.products]),
    (WithheldCode.BANNED, lambda pairs: pairs.are_joined(pairs.shelf.links.bans)),
    (WithheldCode.SUBSTITUTE, lambda pairs: pairs.are_joined(pairs.shelf.links.substitutes)),
    (
        WithheldCode.WITHOUT_MAIN,
        lambda pairs: pairs.shelf.links.mains.has_any[pairs.products] & ~pairs.are_joined(pairs.shelf.links.mains),
    ),
)
"""All but the rules of baskets, and of tiers, which change with the live catalogue."""


def first_objections(
    shelf: ProductIndex, excluded: NDArray[np.int32], owned: Owned, products: NDArray[np.int32]
) -> NDArray[np.int8]:
    """Return for each candidate the number of the first rule that objects, counted from 1.

    products: (n, K), those of each account in a row. Where none objects it is MAY_BE_OFFERED, for NO_ROW NOT_THERE.
    """
    answer = np.where(products == NO_ROW, NOT_THERE, MAY_BE_OFFERED).astype(np.int8)
    for number, (_, objects) in enumerate(RULES_FOR_MANY, 1):
        accounts, columns = (answer == MAY_BE_OFFERED).nonzero()
        objected = objects(Pairs(shelf, excluded, owned, accounts, products[accounts, columns]))
        answer[accounts[objected], columns[objected]] = number
    return answer
