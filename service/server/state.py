"""What the running application holds in memory: ``request.app.state.nextoffer``."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from service.auth.key_ring import KeyRing
from service.auth.limits import RateLimiter
from service.base.telemetry import Telemetry
from service.decisions.decision_log import DecisionLog
from service.offers.shadow import Shadow
from service.server.housekeeping import PeriodicCleanup
from service.sync.artifact_holder import ArtifactHolder
from service.sync.artifact_store import ArtifactStore
from service.sync.follower import ChangeFollower
from service.sync.listener import NotificationListener


@dataclass(frozen=True)
class State:
    """Made at start-up. Routes read it; background loops change what is in it."""

    key_ring: KeyRing
    limiter: RateLimiter
    store: ArtifactStore
    holder: ArtifactHolder
    tail: ChangeFollower
    listener: NotificationListener | None
    shadow: Shadow | None
    ledger: DecisionLog
    housekeeping: PeriodicCleanup
    telemetry: Telemetry
    now: Callable[[], datetime]
    is_up_sell_first: bool

    def database_is_up(self) -> bool:
        """Tell whether the database answers: the tail asks it all the time."""
        return self.tail.is_database_up
