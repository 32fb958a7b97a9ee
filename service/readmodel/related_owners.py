"""What accounts above and below some accounts own, for policies that ask for it."""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from models.arrays import concatenate_ranges
from service.readmodel.account_hierarchy import NO_NODE, AccountHierarchy, Hierarchy, Nodes
from service.readmodel.live_state import LiveState
from service.readmodel.ownership import Ownership
from service.readmodel.profiles import UNKNOWN_ROW, Profiles

Relation = Literal["parent", "group"]
PARENT: Final[Relation] = "parent"
GROUP: Final[Relation] = "group"
Pairs = tuple[NDArray[np.int64], Nodes]
"""Int64 (m,), places among n accounts, and int32 (m,), the nodes that are related to each."""


class RelatedOwners:
    """The ownership of accounts that are related to n others: of those above them, or of their subsidiaries.

    nodes: int32 (n,), the accounts; NO_NODE for one that has neither.
    """

    def __init__(self, state: LiveState, hierarchy: Hierarchy, nodes: Nodes, relation: Relation) -> None:
        by_account = state.part(Ownership).by_account
        related_nodes = nodes_above if relation == PARENT else nodes_below
        self._n = len(nodes)
        self._account, related = related_nodes(hierarchy, nodes)
        distinct, self._place = np.unique(related, return_inverse=True)
        live = {
            place: state_of.owned
            for place, node in enumerate(distinct.tolist())
            if (state_of := by_account.get(hierarchy.account_of(node))) is not None
        }
        rows = np.where(distinct < len(hierarchy.accounts), distinct, UNKNOWN_ROW).astype(np.int64)
        self._profiles = Profiles(state.content, 0, rows, live, np.zeros(len(rows), dtype=np.bool_), ())

    def owns(self, kind: str, names: Sequence[str]) -> NDArray[np.bool_]:
        """Return bool (n,): the accounts to which one is related that owns any of the named; see ``Columns.owns``."""
        is_owner = np.zeros(self._n, dtype=np.bool_)
        is_owner[self._account[self._profiles.owns(kind, names)[self._place]]] = True
        return is_owner


def nodes_above(hierarchy: Hierarchy, nodes: Nodes) -> Pairs:
    """Return the accounts above each of some accounts, on all levels."""
    account = np.flatnonzero(nodes != NO_NODE)
    above, accounts, related = nodes[account], [account[:0]], [nodes[:0]]
    while len(account):
        above = hierarchy.parents[above]
        account, above = account[above != NO_NODE], above[above != NO_NODE]
        accounts.append(account)
        related.append(above)
    return np.concatenate(accounts), np.concatenate(related)


def nodes_below(hierarchy: Hierarchy, nodes: Nodes) -> Pairs:
    """Return the subsidiaries of each of some accounts, on all levels."""
    account = np.flatnonzero(nodes != NO_NODE)
    below, accounts, related = nodes[account], [account[:0]], [nodes[:0]]
    while len(account):
        begins = hierarchy.starts.searchsorted(below)
        lengths = hierarchy.starts.searchsorted(below, side="right") - begins
        numbers, places = concatenate_ranges(begins, lengths)
        account, below = account[numbers], hierarchy.children[places]
        accounts.append(account)
        related.append(below)
    return np.concatenate(accounts), np.concatenate(related)


def accounts_concerned(state: LiveState, account_ids: Sequence[str], relations: set[Relation]) -> set[str]:
    """Return the accounts whose related accounts are among some: those that policies must be worked out anew for."""
    hierarchy = state.part(AccountHierarchy).now
    nodes = hierarchy.nodes_of(account_ids)
    concerned = [nodes[:0]]
    if PARENT in relations:
        concerned.append(nodes_below(hierarchy, nodes)[1])
    if GROUP in relations:
        concerned.append(nodes_above(hierarchy, nodes)[1])
    return set(map(hierarchy.account_of, np.unique(np.concatenate(concerned)).tolist()))
