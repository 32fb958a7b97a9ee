"""Every API key, in memory: checking one costs no query, and goes on while the database is down."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from service.auth.errors import KeyInvalid
from service.auth.keys import Principal, StoredKey, parse_key
from service.base.errors import DatabaseUnavailable

LoadKeys = Callable[[], dict[str, StoredKey]]

REFRESH_GAP_SECONDS = 0.2
"""However many unknown keys are tried, the database is asked no more often than this."""

MAX_WAIT_SECONDS = 2.0


class KeyRing:
    """Finds the principal of a presented key. origins: those that any live key is bound to.

    A key that is not in memory may have been made a moment ago: callers who bring one wait for the next refresh,
    which they share.
    """

    def __init__(self, load: LoadKeys, now: Callable[[], datetime], stale_after_seconds: float) -> None:
        self._load = load
        self._now = now
        self._stale_after_seconds = stale_after_seconds
        self._lock = threading.Lock()
        self._keys: dict[str, StoredKey] = {}
        self._opened: dict[str, StoredKey] = {}
        self.origins: frozenset[bytes] = frozenset()
        self._refreshed_at = self._answered_at = float("-inf")
        self._refreshing: asyncio.Task[None] | None = None

    def load(self) -> None:
        """Read every key. Blocks: for start-up, and for the thread that refreshes."""
        # One at a time, or a slow reader would put back what a later one found changed.
        with self._lock:
            self._refreshed_at = time.monotonic()
            # The new dictionary of opened keys last, or a key that was just revoked could get into it.
            self._keys, self._opened = self._load(), {}
            self.origins = frozenset(origin for key in self._live_keys() for origin in key.principal.origins)
            self._answered_at = time.monotonic()

    def _live_keys(self) -> Iterator[StoredKey]:
        now = self._now()
        return (key for key in self._keys.values() if key.stands(now))

    @property
    def is_fresh(self) -> bool:
        """Tell whether the database answered recently."""
        return time.monotonic() - self._answered_at < self._stale_after_seconds

    async def refresh(self) -> None:
        """Read every key in a thread."""
        await asyncio.to_thread(self.load)

    async def authenticate(self, presented: str) -> Principal:
        """Return who holds the key; raises KeyInvalid, or DatabaseUnavailable where only the database could tell.

        A key that was found right is known again until the keys are read anew; whether it still stands is asked anew.
        """
        principal = self.known(presented)
        if principal is not None:
            return principal
        known = self._opened
        parsed = parse_key(presented)
        if parsed is None:
            raise KeyInvalid
        key_id, secret = parsed
        key = self._keys.get(key_id) or await self._find_new(key_id)
        if key is None or not key.opens_with(secret, self._now()):
            raise KeyInvalid
        known[presented] = key
        return key.principal

    def known(self, presented: str) -> Principal | None:
        """Return who holds a key that was found right since the keys were last read, and that still stands."""
        opened = self._opened.get(presented)
        return opened.principal if opened is not None and opened.stands(self._now()) else None

    def pending(self) -> list[asyncio.Task[None]]:
        """The refresh that still runs, if any: it is waited for when the service stops."""
        return [self._refreshing] if self._refreshing and not self._refreshing.done() else []

    async def _find_new(self, key_id: str) -> StoredKey | None:
        # A refresh that is under way may have read the keys before this one was made: then the next one tells.
        for _ in range(1 + len(self.pending())):
            await self._wait_for_refresh()
            if key_id in self._keys:
                break
        return self._keys.get(key_id)

    async def _wait_for_refresh(self) -> None:
        if not self.pending():
            self._refreshing = asyncio.create_task(self._refresh_after_gap())
        refreshing = self._refreshing
        assert refreshing is not None  # noqa: S101 - made just above
        await asyncio.wait([refreshing], timeout=MAX_WAIT_SECONDS)
        if not refreshing.done() or refreshing.cancelled() or refreshing.exception():
            raise DatabaseUnavailable

    async def _refresh_after_gap(self) -> None:
        await asyncio.sleep(max(0.0, self._refreshed_at + REFRESH_GAP_SECONDS - time.monotonic()))
        await self.refresh()
