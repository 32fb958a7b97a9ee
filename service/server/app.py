"""The application: what it is made of, and what happens when it starts and stops. Read this first."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from importlib.metadata import version

from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.middleware.cors import CORSMiddleware
from structlog.typing import FilteringBoundLogger

from models.artifact import Content
from service.accounts import routes as accounts
from service.auth.key_ring import KeyRing
from service.auth.keys import StoredKey
from service.auth.limits import RateLimiter
from service.auth.queries import load_keys
from service.base.clock import utc_now
from service.base.components import Components
from service.base.errors import DomainError
from service.base.logging import Logs
from service.base.problems import install_problem_handlers
from service.base.settings import Settings
from service.base.telemetry import Telemetry
from service.catalogue import relationship_routes as relationships
from service.catalogue import routes as catalogue
from service.deals import routes as deals
from service.decisions import routes as decisions
from service.decisions.decision_log import DecisionLog
from service.offers import routes as offers
from service.offers.batching import Batcher
from service.offers.fallback import load_fallback
from service.offers.respond import Recommender
from service.offers.shadow import Shadow
from service.offers.smoke import smoke_test
from service.orders import routes as orders
from service.registry import routes as registry
from service.segments import routes as segments
from service.server import health
from service.server.background import background_work
from service.server.housekeeping import PeriodicCleanup
from service.server.live_sections import LIVE_SECTIONS
from service.server.state import State
from service.storage.database import (
    check_schema,
    create_database_engine,
    read_session_factory,
    session_factory,
    session_scope,
)
from service.sync.artifact_holder import ArtifactHolder
from service.sync.artifact_store import ArtifactStore
from service.sync.follower import ChangeFollower
from service.sync.listener import NotificationListener
from service.sync.sections import LiveSections
from service.targets import routes as targets
from service.web.fast_path import FastPath
from service.web.middleware import RequestEdge
from service.web.response_cache import ResponseCache
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
    app.state.polled = ResponseCache(lambda: what_is_polled(app.state.nextoffer))
    app.state.desk = FastPath(app, offers.router.routes, telemetry, logs, settings.max_body_bytes)
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
    return state.holder.current.segments.version_token if state.holder.current else None


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

    tail = ChangeFollower(engine, LiveSections(LIVE_SECTIONS), settings.tail_poll_seconds, telemetry, log)
    store = ArtifactStore(settings.artifacts_dir, smoke_test)
    holder = ArtifactHolder(store, read_fallback, tail, telemetry, log)
    holder.load_at_start()
    shadow = open_shadow(holder, tail, settings, telemetry, log)
    ledger = DecisionLog(engine, settings, telemetry, log)
    housekeeping = PeriodicCleanup(engine, store, settings, now)
    limiter = RateLimiter(settings.rate_limit, settings.rate_limit_storage, telemetry, log)
    listener = NotificationListener(engine, tail) if engine.dialect.name == "postgresql" else None
    recommender = Recommender(
        holder, ledger, shadow, telemetry, now, lambda: tail.is_database_up, is_up_sell_first=settings.up_sell_first
    )
    app.state.components = Components(ledger, recommender, Batcher(recommender))
    policy = settings.up_sell_first
    return State(key_ring, limiter, store, holder, tail, listener, shadow, ledger, housekeeping, telemetry, now, policy)


def open_shadow(
    holder: ArtifactHolder,
    follower: ChangeFollower,
    settings: Settings,
    telemetry: Telemetry,
    log: FilteringBoundLogger,
) -> Shadow | None:
    """Open the candidate that the settings name. One that is not good is refused: the service runs without it."""
    if not settings.shadow_version:
        return None
    try:
        candidate = holder.load(settings.shadow_version)
        with follower.admit(candidate.state):
            return Shadow(candidate, settings.shadow_share, telemetry, is_up_sell_first=settings.up_sell_first)
    except DomainError as error:
        telemetry.refused_artifacts.inc()
        log.error("shadow refused", version=settings.shadow_version, reason=str(error))  # noqa: TRY400
        return None
