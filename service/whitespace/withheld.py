"""White space of which policies withhold every product."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.artifact.groups import NO_GROUP
from service.readmodel.catalogue_view import CatalogueView
from service.readmodel.listed_policies import ListedPolicies, offerable_products
from service.readmodel.live_state import LiveState
from service.readmodel.policy_products import NO_POLICY
from service.readmodel.whitespace import WhitespaceDimension

MIN_BLOCK: Final = 1024
MAX_BLOCK: Final = 65_536
"""Accounts whose policies are looked up together: the first page needs few."""


def products_of(dimension: WhitespaceDimension, state: LiveState, position: int) -> NDArray[np.int64]:
    """Return int64 (m,): the products of a row that may be offered at all, by their rows in the artifact."""
    is_offerable = state.part(CatalogueView).products.is_offerable
    return np.flatnonzero(is_offerable & (dimension.demand.groups.of_product == position))


def offerable_ranks(
    ranks: NDArray[np.int64], ranked: NDArray[np.int32], policies: ListedPolicies, products: NDArray[np.int64]
) -> Iterator[int]:
    """Yield those of some ranks whose accounts may be offered any of some products. ranked: accounts, by rank."""
    begin, size = 0, MIN_BLOCK
    while begin < len(ranks):
        block = ranks[begin : begin + size]
        if policies:
            block = block[policies.withholding(ranked[block], products) == NO_POLICY]
        yield from block.tolist()
        begin, size = begin + size, min(2 * size, MAX_BLOCK)


def withheld_rows(
    dimension: WhitespaceDimension, state: LiveState, policies: ListedPolicies, account_id: str, row: int | None
) -> dict[int, str]:
    """Return the rows of which policies withhold every product from an account, each with the reason."""
    products = offerable_products(state)
    positions = dimension.demand.groups.of_product[products]
    products, positions = products[positions != NO_GROUP], positions[positions != NO_GROUP]
    withholding = policies.withholding_each(account_id, row, products)
    open_positions = set(positions[withholding == NO_POLICY].tolist())
    return {
        position: f"Policies withhold every product of it, such as {policies.policy_ids[place]}."
        for position, place in zip(positions.tolist(), withholding.tolist(), strict=True)
        if position not in open_positions
    }
