"""What the database says of accounts, kept in memory until it says something else."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Final, Generic, TypeVar

Record = TypeVar("Record")

MOST_REMEMBERED: Final = 20_000


class Remembered(Generic[Record]):
    """Records by account, those asked for last, at most so many. Any thread may ask; the tail forgets."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._changes = 0
        self._lock = Lock()

    def get(self, account_id: str, read: Callable[[], Record]) -> Record:
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
                self._records[account_id] = record
                if len(self._records) > self._most:
                    self._records.popitem(last=False)
        return record

    def forget(self, account_ids: Iterable[str]) -> None:
        """Forget some accounts, whose facts changed."""
        with self._lock:
            for account_id in account_ids:
                self._changes += 1
                self._records.pop(account_id, None)

    def forget_all(self) -> None:
        """Forget everything: what is told of all changed."""
        with self._lock:
            self._changes += 1
            self._records.clear()
