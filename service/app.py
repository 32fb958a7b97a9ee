"""The application: what it is made of, and what happens when it starts and stops. Read this first."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version

from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.middleware.cors import CORSMiddleware
from structlog.typing import FilteringBoundLogger

from models.artifact import Content
from service import health
from service.accounts import routes as accounts
from service.auth.key_ring import KeyRing
from service.auth.keys import StoredKey
from service.auth.limits import RateLimiter
from service.auth.queries import load_keys
from service.background import background_work
from service.catalogue import relationship_routes as relationships
from service.catalogue import routes as catalogue
from service.database import (
    check_schema,
    create_database_engine,
    read_session_factory,
    session_factory,
    session_scope,
)
from service.deals import routes as deals
from service.decisions import routes as decisions
from service.decisions.ledger import Ledger
from service.errors import DomainError
from service.hot_desk import HotDesk
from service.housekeeping import Housekeeping
from service.live.listener import Listener
from service.live.state import LiveState
from service.live.tail import Tail
from service.logs import Logs
from service.middleware import RequestEdge
from service.offers import routes as offers
from service.offers.fallback import load_fallback
from service.offers.smoke import smoke_test
from service.orders import routes as orders
from service.polled import PolledAnswers
from service.problems import install_problem_handlers
from service.registry import routes as registry
from service.registry.holder import ArtifactHolder
from service.registry.shadow import Shadow
from service.registry.store import ArtifactStore
from service.segments import routes as segments
from service.settings import Settings
from service.state import State
from service.targets import routes as targets
from service.telemetry import Telemetry
from service.whitespace import routes as whitespace

ROUTERS = (
    decisions.router,
    whitespace.router,
    targets.router,
    accounts.router,
    relationships.router,
    catalogue.router,
    orders.router,
    deals.router,
    segments.router,
    registry.router,
    health.router,
)

CORS_REQUEST_HEADERS = (
    "Authorization", "X-API-Key", "Content-Type", "Idempotency-Key", "If-None-Match", "X-Min-Sequence", "X-Request-ID",
)  # fmt: skip
CORS_ANSWER_HEADERS = ("ETag", "Idempotency-Replayed", "Retry-After", "X-Request-ID", "X-Sequence")

BUSY_SECONDS = 5
"""How long a write waits for another writer of SQLite; then the caller is asked to come back."""

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
        engine = create_database_engine(settings.database_url, busy_seconds=BUSY_SECONDS)
        try:
            app.state.nextoffer = open_state(app, engine, settings, now, telemetry, log)
            async with background_work(app.state.nextoffer, settings, log):
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
    app.state.polled = PolledAnswers(lambda: what_is_polled(app.state.nextoffer))
    app.state.desk = HotDesk(app, offers.router.routes, telemetry, logs, settings.max_body_bytes)
    app.add_middleware(
        RequestEdge,
        telemetry=telemetry,
        logs=logs,
        max_body_bytes=settings.max_body_bytes,
        body_timeout_seconds=settings.body_timeout_seconds,
    )
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=CORS_REQUEST_HEADERS,
            expose_headers=CORS_ANSWER_HEADERS,
        )
    install_problem_handlers(app)
    # As they are: a router that is included is matched twice for each request.
    app.router.routes.extend(offers.router.routes)
    for router in ROUTERS:
        app.include_router(router)
    return app


def what_is_polled(state: State) -> object:
    """Return what stands for all that polled answers are made from: another object when anything in it is."""
    return state.holder.live.book.stamp if state.holder.live else None


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

    shadow: Shadow | None = None

    def states_in_use() -> list[LiveState]:
        in_use = (holder.live, shadow.live if shadow else None)
        return [live.state for live in in_use if live]

    tail = Tail(engine, states_in_use, settings.tail_poll_seconds, telemetry, log)
    store = ArtifactStore(settings.artifacts_dir)
    holder = ArtifactHolder(store, smoke_test, read_fallback, tail, telemetry, log)
    holder.load_at_start()
    shadow = open_shadow(holder, settings, telemetry, log)
    ledger = Ledger(engine, settings, telemetry, log)
    housekeeping = Housekeeping(engine, store, settings, now)
    limiter = RateLimiter(settings.rate_limit, settings.rate_limit_storage, telemetry, log)
    listener = Listener(engine, tail) if engine.dialect.name == "postgresql" else None
    policy = settings.up_sell_first
    return State(key_ring, limiter, store, holder, tail, listener, shadow, ledger, housekeeping, telemetry, now, policy)


def open_shadow(
    holder: ArtifactHolder, settings: Settings, telemetry: Telemetry, log: FilteringBoundLogger
) -> Shadow | None:
    """Open the candidate that the settings name. One that is not good is refused: the service runs without it."""
    if not settings.shadow_version:
        return None
    try:
        live = holder.open_live(settings.shadow_version)
        return Shadow(live, settings.shadow_share, telemetry, is_up_sell_first=settings.up_sell_first)
    except DomainError as error:
        telemetry.refused_artifacts.inc()
        log.error("shadow refused", version=settings.shadow_version, reason=str(error))  # noqa: TRY400
        return None
