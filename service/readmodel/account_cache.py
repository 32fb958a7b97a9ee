"""What the database says of accounts, kept in memory until it says something else."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Final

MAX_BYTES: Final = 64 * 1024 * 1024


class AccountCache:
    """Encoded records by account, those asked for last, at most so many bytes. Any thread may ask; the tail forgets."""

    def __init__(self, most_bytes: int = MAX_BYTES) -> None:
        self._most_bytes = most_bytes
        self._n_bytes = 0
        self._records: OrderedDict[str, bytes] = OrderedDict()
        self._changes = 0
        self._lock = Lock()

    def get(self, account_id: str, read: Callable[[], bytes]) -> bytes:
        """Return a record, read unless it is remembered. What was read while anything changed is not kept."""
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
                while self._n_bytes > self._most_bytes:
                    self._drop(next(iter(self._records)))
        return record

    def forget(self, account_ids: Iterable[str]) -> None:
        """Forget some accounts, whose facts changed."""
        with self._lock:
            for account_id in account_ids:
                self._changes += 1
                self._drop(account_id)

    def forget_all(self) -> None:
        """Forget everything: what is told of all changed."""
        with self._lock:
            self._changes += 1
            self._records.clear()
            self._n_bytes = 0

    def _drop(self, account_id: str) -> None:
        self._n_bytes -= len(self._records.pop(account_id, b""))
