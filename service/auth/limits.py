"""How often each key may ask."""

import math
import time
from collections.abc import Callable
from typing import Any, Final

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from structlog.typing import FilteringBoundLogger

from service.auth.errors import RateLimited
from service.auth.keys import Principal
from service.auth.limit_text import parse_limit
from service.base.telemetry import Telemetry

REDIS_SECONDS: Final = 0.25
"""A slow storage of limits must not become a slow checkout."""
PAUSE_SECONDS: Final = 1.0
"""After a failure the storage is left alone for so long."""


class RateLimiter:
    """Counts each key's requests in a sliding window.

    default: of keys without a limit of their own, such as ``100/second``; empty for none.
    public:  the same of keys in web pages, whose requests are counted for each client address apart.
    storage: ``memory://``, where each worker counts by itself, or ``redis://HOST:PORT``, which all share.
    If the storage fails, requests pass: a broken counter must not take a checkout down.
    """

    def __init__(
        self,
        default: str,
        storage: str,
        telemetry: Telemetry,
        log: FilteringBoundLogger,
        public: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._default = parse_limit(default)
        self._public = parse_limit(public)
        self._storage = make_storage(storage)
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._telemetry = telemetry
        self._log = log
        self._clock = clock
        self._paused_until = -math.inf
        self._is_failing = False

    def limits(self, principal: Principal) -> bool:
        """Tell whether the key's requests are counted at all."""
        return self._limit_of(principal) is not None

    def _limit_of(self, principal: Principal) -> RateLimitItem | None:
        return principal.rate_limit or (self._public if principal.is_public else self._default)

    async def check(self, principal: Principal, client: str = "") -> None:
        """Count one request of a key; raises RateLimited. client: the address that it is counted for, if any."""
        limit = self._limit_of(principal)
        if limit is None or self._clock() < self._paused_until:
            return
        try:
            counted_for = (principal.key_id, client) if client else (principal.key_id,)
            is_allowed = await self._limiter.hit(limit, *counted_for)
            seconds = 0.0 if is_allowed else await self._seconds_to_wait(limit, counted_for)
        except StorageError as error:
            self._note_failure(error)
            return
        self._is_failing = False
        if not is_allowed:
            self._telemetry.rate_limited.inc()
            raise RateLimited(str(limit), max(1, math.ceil(seconds)))

    async def close(self) -> None:
        """Close the connections to a storage that has some."""
        if isinstance(self._storage, RedisStorage):
            bridge: Any = self._storage.bridge
            await bridge.get_connection().aclose()

    async def _seconds_to_wait(self, limit: RateLimitItem, counted_for: tuple[str, ...]) -> float:
        window = await self._limiter.get_window_stats(limit, *counted_for)
        return window.reset_time - time.time()

    def _note_failure(self, error: Exception) -> None:
        self._telemetry.rate_limit_storage_failures.inc()
        self._paused_until = self._clock() + PAUSE_SECONDS
        if not self._is_failing:
            self._log.warning("rate limits are off: their storage fails", error=type(error).__name__)
        self._is_failing = True


def make_storage(uri: str) -> Storage:
    """Make the storage that an address names."""
    if uri.startswith("memory://"):
        return MemoryStorage()
    options: dict[str, Any] = {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}
    return RedisStorage(
        f"async+{uri}", wrap_exceptions=True, implementation="redispy", key_prefix="nextoffer", **options
    )
