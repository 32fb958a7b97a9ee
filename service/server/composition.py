"""What the application is made of at its start: each part gets what it uses, and nothing gets all of them."""

from sqlalchemy import Engine
from structlog.typing import FilteringBoundLogger

from models.artifact import Content
from service.auth.client_address import ClientAddresses
from service.auth.key_ring import KeyRing
from service.auth.keys import StoredKey
from service.auth.limits import RateLimiter
from service.auth.queries import load_keys
from service.base.clock import Clock
from service.base.components import Components
from service.base.errors import DomainError
from service.base.settings import Settings
from service.base.telemetry import Telemetry
from service.decisions.decision_log import DecisionLog
from service.offers.batching import Batcher
from service.offers.fallback import load_fallback
from service.offers.respond import Recommender
from service.offers.shadow import Shadow
from service.offers.smoke import smoke_test
from service.outcomes.acceptances import Acceptances
from service.policies.queries import has_limits
from service.reservations.reserving import Reservations
from service.server.live_sections import LIVE_SECTIONS
from service.server.periodic_cleanup import PeriodicCleanup
from service.server.settled_memory import SettledMemory
from service.storage.database import check_schema, read_session_factory, session_factory
from service.storage.sessions import ReadSessions, WriteSessions
from service.sync.artifact_holder import ArtifactHolder
from service.sync.artifact_store import ArtifactStore
from service.sync.follower import ChangeFollower
from service.sync.listener import NotificationListener
from service.sync.sections import LiveSections
from service.web.response_cache import ResponseCache


def open_components(
    engine: Engine,
    settings: Settings,
    clock: Clock,
    telemetry: Telemetry,
    log: FilteringBoundLogger,
    *,
    owns_process: bool = False,
) -> Components:
    """Check the schema, then load keys and artifact. Raises SchemaOutdated: the service then does not start.

    owns_process: whether the process serves and does nothing else.
    """
    check_schema(engine)
    read_sessions = ReadSessions(read_session_factory(engine))
    follower = ChangeFollower(
        engine, LiveSections(LIVE_SECTIONS), settings.change_poll_seconds, telemetry, log, settings.windows
    )
    store = ArtifactStore(settings.artifacts_dir, smoke_test)
    holder = open_holder(store, read_sessions, follower, telemetry, log, settings.timezone)
    shadow = open_shadow(holder, follower, settings, telemetry, log)
    decision_log = DecisionLog(engine, settings, telemetry, log, has_limits)

    def is_database_up() -> bool:
        return follower.is_database_up

    recommender = Recommender(holder, decision_log, shadow, telemetry, clock.now, is_database_up, settings.arbitration)
    reservations = Reservations(recommender, follower, holder)
    parts = (
        settings,
        clock,
        telemetry,
        read_sessions,
        WriteSessions(session_factory(engine)),
        open_key_ring(read_sessions, settings, clock),
        RateLimiter(
            settings.rate_limit, settings.rate_limit_storage, telemetry, log, public=settings.storefront_rate_limit
        ),
        ClientAddresses(settings.trusted_proxies),
        follower,
        NotificationListener(engine, follower) if engine.dialect.name == "postgresql" else None,
        store,
        holder,
        ResponseCache(lambda: polled_source(holder)),
        shadow,
        decision_log,
        recommender,
        Batcher(recommender),
        reservations,
        Acceptances(reservations),
        SettledMemory(holder) if owns_process else None,
        PeriodicCleanup(engine, store, settings, clock.now),
    )
    return Components(*(part for part in parts if part is not None))


def open_key_ring(sessions: ReadSessions, settings: Settings, clock: Clock) -> KeyRing:
    """Make the key ring and load it."""

    def read_keys() -> dict[str, StoredKey]:
        with sessions.open() as session:
            return load_keys(session)

    key_ring = KeyRing(read_keys, clock.now, stale_after_seconds=3 * settings.key_refresh_seconds + 2)
    key_ring.load()
    return key_ring


def open_holder(
    store: ArtifactStore,
    sessions: ReadSessions,
    follower: ChangeFollower,
    telemetry: Telemetry,
    log: FilteringBoundLogger,
    timezone: str,
) -> ArtifactHolder:
    """Make the holder and load the active artifact, or what stands in for it."""

    def read_fallback() -> Content | None:
        with sessions.open() as session:
            return load_fallback(session)

    holder = ArtifactHolder(store, read_fallback, follower, telemetry, log, timezone)
    holder.load_at_start()
    return holder


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
        with follower.admit(candidate.state, is_essential=False):
            return Shadow(candidate, settings.shadow_share, telemetry, settings.arbitration)
    except DomainError as error:
        telemetry.refused_artifacts.inc()
        log.error("shadow refused", version=settings.shadow_version, reason=str(error))  # noqa: TRY400
        return None


def polled_source(holder: ArtifactHolder) -> object:
    """Return what stands for all that polled answers are made from: another object when anything in it changes."""
    return holder.current.segments.version_token if holder.current else None
