"""Which accounts object to marketing."""

from collections.abc import Collection, Iterable
from typing import Self

from service.readmodel.live_state import LiveState


class Objections:
    """Every account that objects to marketing, whenever it did: an artifact knows nothing of it."""

    def __init__(self) -> None:
        self.accounts: set[str] = set()

    @classmethod
    def empty(cls, _state: LiveState) -> Self:
        """See ``LivePart``."""
        return cls()

    def replace(self, account_ids: Iterable[str], objecting: set[str]) -> None:
        """Store which of some accounts object now."""
        self.accounts |= objecting
        self.accounts.difference_update(set(account_ids) - objecting)

    def account_ids(self) -> Iterable[str]:
        """See ``AccountPart``."""
        return tuple(self.accounts)

    def erase(self, account_ids: Collection[str], _rows: Collection[int]) -> None:
        """See ``AccountPart``."""
        self.accounts.difference_update(account_ids)
