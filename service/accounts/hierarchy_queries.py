"""Reads the hierarchy of accounts from their table."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from sqlalchemy import Connection, select

from service.accounts.tables import Account
from service.readmodel.account_hierarchy import MAX_LEVELS
from service.storage.bulk import in_chunks


class StoredHierarchy:
    """Reads the hierarchy from the table of accounts. Implements ``Lookup``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def parents(self, account_ids: Iterable[str]) -> dict[str, str]:
        """See ``Lookup.parents``."""
        return read_parents(self._connection, sorted(account_ids))

    def children(self, account_ids: Iterable[str]) -> dict[str, list[str]]:
        """See ``Lookup.children``."""
        query = select(Account.account_id, Account.parent_account_id)
        children: dict[str, list[str]] = defaultdict(list)
        for chunk in in_chunks(sorted(account_ids)):
            for account_id, parent_id in self._connection.execute(query.where(Account.parent_account_id.in_(chunk))):
                children[str(parent_id)].append(account_id)
        return children


def stored_group(connection: Connection, account_id: str) -> list[str]:
    """Return an account and all its subsidiaries, level by level: for while they are not in memory."""
    hierarchy, group, level = StoredHierarchy(connection), {account_id: None}, [account_id]
    for _ in range(MAX_LEVELS - 1):
        children = hierarchy.children(level)
        level = [child for each in level for child in children.get(each, ()) if child not in group]
        group |= dict.fromkeys(level)
    return list(group)


def read_parents(connection: Connection, account_ids: Collection[str] | None = None) -> dict[str, str]:
    """Return the parents of those of some accounts, or of all, that have one."""
    query = select(Account.account_id, Account.parent_account_id).where(Account.parent_account_id.is_not(None))
    if account_ids is None:
        return {account_id: str(parent_id) for account_id, parent_id in connection.execute(query)}
    return {
        account_id: str(parent_id)
        for chunk in in_chunks(list(account_ids))
        for account_id, parent_id in connection.execute(query.where(Account.account_id.in_(chunk)))
    }
