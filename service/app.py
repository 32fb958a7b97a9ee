"""The application: what it is made of, and what happens when it starts and stops. Read this first."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version

from fastapi import FastAPI
from sqlalchemy import Engine
from structlog.typing import FilteringBoundLogger

from models.artifact import Content
from service import health
from service.accounts import routes as accounts
from service.auth.key_ring import KeyRing
from service.auth.keys import StoredKey
from service.auth.queries import load_keys
from service.catalogue import routes as catalogue
from service.database import (
    check_schema,
    create_database_engine,
    read_session_factory,
    session_factory,
    session_scope,
)
from service.logs import Logs
from service.middleware import RequestEdge
from service.offers import routes as offers
from service.offers.fallback import load_fallback
from service.offers.smoke import smoke_test
from service.orders import routes as orders
from service.problems import install_problem_handlers
from service.registry import routes as registry
from service.registry.holder import ArtifactHolder
from service.registry.store import ArtifactStore
from service.settings import Settings
from service.state import State
from service.telemetry import Telemetry

ROUTERS = (accounts.router, catalogue.router, orders.router, registry.router, health.router)

LONGEST_STOP_SECONDS = 5.0

NO_TRACING = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}
"""The framework's own, which costs a tenth of a request."""


def utc_now() -> datetime:
    """The only clock of the service, unless a test injects another."""
    return datetime.now(UTC)


def create_app(settings: Settings, *, now: Callable[[], datetime] = utc_now, logs: Logs | None = None) -> FastAPI:
    """Assemble the application. Nothing is opened before it starts."""
    logs = logs or Logs(settings.log_level)
    log = logs.log
    telemetry = Telemetry()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = create_database_engine(settings.database_url)
        try:
            app.state.nextoffer = open_state(app, engine, settings, now, telemetry, log)
            async with background_loops(app.state.nextoffer, settings, log):
                yield
        finally:
            engine.dispose()
            logs.flush()

    app = FastAPI(
        title="nextoffer",
        version=version("nextoffer"),
        lifespan=lifespan,
        # The contract is openapi.yaml. Served from here it would be a route without a key.
        openapi_url=None,
        redirect_slashes=False,
        telemetry=NO_TRACING,  # type: ignore[arg-type]
    )
    app.state.settings = settings
    app.add_middleware(RequestEdge, telemetry=telemetry, logs=logs, max_body_bytes=settings.max_body_bytes)
    install_problem_handlers(app)
    # As they are: a router that is included is matched twice for each request.
    app.router.routes.extend(offers.router.routes)
    for router in ROUTERS:
        app.include_router(router)
    return app


def open_state(
    app: FastAPI,
    engine: Engine,
    settings: Settings,
    now: Callable[[], datetime],
    telemetry: Telemetry,
    log: FilteringBoundLogger,
) -> State:
    """Check the schema, then load keys and artifact. Raises SchemaOutdated: the service then does not start."""
    check_schema(engine)
    app.state.write_sessions = session_factory(engine)
    app.state.read_sessions = sessions = read_session_factory(engine)

    def read_keys() -> dict[str, StoredKey]:
        with session_scope(sessions) as session:
            return load_keys(session)

    def read_fallback() -> Content | None:
        with session_scope(sessions) as session:
            return load_fallback(session)

    key_ring = KeyRing(read_keys, now, stale_after_seconds=3 * settings.key_refresh_seconds + 2)
    key_ring.load()
    store = ArtifactStore(settings.artifacts_dir)
    holder = ArtifactHolder(store, smoke_test, read_fallback, telemetry, log)
    holder.load_at_start()
    return State(key_ring, store, holder, telemetry, now)


@asynccontextmanager
async def background_loops(state: State, settings: Settings, log: FilteringBoundLogger) -> AsyncIterator[None]:
    """Run the loops that keep keys and artifact current, and end them with the application."""
    loops = {
        "keys": (state.key_ring.load, settings.key_refresh_seconds),
        "artifact": (state.holder.poll, settings.artifact_poll_seconds),
    }
    stop = asyncio.Event()
    tasks = [
        asyncio.create_task(repeat(name, work, seconds, stop, state.telemetry, log), name=f"nextoffer-{name}")
        for name, (work, seconds) in loops.items()
    ]
    try:
        yield
    finally:
        stop.set()
        # What a thread does can't be cancelled: it is waited for, so that no connection outlives the engine.
        _, late = await asyncio.wait([*tasks, *state.key_ring.pending()], timeout=LONGEST_STOP_SECONDS)
        for task in late:
            task.cancel()


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
