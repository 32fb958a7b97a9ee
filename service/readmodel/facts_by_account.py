"""A part of the live state that holds one fact per account."""

from collections.abc import Collection, Iterable, Mapping
from typing import Generic, Self, TypeVar

from service.readmodel.live_state import LiveState

Fact = TypeVar("Fact")


class FactsByAccount(Generic[Fact]):
    """One fact for each account that has any. by_account: read it freely; only ``replace`` writes it."""

    def __init__(self) -> None:
        self.by_account: dict[str, Fact] = {}

    @classmethod
    def empty(cls, _state: LiveState) -> Self:
        """See ``LivePart``."""
        return cls()

    def replace(self, account_ids: Iterable[str], facts: Mapping[str, Fact]) -> None:
        """Store the facts of some accounts; those that have none any more are dropped."""
        self.by_account.update(facts)
        for account_id in set(account_ids) - facts.keys():
            self.by_account.pop(account_id, None)

    def account_ids(self) -> Iterable[str]:
        """See ``AccountPart``."""
        return tuple(self.by_account)

    def erase(self, account_ids: Collection[str], _rows: Collection[int]) -> None:
        """See ``AccountPart``."""
        for account_id in account_ids:
            self.by_account.pop(account_id, None)
