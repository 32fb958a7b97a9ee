"""Parents and subsidiaries of accounts, in memory."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from service.readmodel.live_state import LiveState
from service.readmodel.visible_accounts import VisibleAccounts

MAX_LEVELS: Final = 8
"""Of accounts in one hierarchy; the topmost account is the first."""
MAX_STRANGERS: Final = 200_000
"""Accounts in hierarchies that the artifact does not know. What would take more is left out."""
MIN_GONE: Final = 1_000
"""Numbers of strangers that are gone: from here on they are given anew where they are most of all."""
NO_NODE: Final = -1
Nodes = NDArray[np.int32]


@dataclass(frozen=True)
class Hierarchy:
    """The hierarchy at one time; nothing in it is ever changed. An account is a *node*, by its number.

    The artifact's accounts have their rows as numbers. The others, *strangers*, follow: those that are linked.

    numbers:  of strangers. strangers: their identifiers in the order of their numbers; empty where one is gone.
    stored:   int32 (n,), each node's parent as it is stored, or NO_NODE.
    parents:  int32 (n,), the same without what makes a cycle or more than MAX_LEVELS levels.
    children: int32 (k,), the nodes that have a parent, ordered by it. starts: int32 (k,), these parents.
    is_complete: whether every link had room.
    """

    accounts: VisibleAccounts
    numbers: Mapping[str, int]
    strangers: Sequence[str]
    stored: Nodes
    parents: Nodes
    children: Nodes
    starts: Nodes
    is_complete: bool

    def node_of(self, account_id: str) -> int | None:
        """Return the number of an account; None where it is neither the artifact's nor linked."""
        row = self.accounts.row_of(account_id)
        return self.numbers.get(account_id) if row is None else row

    def nodes_of(self, account_ids: Sequence[str]) -> Nodes:
        """Return the numbers of accounts, int32 (n,); NO_NODE for one that has none."""
        nodes = [self.node_of(account_id) for account_id in account_ids]
        return np.array([NO_NODE if node is None else node for node in nodes], dtype=np.int32)

    def account_of(self, node: int) -> str:
        """Return an account's identifier."""
        n_rows = len(self.accounts)
        return self.accounts.texts[node] if node < n_rows else self.strangers[node - n_rows]

    def parent_of(self, account_id: str) -> str | None:
        """Return an account's parent, if it has one."""
        above = self.ancestors(account_id)
        return above[0] if above else None

    def ancestors(self, account_id: str) -> list[str]:
        """Return the accounts above one, the nearest first."""
        node = self.node_of(account_id)
        return [] if node is None else self.above(node)

    def above(self, node: int) -> list[str]:
        """Return the accounts above a node, the nearest first."""
        above: list[str] = []
        while (node := int(self.parents[node])) != NO_NODE:
            above.append(self.account_of(node))
        return above

    def group(self, account_id: str) -> list[str]:
        """Return an account and all its subsidiaries, level by level."""
        return [account_id, *map(self.account_of, self.group_nodes(account_id)[1:].tolist())]

    def group_nodes(self, account_id: str) -> Nodes:
        """Return the numbers of the same, int32 (k,); none for an account that has no number."""
        nodes = self.nodes_of([account_id])
        return nodes[:0] if nodes[0] == NO_NODE else np.concatenate((nodes, self.nodes_below(nodes)))

    def nodes_below(self, nodes: Nodes) -> Nodes:
        """Return the subsidiaries of accounts on all levels, int32 (k,), level by level; without the accounts."""
        levels = [nodes[:0]]
        while len(nodes):
            begins, ends = self.starts.searchsorted(nodes), self.starts.searchsorted(nodes, side="right")
            ranges = [np.arange(begin, end) for begin, end in zip(begins, ends, strict=True) if begin < end]
            nodes = self.children[np.concatenate(ranges)] if ranges else nodes[:0]
            levels.append(nodes)
        return np.concatenate(levels)

    def links(self) -> Iterator[tuple[str, str]]:
        """Yield every linked account with its parent."""
        for node in np.flatnonzero(self.stored != NO_NODE).tolist():
            yield self.account_of(node), self.account_of(int(self.stored[node]))


