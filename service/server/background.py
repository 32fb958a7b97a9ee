"""What goes on beside the requests: loops that keep memory current, and threads that follow a queue or a log."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from service.base.settings import Settings
from service.base.telemetry import Telemetry
from service.readmodel.ownership import Ownership
from service.server.state import State

MAX_STOP_SECONDS = 5.0
GAUGE_SECONDS = 1.0


class Follower(Protocol):
    """Work that has a thread of its own."""

    def run(self) -> None:
        """Work until ``stop``."""

    def stop(self) -> None:
        """End soon."""


@asynccontextmanager
async def background_work(state: State, settings: Settings, log: FilteringBoundLogger) -> AsyncIterator[None]:
    """Do everything in the background while the application runs, and end it with the application."""
    async with loops(state, settings, log):
        everyone = (state.tail, state.listener, state.shadow, state.ledger)
        followers: list[Follower] = [one for one in everyone if one is not None]
        async with threads(followers, settings.ledger_drain_seconds + MAX_STOP_SECONDS):
            yield
    await state.limiter.close()


@asynccontextmanager
async def threads(followers: list[Follower], longest_stop_seconds: float) -> AsyncIterator[None]:
    """Run each follower in a thread."""
    names = [type(follower).__name__.lower() for follower in followers]
    started = [
        threading.Thread(target=follower.run, name=f"nextoffer-{name}", daemon=True)
        for follower, name in zip(followers, names, strict=True)
    ]
    for thread in started:
        thread.start()
    try:
        yield
    finally:
        for follower in followers:
            follower.stop()
        for thread in started:
            await asyncio.to_thread(thread.join, longest_stop_seconds)


@asynccontextmanager
async def loops(state: State, settings: Settings, log: FilteringBoundLogger) -> AsyncIterator[None]:
    """Keep keys and artifact current."""
    works: dict[str, tuple[Callable[[], None], float]] = {
        "keys": (state.key_ring.load, settings.key_refresh_seconds),
        "artifact": (state.holder.poll, settings.artifact_poll_seconds),
        "housekeeping": (state.housekeeping.tidy, settings.housekeeping_seconds),
        "telemetry": (partial(show_state, state, settings), GAUGE_SECONDS),
    }
    show_state(state, settings)
    stop = asyncio.Event()
    tasks = [
        asyncio.create_task(repeat(name, work, seconds, stop, state.telemetry, log), name=f"nextoffer-{name}")
        for name, (work, seconds) in works.items()
    ]
    try:
        yield
    finally:
        stop.set()
        # What a thread does can't be cancelled: it is waited for, so that no connection outlives the engine.
        _, late = await asyncio.wait([*tasks, *state.key_ring.pending()], timeout=MAX_STOP_SECONDS)
        for task in late:
            task.cancel()


def show_state(state: State, settings: Settings) -> None:
    """Set the gauges that nothing else sets."""
    telemetry, current = state.telemetry, state.holder.current
    telemetry.database_up.set(state.database_is_up())
    telemetry.live_lag.set(max(0.0, state.tail.seconds_behind - 2 * settings.tail_poll_seconds))
    telemetry.live_sequence.set(current.state.sequence if current else 0)
    telemetry.live_accounts.set(len(current.state.part(Ownership).by_account) if current else 0)
    telemetry.show_age(state.now().timestamp())


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
