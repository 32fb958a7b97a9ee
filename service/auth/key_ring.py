"""Every API key, in memory: checking one costs no query, and goes on while the database is down."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

from service.auth.errors import KeyInvalid
from service.auth.keys import Principal, StoredKey, parse_key

LoadKeys = Callable[[], dict[str, StoredKey]]

REFRESH_GAP_SECONDS = 0.2
"""However many unknown keys are tried, the database is asked no more often than this."""

LONGEST_WAIT_SECONDS = 2.0


class KeyRing:
    """Finds the principal of a presented key.

    A key that is not in memory may have been made a moment ago: callers who bring one wait for the next refresh,
    which they share.
    """

    def __init__(self, load: LoadKeys, now: Callable[[], datetime], stale_after_seconds: float) -> None:
        self._load = load
        self._now = now
        self._stale_after_seconds = stale_after_seconds
        self._keys: dict[str, StoredKey] = {}
        self._refreshed_at = self._answered_at = float("-inf")
        self._refreshing: asyncio.Task[None] | None = None

    def load(self) -> None:
        """Read every key. Blocks: for start-up, and for the thread that refreshes."""
        self._refreshed_at = time.monotonic()
        self._keys = self._load()
        self._answered_at = time.monotonic()

    @property
    def is_fresh(self) -> bool:
        """Tell whether the database answered of late."""
        return time.monotonic() - self._answered_at < self._stale_after_seconds

    async def refresh(self) -> None:
        """Read every key in a thread."""
        await asyncio.to_thread(self.load)

    async def authenticate(self, presented: str) -> Principal:
        """Return who holds the key; raises KeyInvalid."""
        parsed = parse_key(presented)
        if parsed is None:
            raise KeyInvalid
        key_id, secret = parsed
        key = self._keys.get(key_id)
        if key is None:
            await self._wait_for_refresh()
            key = self._keys.get(key_id)
        if key is None or not key.opens_with(secret, self._now()):
            raise KeyInvalid
        return key.principal

    def pending(self) -> list[asyncio.Task[None]]:
        """The refresh that still runs, if any: it is waited for when the service stops."""
        return [self._refreshing] if self._refreshing and not self._refreshing.done() else []

    async def _wait_for_refresh(self) -> None:
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh_after_gap())
        # The wait is bounded and swallows a failing database: the keys in memory go on either way.
        await asyncio.wait([self._refreshing], timeout=LONGEST_WAIT_SECONDS)
        if self._refreshing.done() and not self._refreshing.cancelled():
            self._refreshing.exception()

    async def _refresh_after_gap(self) -> None:
        await asyncio.sleep(max(0.0, self._refreshed_at + REFRESH_GAP_SECONDS - time.monotonic()))
        await self.refresh()
