"""Stored account records, cached until they change."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from threading import Lock
from typing import Final, Self

from service.readmodel.live_state import LiveState

MAX_BYTES: Final = 64 * 1024 * 1024


class AccountCache:
    """Encoded records by account: the least recently used go first. Any thread may ask; the follower forgets."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._n_bytes = 0
        self._records: OrderedDict[str, bytes] = OrderedDict()
        self._changes = 0
        self._lock = Lock()

    @classmethod
    def empty(cls, _state: LiveState) -> Self:
        """See ``LivePart``."""
        return cls()

    def get(self, account_id: str, read: Callable[[], bytes]) -> bytes:
        """Return a record, read unless it is cached. What was read while anything changed is not cached."""
        with self._lock:
            known = self._records.get(account_id)
            if known is not None:
                self._records.move_to_end(account_id)
                return known
            changes = self._changes
        record = read()
        with self._lock:
            if changes == self._changes:
                self._drop(account_id)
                self._records[account_id] = record
                self._n_bytes += len(record)
                while self._n_bytes > self._max_bytes:
                    self._drop(next(iter(self._records)))
        return record

    def forget(self, account_ids: Iterable[str]) -> None:
        """Forget the records of some accounts, whose facts changed."""
        with self._lock:
            for account_id in account_ids:
                self._changes += 1
                self._drop(account_id)

    def forget_all(self) -> None:
        """Forget every record."""
        with self._lock:
            self._changes += 1
            self._records.clear()
            self._n_bytes = 0

    def account_ids(self) -> Iterable[str]:
        """See ``AccountPart``."""
        with self._lock:
            return tuple(self._records)

    def erase(self, _account_ids: Collection[str], _rows: Collection[int]) -> None:
        """See ``AccountPart``. A record that is being read right now is not cached either."""
        self.forget_all()

    def _drop(self, account_id: str) -> None:
        self._n_bytes -= len(self._records.pop(account_id, b""))
