"""The application: its routes, its middleware, and what happens when it starts and stops. Read this first."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from service.accounts import note_routes
from service.accounts import routes as accounts
from service.arbitration import routes as arbitration
from service.base.clock import Clock, utc_now
from service.base.logging import Logs
from service.base.problems import install_problem_handlers
from service.base.settings import Settings
from service.base.telemetry import Telemetry
from service.catalogue import relationship_routes as relationships
from service.catalogue import routes as catalogue
from service.deals import routes as deals
from service.decisions import routes as decisions
from service.erasure import routes as erasure
from service.exchange_rates import routes as exchange_rates
from service.goals import routes as goals
from service.goals import weight_routes as weights
from service.offers import coverage_routes as coverage
from service.offers import routes as offers
from service.orders import routes as orders
from service.outcomes import routes as outcomes
from service.policies import routes as policies
from service.registry import routes as registry
from service.reservations import routes as reservations
from service.segments import routes as segments
from service.server import health
from service.server.background import background_work
from service.server.composition import open_components
from service.server.pages import routes as pages
from service.storage.database import create_database_engine
from service.targets import routes as targets
from service.web.body_guard import BodyGuard
from service.web.fast_path import FastPath
from service.web.request_edge import RequestEdge
from service.web.storefront_cors import StorefrontCors
from service.whitespace import routes as whitespace

ROUTERS = (
    offers.router,
    coverage.router,
    decisions.router,
    whitespace.router,
    targets.router,
    note_routes.router,
    accounts.router,
    erasure.router,
    relationships.router,
    catalogue.router,
    orders.router,
    deals.router,
    exchange_rates.router,
    segments.router,
    policies.router,
    outcomes.router,
    arbitration.router,
    reservations.router,
    goals.router,
    weights.router,
    registry.router,
    health.router,
)

CORS_REQUEST_HEADERS = (
    "Authorization", "X-API-Key", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "X-Min-Sequence",
    "X-Request-ID",
)  # fmt: skip
CORS_ANSWER_HEADERS = ("ETag", "Idempotency-Replayed", "Retry-After", "X-Request-ID", "X-Sequence")

BUSY_SECONDS = 5
"""How long a write waits for another writer of SQLite; then the caller is asked to come back."""

NO_TRACING = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}
"""The framework's own, which costs a tenth of a request."""


def create_app(
    settings: Settings,
    *,
    now: Callable[[], datetime] = utc_now,
    logs: Logs | None = None,
    owns_process: bool = False,
) -> FastAPI:
    """Assemble the application. Nothing is opened before it starts. owns_process: see ``open_components``."""
    logs = logs or Logs(settings.log_level)
    telemetry = Telemetry()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = create_database_engine(settings.database_url, busy_seconds=BUSY_SECONDS)
        try:
            components = app.state.components = open_components(
                engine, settings, Clock(now), telemetry, logs.log, owns_process=owns_process
            )
            async with background_work(components, logs.log):
                yield
        finally:
            engine.dispose()
            logs.flush()

    app = FastAPI(
        title="nextoffer",
        version=version("nextoffer"),
        lifespan=lifespan,
        # The contract is openapi.yaml, which service.server.pages serves as JSON.
        openapi_url=None,
        redirect_slashes=False,
        telemetry=NO_TRACING,  # type: ignore[arg-type]
    )
    add_middleware(app, settings, telemetry, logs)
    install_problem_handlers(app)
    for router in (*ROUTERS, pages.router) if settings.pages else ROUTERS:
        # Including a router would build all of its routes again, at the first request: 0.2 s of CPU.
        app.router.routes.extend(router.routes)
    return app


def add_middleware(app: FastAPI, settings: Settings, telemetry: Telemetry, logs: Logs) -> None:
    """Add the middleware, the innermost first."""
    app.add_middleware(BodyGuard, max_bytes=settings.max_body_bytes, timeout_seconds=settings.body_timeout_seconds)
    app.add_middleware(FastPath, routes=offers.router.routes)
    app.add_middleware(RequestEdge, telemetry=telemetry, logs=logs)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=CORS_REQUEST_HEADERS,
            expose_headers=CORS_ANSWER_HEADERS,
        )
    app.add_middleware(StorefrontCors, static_origins=settings.cors_origins)
