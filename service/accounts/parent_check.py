"""Checks that the parents of accounts make no cycle, and no hierarchy of too many levels."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, Protocol

from service.accounts.schemas import AccountIn
from service.readmodel.account_hierarchy import MAX_LEVELS
from service.rows.chunks import RowError
from service.rows.validation import RowErrors

FIELD: Final = "parent_account_id"
_ADVICE: Final = "leave it out, or change the parents of these accounts first"


class Lookup(Protocol):
    """Reads the stored hierarchy."""

    def parents(self, account_ids: Iterable[str]) -> dict[str, str]:
        """Return the parents of those of some accounts that have one."""

    def children(self, account_ids: Iterable[str]) -> dict[str, list[str]]:
        """Return the accounts whose parent is one of some accounts, by parent."""


class ParentCheck:
    """Judges rows in their order: each with those before it already in force.

    changed: the accounts that accepted rows gave another parent, or none.
    """

    def __init__(self) -> None:
        self.changed: set[str] = set()
        self._parents: dict[str, str | None] = {}
        self._stored_children: dict[str, list[str]] = {}
        self._new_children: dict[str, list[str]] = defaultdict(list)

    def refuse(self, rows: Mapping[int, AccountIn], lookup: Lookup) -> RowErrors:
        """Return the errors of rows whose parent would make a cycle or too many levels, by index."""
        rows = {index: row for index, row in rows.items() if FIELD in row.model_fields_set}
        self._load_parents({row.account_id for row in rows.values()}.union(*map(_parent_of, rows.values())), lookup)
        moved = {row.account_id for row in rows.values() if row.parent_account_id != self._parents[row.account_id]}
        self._load_children(moved, lookup)
        errors: RowErrors = {}
        for index, row in rows.items():
            fault = self._fault(row.account_id, row.parent_account_id)
            if fault:
                errors[index] = (RowError(FIELD, fault),)
            elif row.parent_account_id != self._parents[row.account_id]:
                self._accept(row.account_id, row.parent_account_id)
        return errors

    def _accept(self, account_id: str, parent_id: str | None) -> None:
        self._parents[account_id] = parent_id
        self.changed.add(account_id)
        if parent_id is not None:
            self._new_children[parent_id].append(account_id)

    def _fault(self, account_id: str, parent_id: str | None) -> str | None:
        # What is stored is no fault of this row.
        if parent_id is None or parent_id == self._parents[account_id]:
            return None
        path: list[str] = [account_id]
        link: str | None = parent_id
        while link is not None and link not in path:
            path.append(link)
            link = self._parents[link]
        if link == account_id:
            what = "is the account itself" if len(path) == 1 else f"makes a cycle: {_shown([*path, account_id])}"
            return f"{what}; {_ADVICE}"
        levels = len(path) - 1 + self._levels_from(account_id)
        if levels > MAX_LEVELS:
            return f"makes {levels} levels of accounts, where {MAX_LEVELS} are allowed: {_shown(path)}; {_ADVICE}"
        return None

    def _levels_from(self, account_id: str) -> int:
        """Return how many levels an account and its subsidiaries take."""
        levels, level, seen = 0, {account_id}, {account_id}
        while level:
            levels += 1
            level = {child for each in level for child in self._children_of(each)} - seen
            seen |= level
        return levels

    def _children_of(self, account_id: str) -> list[str]:
        known = (*self._stored_children.get(account_id, ()), *self._new_children.get(account_id, ()))
        return [child for child in known if self._parents[child] == account_id]

    def _load_parents(self, account_ids: set[str], lookup: Lookup) -> None:
        """Read the parents of accounts, and of all above them."""
        while missing := account_ids - self._parents.keys():
            stored = lookup.parents(missing)
            self._parents |= {account_id: stored.get(account_id) for account_id in missing}
            account_ids = set(stored.values())

    def _load_children(self, account_ids: set[str], lookup: Lookup) -> None:
        """Read the subsidiaries of accounts, on all levels."""
        level, seen = account_ids, set(account_ids)
        while level:
            if missing := level - self._stored_children.keys():
                stored = lookup.children(missing)
                self._stored_children |= {account_id: stored.get(account_id, []) for account_id in missing}
                for parent_id, children in stored.items():
                    # Rows that were accepted before may have moved some of them.
                    self._parents |= {child: parent_id for child in children if child not in self._parents}
            level = {child for each in level for child in self._children_of(each)} - seen
            seen |= level


def fault_in(parents: Mapping[str, str], changed: AbstractSet[str]) -> str | None:
    """Return the first cycle, or hierarchy of too many levels, that any of some accounts is part of.

    parents: of all accounts that have one.
    """
    for account_id in parents:
        path, link = [account_id], parents.get(account_id)
        while link is not None and link not in path and len(path) <= MAX_LEVELS:
            path.append(link)
            link = parents.get(link)
        if (link is not None or len(path) > MAX_LEVELS) and any(each in changed for each in path):
            return _shown(path if link is None else [*path, link])
    return None


def sets_parent(rows: Iterable[AccountIn]) -> bool:
    """Tell whether any row names a parent: others can make neither a cycle nor a level."""
    return any(row.parent_account_id is not None for row in rows)


def _parent_of(row: AccountIn) -> tuple[str, ...]:
    return () if row.parent_account_id is None else (row.parent_account_id,)


def _shown(path: list[str]) -> str:
    return " → ".join(path)
