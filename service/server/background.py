"""What goes on beside the requests: loops that keep memory current, and threads that follow a queue or a log."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from service.auth.key_ring import KeyRing
from service.auth.limits import RateLimiter
from service.base.clock import Clock
from service.base.components import Components
from service.base.settings import Settings
from service.base.telemetry import Telemetry
from service.decisions.decision_log import DecisionLog
from service.offers.shadow import Shadow
from service.readmodel.ownership import Ownership
from service.server.periodic_cleanup import PeriodicCleanup
from service.server.settled_memory import SettledMemory
from service.sync.artifact_holder import ArtifactHolder
from service.sync.follower import ChangeFollower
from service.sync.listener import NotificationListener

MAX_STOP_SECONDS = 5.0
GAUGE_SECONDS = 1.0
THREADED: tuple[type["ThreadedWork"], ...] = (ChangeFollower, NotificationListener, Shadow, DecisionLog)
"""Parts that work in a thread of their own; the application may run without some."""


class ThreadedWork(Protocol):
    """Work that has a thread of its own."""

    def run(self) -> None:
        """Work until ``stop``."""

    def stop(self) -> None:
        """End soon."""


@asynccontextmanager
async def background_work(components: Components, log: FilteringBoundLogger) -> AsyncIterator[None]:
    """Do everything in the background while the application runs, and end it with the application."""
    candidates = (components.find(kind) for kind in THREADED)
    workers = [worker for worker in candidates if worker is not None]
    max_stop_seconds = components.get(Settings).decision_log_drain_seconds + MAX_STOP_SECONDS
    async with loops(components, log), threads(workers, max_stop_seconds):
        yield
    await components.get(RateLimiter).close()


@asynccontextmanager
async def threads(workers: Sequence[ThreadedWork], max_stop_seconds: float) -> AsyncIterator[None]:
    """Run each worker in a thread."""
    started = [
        threading.Thread(target=worker.run, name=f"nextoffer-{type(worker).__name__.lower()}", daemon=True)
        for worker in workers
    ]
    for thread in started:
        thread.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.stop()
        for thread in started:
            await asyncio.to_thread(thread.join, max_stop_seconds)


@asynccontextmanager
async def loops(components: Components, log: FilteringBoundLogger) -> AsyncIterator[None]:
    """Keep keys, artifact and gauges current, and delete what has expired."""
    settings, key_ring = components.get(Settings), components.get(KeyRing)
    works: dict[str, tuple[Callable[[], None], float]] = {
        "keys": (key_ring.load, settings.key_refresh_seconds),
        "artifact": (partial(poll_artifact, components), settings.artifact_poll_seconds),
        "cleanup": (components.get(PeriodicCleanup).delete_expired, settings.cleanup_seconds),
        "telemetry": (partial(set_gauges, components), GAUGE_SECONDS),
    }
    settle_memory(components)
    set_gauges(components)
    stop = asyncio.Event()
    telemetry = components.get(Telemetry)
    tasks = [
        asyncio.create_task(repeat(name, work, seconds, stop, telemetry, log), name=f"nextoffer-{name}")
        for name, (work, seconds) in works.items()
    ]
    try:
        yield
    finally:
        stop.set()
        # What a thread does can't be cancelled: it is waited for, so that no connection outlives the engine.
        _, late = await asyncio.wait([*tasks, *key_ring.pending()], timeout=MAX_STOP_SECONDS)
        for task in late:
            task.cancel()


def poll_artifact(components: Components) -> None:
    """Load the artifact that is active now, unless it is in use."""
    components.get(ArtifactHolder).poll()
    settle_memory(components)


def settle_memory(components: Components) -> None:
    """Spare the garbage collector what is loaded, where the process is the application's own."""
    settled = components.find(SettledMemory)
    if settled is not None:
        settled.settle()


def set_gauges(components: Components) -> None:
    """Set the gauges that nothing else sets."""
    telemetry, follower = components.get(Telemetry), components.get(ChangeFollower)
    loaded = components.get(ArtifactHolder).current
    telemetry.database_up.set(follower.is_database_up)
    lag_seconds = follower.seconds_behind - 2 * components.get(Settings).change_poll_seconds
    telemetry.live_lag.set(max(0.0, lag_seconds))
    telemetry.live_sequence.set(loaded.state.sequence if loaded else 0)
    telemetry.live_accounts.set(len(loaded.state.part(Ownership).by_account) if loaded else 0)
    telemetry.show_age(components.get(Clock).now().timestamp())


async def repeat(
    name: str,
    work: Callable[[], None],
    seconds: float,
    stop: asyncio.Event,
    telemetry: Telemetry,
    log: FilteringBoundLogger,
) -> None:
    """Do blocking work in a thread, again and again. A failure is logged and counted, and the loop goes on."""
    was_failing = False
    while not await is_set_within(stop, seconds):
        try:
            await asyncio.to_thread(work)
            was_failing = False
        except Exception as error:  # The edge of a background loop: nothing may end it.
            telemetry.loop_failures.labels(name).inc()
            if not was_failing:
                log.warning("background loop failing", loop=name, error=type(error).__name__)
            was_failing = True


async def is_set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, and tell whether it came in time."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()