class AccountHierarchy:
    """The hierarchy as it is now. It has one writer and many readers; a change puts another one in its place."""

    def __init__(self, accounts: VisibleAccounts, max_strangers: int = MAX_STRANGERS) -> None:
        self._max_strangers = max_strangers
        self.now = _unlinked(accounts)
        self._left: set[str] = set()

    @classmethod
    def empty(cls, state: LiveState) -> Self:
        """See ``LivePart``."""
        return cls(state.accounts)

    def replace(self, account_ids: Iterable[str], parents: Mapping[str, str]) -> set[str]:
        """Store the parents of some accounts; those without one have none any more. Return whose changed."""
        if (self.now.stored != NO_NODE).any():
            before = {account_id: self._stored_parent(account_id) for account_id in {*account_ids, *parents}}
            changed = {account_id for account_id, parent in before.items() if parents.get(account_id) != parent}
            self._left.update(above for account_id in changed for above in self.now.ancestors(account_id))
        else:
            changed = set(parents)
        if changed:
            self._link({account_id: parents.get(account_id) for account_id in sorted(changed)})
        return changed

    def take_left(self) -> set[str]:
        """Return the accounts that were above others whose parent changed, or that were erased, since the last call."""
        left, self._left = self._left, set()
        return left

    def account_ids(self) -> Iterable[str]:
        """See ``AccountPart``."""
        return tuple(self.now.numbers)

    def erase(self, account_ids: Collection[str], rows: Collection[int]) -> None:
        """See ``AccountPart``. An erased account is nobody's parent."""
        numbers = {self.now.numbers[each] for each in account_ids if each in self.now.numbers}
        nodes = np.array(sorted(numbers.union(rows)), dtype=np.int32)
        if np.isin(nodes, self.now.stored).any() or (self.now.stored[nodes] != NO_NODE).any():
            self._left.update(above for node in nodes.tolist() for above in self.now.above(node))
            self._left.difference_update(account_ids)
            draft = _Draft(self.now, self._max_strangers)
            draft.unlink(nodes)
            self.now = draft.finish()

    def _link(self, parents: Mapping[str, str | None]) -> None:
        now = self.now
        if len(now.strangers) > 2 * len(now.numbers) + MIN_GONE:
            parents, now = {**dict(now.links()), **parents}, _unlinked(now.accounts)
        draft = _Draft(now, self._max_strangers)
        for account_id, parent_id in parents.items():
            draft.link(account_id, parent_id)
        self.now = draft.finish()

    def _stored_parent(self, account_id: str) -> str | None:
        node = self.now.node_of(account_id)
        parent = NO_NODE if node is None else int(self.now.stored[node])
        return None if parent == NO_NODE else self.now.account_of(parent)


def _unlinked(accounts: VisibleAccounts) -> Hierarchy:
    none = np.empty(0, dtype=np.int32)
    stored = np.full(len(accounts), NO_NODE, dtype=np.int32)
    return Hierarchy(accounts, {}, (), stored, stored, none, none, is_complete=True)


class _Draft:
    """The next hierarchy, while it is made."""

    def __init__(self, before: Hierarchy, max_strangers: int) -> None:
        self._before = before
        self._max_strangers = max_strangers
        self._numbers = dict(before.numbers)
        self._strangers = list(before.strangers)
        self._links: dict[int, int] = {}
        self._is_complete = before.is_complete

    def link(self, account_id: str, parent_id: str | None) -> None:
        """Give an account a parent, or none."""
        node = self._node(account_id) if parent_id is not None else self._known_node(account_id)
        parent = NO_NODE if parent_id is None else self._node(parent_id)
        if node is None or parent is None:
            self._is_complete = self._is_complete and parent_id is None
        if node is not None:
            self._links[node] = NO_NODE if parent is None else parent

    def unlink(self, nodes: Nodes) -> None:
        """Take accounts out, as parents and as subsidiaries."""
        children = np.flatnonzero(np.isin(self._before.stored, nodes))
        self._links |= dict.fromkeys([*nodes.tolist(), *children.tolist()], NO_NODE)

    def finish(self) -> Hierarchy:
        """Return what has come of it."""
        n_rows = len(self._before.accounts)
        stored = np.full(n_rows + len(self._strangers), NO_NODE, dtype=np.int32)
        stored[: len(self._before.stored)] = self._before.stored
        stored[list(self._links)] = list(self._links.values())
        is_linked = stored != NO_NODE
        is_linked[stored[is_linked]] = True
        for account_id, node in tuple(self._numbers.items()):
            if not is_linked[node]:
                del self._numbers[account_id]
                self._strangers[node - n_rows] = ""
        return self._arranged(stored)

    def _arranged(self, stored: Nodes) -> Hierarchy:
        parents = without_excess(stored)
        linked = np.flatnonzero(parents != NO_NODE)
        children = linked[np.argsort(parents[linked], kind="stable")].astype(np.int32)
        return Hierarchy(
            self._before.accounts,
            self._numbers,
            self._strangers,
            stored,
            parents,
            children,
            parents[children],
            self._is_complete,
        )

    def _known_node(self, account_id: str) -> int | None:
        row = self._before.accounts.row_of(account_id)
        return self._numbers.get(account_id) if row is None else row

    def _node(self, account_id: str) -> int | None:
        """Return the number of an account, a new one if need be; None where there is no room."""
        node = self._known_node(account_id)
        if node is None and len(self._strangers) < self._max_strangers:
            node = self._numbers[account_id] = len(self._before.accounts) + len(self._strangers)
            self._strangers.append(account_id)
        return node


def without_excess(stored: Nodes) -> Nodes:
    """Return parents without what makes a cycle or more than MAX_LEVELS levels. int32 (n,), a node's parent or NO_NODE.

    Neither can be stored any more; a database may hold some from before.
    """
    linked = np.flatnonzero(stored != NO_NODE)
    above = stored[linked]
    for _ in range(MAX_LEVELS - 1):
        above = np.where(above == NO_NODE, NO_NODE, stored[above])
    parents = stored.copy()
    parents[linked[above != NO_NODE]] = NO_NODE
    return parents
